"""The gated recurrent unit of Cho et al. (2014), arXiv:1406.1078, equations 5 to 8.

    z_t = sigmoid(W_z [h_{t-1}, x_t] + b_z)          the update gate: what to keep
    r_t = sigmoid(W_r [h_{t-1}, x_t] + b_r)          the reset gate
    g_t = tanh(W_x x_t + W_h (r_t * h_{t-1}) + b)    the candidate
    h_t = z_t * h_{t-1} + (1 - z_t) * g_t

With `reset_after` (the variant of cuDNN, and Keras' default) the reset gate acts after the product,
which then has a bias of its own: g_t = tanh(W_x x_t + b + r_t * (W_h h_{t-1} + b_h)).
"""

from typing import Any, NamedTuple

import keras
from keras import ops

from kblocks.layers.recurrent.checked import CheckedCell
from kblocks.layers.recurrent.checks import check_cell_arguments


class GRUGates(NamedTuple):
    """What the gates of a GRU let through, and the candidate: one tensor of units each."""

    update: Any
    reset: Any
    candidate: Any


class GRUWeights(NamedTuple):
    """The weights of one gate, as products from the right."""

    W_h: Any  # (units, units)
    W_x: Any  # (features, units)
    b: Any  # (units,), None without a bias
    b_h: Any  # (units,), the bias of the product with h; None unless `reset_after`


@keras.saving.register_keras_serializable("kblocks")
class GRUCell(CheckedCell, keras.layers.GRUCell):
    """One step of a gated recurrent unit, its gates in the open.

    The weights lie as in `keras.layers.GRUCell` (update, reset, candidate side by side) and go from
    one to the other with `get_weights` and `set_weights`. A cell sees no mask; the layer around it
    does.

    Args:
        units: The size of the state.
        reset_after: Whether the reset gate acts after the product with `W_h` (cuDNN) or before it
            (the paper).
        dropout: The share of the inputs set to zero in training, the same at every step.
        recurrent_dropout: The share of the state's entries hidden from the gates in training: one
            mask for all steps and gates (the tied variant of Gal and Ghahramani 2016).
        **kwargs: All other arguments of `keras.layers.GRUCell`.

    Call arguments:
        inputs: (batch, features).
        states: One tensor (batch, units) in a list.
        training: Whether dropout is on.

    Returns:
        The new state (batch, units), as the output and in a list.

    Raises:
        ValueError: If `units` or a dropout rate is out of range.

    Example:

    >>> import numpy as np
    >>> import kblocks
    >>> cell = kblocks.layers.GRUCell(4)
    >>> x, [h] = np.ones((2, 3), "float32"), cell.get_initial_state(2)
    >>> h_new, _ = cell(x, [h])
    >>> z, r, g = cell.gates(x, h)
    >>> bool(np.allclose(h_new, z * h + (1 - z) * g))
    True

    References:
        Cho et al. (2014), "Learning Phrase Representations using RNN Encoder-Decoder for
        Statistical Machine Translation", equations 5 to 8.
    """

    def __init__(
        self,
        units: int,
        reset_after: bool = True,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        check_cell_arguments(units, dropout, recurrent_dropout)
        super().__init__(
            units,
            reset_after=reset_after,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            **kwargs,
        )
        self.dropout_mask_count = None  # one mask for all gates

    def gates(self, inputs: Any, h: Any, training: bool = False) -> GRUGates:
        """The gates after `inputs` (batch, features) with the state `h` (batch, units) before."""
        if training and self.dropout:
            inputs = inputs * self.get_dropout_mask(inputs)
        if training and self.recurrent_dropout:
            h = h * self.get_recurrent_dropout_mask(h)
        # The products of the gates side by side: (batch, 3 * units)
        x = ops.matmul(inputs, self.kernel)
        if self.use_bias:
            x = x + (self.bias[0] if self.reset_after else self.bias)
        x_z, x_r, x_g = ops.split(x, 3, axis=-1)
        if self.reset_after:
            s = ops.matmul(h, self.recurrent_kernel)
            if self.use_bias:
                s = s + self.bias[1]
            h_z, h_r, h_g = ops.split(s, 3, axis=-1)
            z = self.recurrent_activation(x_z + h_z)
            r = self.recurrent_activation(x_r + h_r)
            g = self.activation(x_g + r * h_g)
        else:
            W_zr, W_g = ops.split(self.recurrent_kernel, [2 * self.units], axis=1)
            h_z, h_r = ops.split(ops.matmul(h, W_zr), 2, axis=-1)
            z = self.recurrent_activation(x_z + h_z)
            r = self.recurrent_activation(x_r + h_r)
            g = self.activation(x_g + ops.matmul(r * h, W_g))
        return GRUGates(z, r, g)

    def step(self, inputs: Any, states: Any, training: bool = False) -> tuple[list[Any], GRUGates]:
        """The new state, and the gates that made it."""
        h = states[0]
        gates = self.gates(inputs, h, training)
        h = gates.update * h + (1 - gates.update) * gates.candidate
        return [h], gates

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple[Any, list[Any]]:
        """The new state, as the output and in a list."""
        [h], _ = self.step(inputs, states, training)
        return h, [h]

    def compute_output_shape(self, inputs_shape: Any, states_shape: Any = None) -> tuple:
        """The shapes of the output and of the states."""
        state = (inputs_shape[0], self.units)
        return state, [state]

    def weights_of(self, gate: str) -> GRUWeights:
        """The weights of one gate as the equations have them: `W_h`, `W_x`, `b`, `b_h`.

        Args:
            gate: "update", "reset" or "candidate".
        """
        if gate not in GRUGates._fields:
            raise ValueError(f"`gate` must be one of {GRUGates._fields}, got {gate!r}.")
        k = GRUGates._fields.index(gate)
        columns = slice(k * self.units, (k + 1) * self.units)
        b = b_h = None
        if self.use_bias and self.reset_after:
            b, b_h = self.bias[0, columns], self.bias[1, columns]
        elif self.use_bias:
            b = self.bias[columns]
        return GRUWeights(self.recurrent_kernel[:, columns], self.kernel[:, columns], b, b_h)
