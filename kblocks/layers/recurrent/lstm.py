"""The sequence layer of the long short-term memory; equations and papers in `lstm_cell`."""

from typing import Any

import keras
from keras import ops

from kblocks.backend.lstm import lstm, lstm_is_available
from kblocks.layers.recurrent.arguments import cell_arguments
from kblocks.layers.recurrent.gated import GatedLayer
from kblocks.layers.recurrent.lstm_cell import LSTMCell, LSTMGates


@keras.saving.register_keras_serializable("kblocks")
class LSTM(GatedLayer, keras.layers.LSTM):
    """A long short-term memory over sequences.

    Masking: a masked step leaves state and memory as they were and repeats the output before it
    (zeros with `zero_output_for_mask=True`); left, right and any other padding work. The mask goes
    on with `return_sequences=True`.

    Args:
        units: The size of the state and of the memory.
        peepholes: Whether the gates see the memory.
        return_gates: Whether the gates come back as well; the output is the same.
        use_cudnn: Whether Keras may take cuDNN on a GPU; never with peepholes or `return_gates`.
        **kwargs: All other arguments of `keras.layers.LSTM`, with the same meaning.

    Call arguments:
        sequences: Floating, (batch, time, features).
        initial_state: The list of the first state and memory, each (batch, units); zeros if absent.
        mask: Boolean, (batch, time).
        training: Whether dropout is on.

    Returns:
        The last output (batch, units), or all outputs (batch, time, units) with
        `return_sequences=True`; with `return_state=True` followed by the last state and memory;
        with `return_gates=True` followed by `LSTMGates(input, forget, candidate, output)`, each
        (batch, time, units), in the order of the steps taken, zero where a step was masked.

    Raises:
        ValueError: If an argument is out of range, if `sequences` has another rank, size or dtype,
            or if a layer with `return_gates=True` is put into `Bidirectional`.

    Example:

    >>> import numpy as np
    >>> import kblocks
    >>> layer = kblocks.layers.LSTM(4, return_sequences=True, return_gates=True)
    >>> outputs, gates = layer(np.ones((2, 5, 3), "float32"))
    >>> tuple(gates.forget.shape)
    (2, 5, 4)

    References:
        Hochreiter and Schmidhuber (1997), "Long Short-Term Memory"; Gers et al. (2000), "Learning
        to Forget"; Gers and Schmidhuber (2000), "Recurrent Nets that Time and Count".
    """

    gates_type = LSTMGates

    def __init__(
        self,
        units: int,
        peepholes: bool = False,
        return_gates: bool = False,
        use_cudnn: bool | str = "auto",
        **kwargs: Any,
    ) -> None:
        cell = LSTMCell(units, peepholes, name="lstm_cell", **cell_arguments(kwargs))
        keras.layers.RNN.__init__(self, cell, **kwargs)
        self._set_up_gates(return_gates, use_cudnn, cudnn_can=not peepholes)

    def outputs_loop(
        self, sequences: Any, initial_state: Any, mask: Any, training: bool
    ) -> tuple[Any, Any, list[Any]]:
        """The hand-written loop where it runs, else Keras' own (on a GPU, cuDNN)."""
        if not self._is_plain(training) or not lstm_is_available():
            return super().outputs_loop(sequences, initial_state, mask, training)
        if training and self.dropout:
            sequences = sequences * ops.expand_dims(self.cell.get_dropout_mask(sequences[:, 0]), 1)
        return lstm(
            sequences,
            initial_state,
            None if mask is None else keras.tree.flatten(mask)[0],
            self.cell.kernel,
            self.cell.recurrent_kernel,
            self.cell.bias,
            go_backwards=self.go_backwards,
            zero_output_for_mask=self.zero_output_for_mask,
        )

    def _is_plain(self, training: bool) -> bool:
        return (
            self.activation is keras.activations.tanh
            and self.recurrent_activation is keras.activations.sigmoid
            and not self.peepholes
            and not self.unroll
            and not (training and self.recurrent_dropout)
        )

    @property
    def peepholes(self) -> bool:
        """Whether the gates see the memory."""
        return self.cell.peepholes

    def get_config(self) -> dict[str, Any]:
        """The constructor arguments."""
        return {**super().get_config(), "peepholes": self.peepholes}
