"""The long short-term memory of Hochreiter and Schmidhuber (1997), doi:10.1162/neco.1997.9.8.1735,
with the forget gate of Gers, Schmidhuber and Cummins (2000), doi:10.1162/089976600300015015.

    i_t = sigmoid(W_i [h_{t-1}, x_t] + b_i)          what to write
    f_t = sigmoid(W_f [h_{t-1}, x_t] + b_f)          what to keep
    g_t = tanh(W_c [h_{t-1}, x_t] + b_c)             the candidate
    o_t = sigmoid(W_o [h_{t-1}, x_t] + b_o)          what to show
    c_t = f_t * c_{t-1} + i_t * g_t
    h_t = o_t * tanh(c_t)

With peepholes (Gers and Schmidhuber 2000, doi:10.1109/IJCNN.2000.861302) the gates see the memory
too: p_i * c_{t-1} is added in i_t, p_f * c_{t-1} in f_t, and p_o * c_t in o_t.
"""

from typing import Any, NamedTuple

import keras
from keras import ops

from kblocks.layers.recurrent.checked import CheckedCell
from kblocks.layers.recurrent.checks import check_cell_arguments
from kblocks.layers.recurrent.simple_rnn_cell import Weights


class LSTMGates(NamedTuple):
    """What the gates of an LSTM let through, and the candidate: one tensor of units each."""

    input: Any
    forget: Any
    candidate: Any
    output: Any


@keras.saving.register_keras_serializable("kblocks")
class LSTMCell(CheckedCell, keras.layers.LSTMCell):
    """One step of a long short-term memory, its gates in the open.

    The weights lie as in `keras.layers.LSTMCell` (input, forget, candidate, output side by side)
    and go from one to the other with `get_weights` and `set_weights`; peepholes add a last weight,
    (3, units): input, forget, output. A cell sees no mask; the layer around it does.

    Args:
        units: The size of the state and of the memory.
        peepholes: Whether the gates see the memory.
        dropout: The share of the inputs set to zero in training, the same at every step.
        recurrent_dropout: The share of the state's entries hidden from the gates in training: one
            mask for all steps and gates (the tied variant of Gal and Ghahramani 2016).
        **kwargs: All other arguments of `keras.layers.LSTMCell`; `unit_forget_bias=True` starts
            the forget gate with a bias of 1.

    Call arguments:
        inputs: (batch, features).
        states: The state h and the memory c, each (batch, units).
        training: Whether dropout is on.

    Returns:
        The new state h (batch, units), and the list of the new h and c.

    Raises:
        ValueError: If `units` or a dropout rate is out of range.

    Example:

    >>> import numpy as np
    >>> import kblocks
    >>> cell = kblocks.layers.LSTMCell(4)
    >>> x, (h, c) = np.ones((2, 3), "float32"), cell.get_initial_state(2)
    >>> h_new, [_, c_new] = cell(x, [h, c])
    >>> gates = cell.gates(x, h)
    >>> bool(np.allclose(c_new, gates.forget * c + gates.input * gates.candidate))
    True
    >>> [float(b) for b in cell.weights_of("forget").b]
    [1.0, 1.0, 1.0, 1.0]

    References:
        Hochreiter and Schmidhuber (1997), "Long Short-Term Memory"; Gers et al. (2000), "Learning
        to Forget"; Gers and Schmidhuber (2000), "Recurrent Nets that Time and Count".
    """

    def __init__(
        self,
        units: int,
        peepholes: bool = False,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        check_cell_arguments(units, dropout, recurrent_dropout)
        super().__init__(units, dropout=dropout, recurrent_dropout=recurrent_dropout, **kwargs)
        self.peepholes = peepholes
        self.dropout_mask_count = None  # one mask for all gates

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights for inputs of (batch, features)."""
        super().build(input_shape)
        if self.peepholes:
            self.peephole_kernel = self.add_weight(
                shape=(3, self.units), name="peephole_kernel", initializer="zeros"
            )

    def gates(self, inputs: Any, h: Any, c: Any = None, training: bool = False) -> LSTMGates:
        """The gates after `inputs` (batch, features) with the state `h` (batch, units) before.

        `c`, the memory before, is needed with peepholes only.
        """
        if self.peepholes and c is None:
            raise ValueError("`c` is needed by the gates of an LSTM with peepholes, got None.")
        if training and self.dropout:
            inputs = inputs * self.get_dropout_mask(inputs)
        if training and self.recurrent_dropout:
            h = h * self.get_recurrent_dropout_mask(h)
        # The four products W [h, x] + b in one, the gates side by side: (batch, 4 * units)
        z = ops.matmul(h, self.recurrent_kernel) + ops.matmul(inputs, self.kernel)
        if self.use_bias:
            z = z + self.bias
        z_i, z_f, z_c, z_o = ops.split(z, 4, axis=-1)
        if self.peepholes:
            p_i, p_f, p_o = ops.unstack(ops.convert_to_tensor(self.peephole_kernel), 3)
            z_i, z_f = z_i + p_i * c, z_f + p_f * c
        i = self.recurrent_activation(z_i)
        f = self.recurrent_activation(z_f)
        g = self.activation(z_c)
        if self.peepholes:
            z_o = z_o + p_o * (f * c + i * g)
        o = self.recurrent_activation(z_o)
        return LSTMGates(i, f, g, o)

    def step(self, inputs: Any, states: Any, training: bool = False) -> tuple[list[Any], LSTMGates]:
        """The new state and memory, and the gates that made them."""
        h, c = states
        gates = self.gates(inputs, h, c, training)
        c = gates.forget * c + gates.input * gates.candidate
        h = gates.output * self.activation(c)
        return [h, c], gates

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple[Any, list[Any]]:
        """The new state as the output, and the list of state and memory."""
        [h, c], _ = self.step(inputs, states, training)
        return h, [h, c]

    def compute_output_shape(self, inputs_shape: Any, states_shape: Any = None) -> tuple:
        """The shapes of the output and of the states."""
        state = (inputs_shape[0], self.units)
        return state, [state, state]

    def weights_of(self, gate: str) -> Weights:
        """The weights of one gate as the equations have them: `W_h`, `W_x`, `b`.

        Args:
            gate: "input", "forget", "candidate" or "output".
        """
        if gate not in LSTMGates._fields:
            raise ValueError(f"`gate` must be one of {LSTMGates._fields}, got {gate!r}.")
        k = LSTMGates._fields.index(gate)
        columns = slice(k * self.units, (k + 1) * self.units)
        bias = self.bias[columns] if self.use_bias else None
        return Weights(self.recurrent_kernel[:, columns], self.kernel[:, columns], bias)

    def get_config(self) -> dict[str, Any]:
        """The constructor arguments."""
        return {**super().get_config(), "peepholes": self.peepholes}
