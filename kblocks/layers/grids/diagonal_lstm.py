"""One direction of the Diagonal BiLSTM; equations and paper in `diagonal_bilstm`."""

from typing import Any

import keras
from keras import ops

from kblocks.layers.attention.by_rows import by_rows
from kblocks.layers.grids.diagonals import scan_diagonals
from kblocks.layers.grids.forget_bias import forget_bias
from kblocks.layers.recurrent.lstm_cell import LSTMGates


class DiagonalLSTM(keras.layers.Layer):
    """The layer from the top left corner: `(h, gates)` from an image and a checked mask.

    The gates lie side by side in the weights: input, forget, candidate, output.
    """

    def __init__(self, units: int, unit_forget_bias: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.unit_forget_bias = unit_forget_bias

    def build(self, inputs_shape: tuple[int | None, ...]) -> None:
        """Create the weights for inputs of (batch, height, width, channels)."""
        units = self.units
        self.kernel = self.add_weight(shape=(inputs_shape[-1], 4 * units), name="kernel")
        self.recurrent_kernel = self.add_weight(
            shape=(2, units, 4 * units), initializer="glorot_uniform", name="recurrent_kernel"
        )
        self.bias = self.add_weight(
            shape=(4 * units,),
            initializer=forget_bias(units, 1, self.unit_forget_bias),
            name="bias",
        )

    def call(self, inputs: Any, pixel_mask: Any = None) -> Any:
        K_up, K_left = ops.unstack(ops.convert_to_tensor(self.recurrent_kernel), 2)

        def step(z: Any, above: Any, left: Any) -> Any:
            z = z + by_rows(lambda h: ops.matmul(h, K_up), above[0])
            z = z + by_rows(lambda h: ops.matmul(h, K_left), left[0])
            z_i, z_f, z_g, z_o = ops.split(z, 4, axis=-1)
            i, f, g, o = ops.sigmoid(z_i), ops.sigmoid(z_f), ops.tanh(z_g), ops.sigmoid(z_o)
            c = f * left[1] + i * g
            return [o * ops.tanh(c), c], [i, f, g, o]

        z = by_rows(lambda x: ops.matmul(x, self.kernel), inputs) + self.bias
        h, _, gates = scan_diagonals(step, z, pixel_mask, self.units)
        return h, LSTMGates(*gates)

    def compute_output_shape(self, inputs_shape: Any) -> Any:
        """The shapes of the states and of the gates."""
        shape = (*inputs_shape[:3], self.units)
        return shape, LSTMGates(*[shape] * 4)
