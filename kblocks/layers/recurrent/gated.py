"""What the sequence layers with gates have in common: asking for the gates, and the loop for it."""

from typing import Any

import keras
from keras import ops

from kblocks.backend import scan
from kblocks.layers.recurrent.checked import CheckedLayer


class GatedLayer(CheckedLayer):
    """Stands before Keras' own layer in the bases; the cell has `step(inputs, states, training)`.

    With `return_gates` the layer's output is followed by one named tuple of gates, each
    (batch, time, units), in the order of the steps taken, zero where a step was masked.
    """

    gates_type: Any = None
    return_gates = False
    _gates: Any = None

    def _set_up_gates(self, return_gates: bool, use_cudnn: bool | str, cudnn_can: bool) -> None:
        if use_cudnn not in ("auto", True, False):
            raise ValueError(f"`use_cudnn` must be 'auto', True or False, got {use_cudnn!r}.")
        if return_gates or not cudnn_can:
            if use_cudnn is True:
                raise ValueError(
                    "`use_cudnn` must be 'auto' or False with peepholes or gates, got True."
                )
            use_cudnn = False
        self.use_cudnn = use_cudnn
        self.return_gates = return_gates

    def call(
        self,
        sequences: Any,
        initial_state: Any = None,
        mask: Any = None,
        training: bool = False,
    ) -> Any:
        """Run the layer; arguments and outputs are in the docstring of the class."""
        outputs = super().call(sequences, initial_state=initial_state, mask=mask, training=training)
        if not self.return_gates:
            return outputs
        gates, self._gates = self._gates, None
        outputs = outputs if self.return_state else (outputs,)
        return (*outputs, gates)

    def inner_loop(
        self, sequences: Any, initial_state: Any, mask: Any, training: bool = False
    ) -> tuple[Any, Any, list[Any]]:
        """The last output, all outputs and the last states; the gates are kept for `call`."""
        # Whoever asks for the gates gets the very output of who does not: they are made apart.
        if self.return_gates:
            self._gates = self._gates_loop(sequences, initial_state, mask, training)
        return self.outputs_loop(sequences, initial_state, mask, training)

    def outputs_loop(
        self, sequences: Any, initial_state: Any, mask: Any, training: bool
    ) -> tuple[Any, Any, list[Any]]:
        """Keras' own loop, or a faster one that a layer has."""
        return super().inner_loop(sequences, initial_state, mask, training=training)

    def _gates_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool) -> Any:
        """The gates of the cell's own step at every time."""
        xs = [ops.swapaxes(sequences, 0, 1)]  # (time, batch, features)
        if mask is not None:
            mask = ops.cast(keras.tree.flatten(mask)[0], "bool")
            xs.append(ops.expand_dims(ops.swapaxes(mask, 0, 1), -1))  # (time, batch, 1)
        if self.go_backwards:
            xs = [ops.flip(x, axis=0) for x in xs]

        def step(states: Any, x: Any) -> tuple[Any, Any]:
            new, gates = self.cell.step(x[0], states, training=training)
            if mask is not None:
                new = [ops.where(x[1], n, s) for n, s in zip(new, states, strict=True)]
                gates = self.gates_type(*(ops.where(x[1], gate, 0) for gate in gates))
            return new, gates

        states = [ops.copy(state) for state in keras.tree.flatten(initial_state)]
        _, gates = scan(step, states, xs)
        return self.gates_type(*(ops.swapaxes(gate, 0, 1) for gate in gates))

    def __setattr__(self, name: str, value: Any) -> None:
        # Bidirectional sets this attribute on the layers that it wraps, whatever their mask.
        if name == "zero_output_for_mask" and self.return_gates:
            raise ValueError(
                "`return_gates=True` cannot be used inside Bidirectional, which passes on "
                "sequences and states only: ask two layers for their gates, one with "
                "`go_backwards=True`."
            )
        super().__setattr__(name, value)

    def compute_output_shape(self, sequences_shape: Any, initial_state_shape: Any = None) -> Any:
        """The shapes of what a call returns."""
        shapes = super().compute_output_shape(sequences_shape, initial_state_shape)
        if not self.return_gates:
            return shapes
        shapes = shapes if self.return_state else (shapes,)
        gate = (*sequences_shape[:2], self.units)
        return (*shapes, self.gates_type(*(gate for _ in self.gates_type._fields)))

    def compute_mask(self, sequences: Any, mask: Any) -> Any:
        """The mask with each output that has a time axis."""
        masks = super().compute_mask(sequences, mask)
        if not self.return_gates:
            return masks
        mask = keras.tree.flatten(mask)[0]
        masks = masks if self.return_state else [masks]
        return [*masks, self.gates_type(*(mask for _ in self.gates_type._fields))]

    def get_config(self) -> dict[str, Any]:
        """The constructor arguments."""
        return {
            **super().get_config(),
            "return_gates": self.return_gates,
            "use_cudnn": self.use_cudnn,
        }
