"""The simple recurrent network of Elman (1990), doi:10.1207/s15516709cog1402_1.

h_t = tanh(W_h h_{t-1} + W_x x_t + b)
"""

from typing import Any, NamedTuple

import keras
from keras import ops

from kblocks.layers.recurrent.checked import CheckedCell
from kblocks.layers.recurrent.checks import check_cell_arguments


class Weights(NamedTuple):
    """The weights of one gate, as products from the right: `h @ W_h + x @ W_x + b`."""

    W_h: Any  # (units, units)
    W_x: Any  # (features, units)
    b: Any  # (units,), None without a bias


@keras.saving.register_keras_serializable("kblocks")
class SimpleRNNCell(CheckedCell, keras.layers.SimpleRNNCell):
    """One step of Elman's simple recurrent network.

    The weights lie as in `keras.layers.SimpleRNNCell` and go from one to the other with
    `get_weights` and `set_weights`. A cell sees no mask; the layer around it does.

    Args:
        units: The size of the state.
        dropout: The share of the inputs set to zero in training, the same at every step.
        recurrent_dropout: The share of the state's entries hidden from the product with `W_h` in
            training, the same at every step.
        **kwargs: All other arguments of `keras.layers.SimpleRNNCell`.

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
    >>> cell = kblocks.layers.SimpleRNNCell(4)
    >>> output, [h] = cell(np.ones((2, 3), "float32"), cell.get_initial_state(2))
    >>> tuple(output.shape)
    (2, 4)

    References:
        Elman (1990), "Finding Structure in Time".
    """

    def __init__(
        self, units: int, dropout: float = 0.0, recurrent_dropout: float = 0.0, **kwargs: Any
    ) -> None:
        check_cell_arguments(units, dropout, recurrent_dropout)
        super().__init__(units, dropout=dropout, recurrent_dropout=recurrent_dropout, **kwargs)

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple[Any, list[Any]]:
        """The new state, as the output and in a list."""
        x, h = inputs, states[0]
        if training and self.dropout:
            x = x * self.get_dropout_mask(x)
        if training and self.recurrent_dropout:
            h = h * self.get_recurrent_dropout_mask(h)
        z = ops.matmul(h, self.recurrent_kernel) + ops.matmul(x, self.kernel)
        if self.use_bias:
            z = z + self.bias
        h = self.activation(z)
        return h, [h]

    def compute_output_shape(self, inputs_shape: Any, states_shape: Any = None) -> tuple:
        """The shapes of the output and of the states."""
        state = (inputs_shape[0], self.units)
        return state, [state]

    def weights_of(self, gate: str = "state") -> Weights:
        """The weights as the equation has them: `W_h`, `W_x`, `b`."""
        if gate != "state":
            raise ValueError(f"`gate` must be 'state', got {gate!r}.")
        bias = self.bias[:] if self.use_bias else None
        return Weights(self.recurrent_kernel[:], self.kernel[:], bias)
