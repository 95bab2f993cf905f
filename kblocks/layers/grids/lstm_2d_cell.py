"""The long short-term memory in two dimensions of Graves, Fernandez and Schmidhuber (2007),
https://arxiv.org/abs/0705.2011.

A pixel has two pasts, the pixel above and the pixel on the left, and a forget gate for each:

    i_ij = sigmoid(W_i [h_{i-1,j}, h_{i,j-1}, x_ij] + b_i)          what to write
    u_ij = sigmoid(W_u [h_{i-1,j}, h_{i,j-1}, x_ij] + b_u)          what to keep from above
    l_ij = sigmoid(W_l [h_{i-1,j}, h_{i,j-1}, x_ij] + b_l)          what to keep from the left
    g_ij = tanh(W_c [h_{i-1,j}, h_{i,j-1}, x_ij] + b_c)             the candidate
    o_ij = sigmoid(W_o [h_{i-1,j}, h_{i,j-1}, x_ij] + b_o)          what to show
    c_ij = u_ij * c_{i-1,j} + l_ij * c_{i,j-1} + i_ij * g_ij
    h_ij = o_ij * tanh(c_ij)

With peepholes p_i * (c_{i-1,j} + c_{i,j-1}) is added in i_ij, p_u * c_{i-1,j} in u_ij,
p_l * c_{i,j-1} in l_ij, and p_o * c_ij in o_ij. States outside of the image are zero.
"""

from typing import Any, NamedTuple

import keras
from keras import ops

from kblocks.layers.attention.by_rows import by_rows
from kblocks.layers.attention.checks import check_positive
from kblocks.layers.grids.forget_bias import forget_bias
from kblocks.layers.recurrent.checks import checked_input


class LSTM2DGates(NamedTuple):
    """What the gates of a 2D LSTM let through, and the candidate: one tensor of units each."""

    input: Any
    forget_up: Any
    forget_left: Any
    candidate: Any
    output: Any


class Weights2D(NamedTuple):
    """The weights of one gate: of the state above, of the state on the left, of the input."""

    W_up: Any
    W_left: Any
    W_x: Any
    b: Any


@keras.saving.register_keras_serializable("kblocks")
class LSTM2DCell(keras.layers.Layer):
    """One pixel of a long short-term memory in two dimensions, its gates in the open.

    The gates lie side by side in the weights: input, forget_up, forget_left, candidate, output;
    the peepholes are (4, units): input, forget_up, forget_left, output. A cell sees no mask; the
    layer around it does.

    Args:
        units: The size of the state and of the memory.
        peepholes: Whether the gates see the memories.
        unit_forget_bias: Whether the biases of both forget gates begin at 1, else at 0. Both gates
            together let 2 sigmoid(1) = 1.46 of the memory through then, which explodes on images.
        kernel_initializer: Of the weights of the inputs.
        recurrent_initializer: Of the weights of each of the two states.

    Call arguments:
        inputs: Floats (..., channels), with any number of axes before the channels.
        states: The state and the memory above, then those on the left: `[h_up, c_up, h_left,
            c_left]`, each (..., units).

    Returns:
        The new state h (..., units), and the list of the new h and c.

    Raises:
        ValueError: An argument or an input does not fit the above.

    Example:

    >>> import keras
    >>> from kblocks.layers import LSTM2DCell
    >>> cell = LSTM2DCell(4)
    >>> x, zeros = keras.ops.ones((2, 3)), keras.ops.zeros((2, 4))
    >>> h, [_, c] = cell(x, [zeros] * 4)
    >>> gates = cell.gates(x, [zeros] * 4)
    >>> bool(keras.ops.all(keras.ops.isclose(c, gates.input * gates.candidate)))
    True
    >>> keras.ops.convert_to_numpy(cell.weights_of("forget_left").b).tolist()
    [0.0, 0.0, 0.0, 0.0]

    References:
        Graves, Fernandez and Schmidhuber (2007), "Multi-Dimensional Recurrent Neural Networks".
    """

    def __init__(
        self,
        units: int,
        peepholes: bool = False,
        unit_forget_bias: bool = False,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive("units", units)
        self.units = units
        self.peepholes = peepholes
        self.unit_forget_bias = unit_forget_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.recurrent_initializer = keras.initializers.get(recurrent_initializer)

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Check `inputs`, then run the cell."""
        kernel = self.kernel if self.built else None
        axes = tuple(f"axis {k}" for k in range(len(inputs.shape) - 1)) or ("batch",)
        return super().__call__(checked_input("inputs", inputs, axes, kernel), *args, **kwargs)

    def build(self, inputs_shape: tuple, states_shape: Any = None) -> None:
        def recurrent(name: str) -> Any:
            # A copy with a seed of its own: one initializer would give the same weights twice.
            return self.add_weight(
                shape=(self.units, 5 * self.units),
                initializer=self.recurrent_initializer.clone(),
                name=name,
            )

        self.kernel = self.add_weight(
            shape=(inputs_shape[-1], 5 * self.units),
            initializer=self.kernel_initializer,
            name="kernel",
        )
        self.recurrent_kernel_up = recurrent("recurrent_kernel_up")
        self.recurrent_kernel_left = recurrent("recurrent_kernel_left")
        self.bias = self.add_weight(
            shape=(5 * self.units,),
            initializer=forget_bias(self.units, 2, self.unit_forget_bias),
            name="bias",
        )
        if self.peepholes:
            self.peephole_kernel = self.add_weight(
                shape=(4, self.units), initializer="zeros", name="peephole_kernel"
            )

    def project(self, inputs: Any) -> Any:
        """W_x x + b of all gates side by side, (..., 5 * units): what needs no state."""
        return by_rows(lambda x: ops.matmul(x, self.kernel), inputs) + self.bias

    def gates(self, inputs: Any, states: Any) -> LSTM2DGates:
        """The gates after `inputs` (..., channels) with `states` as in a call."""
        return self._gates(self.project(inputs), states)

    def _gates(self, z: Any, states: Any) -> LSTM2DGates:
        h_up, c_up, h_left, c_left = states
        z = z + by_rows(lambda h: ops.matmul(h, self.recurrent_kernel_up), h_up)
        z = z + by_rows(lambda h: ops.matmul(h, self.recurrent_kernel_left), h_left)
        z_i, z_u, z_l, z_c, z_o = ops.split(z, 5, axis=-1)
        if self.peepholes:
            p_i, p_u, p_l, p_o = ops.unstack(ops.convert_to_tensor(self.peephole_kernel), 4)
            z_i, z_u, z_l = z_i + p_i * (c_up + c_left), z_u + p_u * c_up, z_l + p_l * c_left
        i, u, l = ops.sigmoid(z_i), ops.sigmoid(z_u), ops.sigmoid(z_l)  # noqa: E741
        g = ops.tanh(z_c)
        if self.peepholes:
            z_o = z_o + p_o * (u * c_up + l * c_left + i * g)
        return LSTM2DGates(i, u, l, g, ops.sigmoid(z_o))

    def step(self, z: Any, states: Any) -> tuple[list[Any], LSTM2DGates]:
        """From what `project` gave to the new state and memory, and the gates that made them."""
        _, c_up, _, c_left = states
        gates = self._gates(z, states)
        c = gates.forget_up * c_up + gates.forget_left * c_left + gates.input * gates.candidate
        return [gates.output * ops.tanh(c), c], gates

    def call(self, inputs: Any, states: Any) -> tuple[Any, list[Any]]:
        [h, c], _ = self.step(self.project(inputs), states)
        return h, [h, c]

    def compute_output_shape(self, inputs_shape: Any, states_shape: Any = None) -> tuple:
        """The shapes of the output and of the states."""
        state = (*inputs_shape[:-1], self.units)
        return state, [state, state]

    def weights_of(self, gate: str) -> Weights2D:
        """The weights of one gate as the equations have them: `W_up`, `W_left`, `W_x`, `b`.

        Args:
            gate: "input", "forget_up", "forget_left", "candidate" or "output".
        """
        if gate not in LSTM2DGates._fields:
            raise ValueError(f"`gate` must be one of {LSTM2DGates._fields}, got {gate!r}.")
        k = LSTM2DGates._fields.index(gate)
        columns = slice(k * self.units, (k + 1) * self.units)
        W_up, W_left = self.recurrent_kernel_up, self.recurrent_kernel_left
        parts = (W_up[:, columns], W_left[:, columns], self.kernel[:, columns])
        return Weights2D(*parts, self.bias[columns])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "peepholes": self.peepholes,
            "unit_forget_bias": self.unit_forget_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "recurrent_initializer": keras.initializers.serialize(self.recurrent_initializer),
        }
