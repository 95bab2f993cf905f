"""The Row LSTM of van den Oord, Kalchbrenner and Kavukcuoglu (2016), section 3.1 and equation 3,
https://arxiv.org/abs/1601.06759.

A row of an image is one step, and what the steps hand on is convolved along the row (*):

    [o_i, f_i, i_i, g_i] = sigma(K_ss * h_{i-1} + K_is * x_i + b)      sigma: tanh for g_i
    c_i = f_i c_{i-1} + i_i g_i
    h_i = o_i tanh(c_i)

K_ss may look to both sides, since the row above is known; K_is is masked, so that a pixel sees
itself (kind B) and what is left of it in its own row.

What reaches a pixel is a triangle that widens upwards, by (kernel_size - 1) / 2 pixels a row, and
of its own row the (kernel_size - 1) / 2 pixels on its left: beside the triangle it is blind.
"""

import math
from typing import Any

import keras
from keras import ops

from kblocks.backend import scan
from kblocks.layers.attention.by_rows import by_rows
from kblocks.layers.attention.checks import check_positive
from kblocks.layers.convolution.images import checked_image, checked_pixel_mask, hide
from kblocks.layers.convolution.masked_conv_2d import KINDS, MaskedConv2D
from kblocks.layers.grids.forget_bias import forget_bias
from kblocks.layers.recurrent.lstm_cell import LSTMGates


@keras.saving.register_keras_serializable("kblocks")
class RowLSTM(keras.layers.Layer):
    """A long short-term memory that reads an image row by row, from the top.

    No pixel sees one after it in raster order, and not all before it: see above. The gates lie side
    by side in the weights: input, forget, candidate, output.

    Masking: a masked pixel passes nothing on, as if it were outside of the image; output and gates
    are zero there, and the mask goes on with the outputs.

    Args:
        units: The size of the state and of the memory.
        kernel_size: The width of both convolutions along a row, an odd number.
        kind: Whether a pixel sees itself: `"B"`, it does; `"A"`, it does not, for a first layer.
        return_gates: Whether the gates come back as well; the output is the same.
        unit_forget_bias: Whether the bias of the forget gate begins at 1, else at 0.

    Call arguments:
        inputs: Floats (batch, height, width, channels).
        mask: Booleans (batch, height, width), true where there is a pixel.

    Returns:
        The states h of all pixels (batch, height, width, units); with `return_gates=True` followed
        by `LSTMGates(input, forget, candidate, output)`, each of that shape. All in the compute
        dtype.

    Raises:
        ValueError: An argument or an input does not fit the above.

    Example:

    >>> import keras
    >>> from kblocks.layers import RowLSTM
    >>> tuple(RowLSTM(4)(keras.ops.ones((2, 5, 6, 3))).shape)
    (2, 5, 6, 4)

    References:
        van den Oord, Kalchbrenner and Kavukcuoglu (2016), "Pixel Recurrent Neural Networks".
    """

    def __init__(
        self,
        units: int,
        kernel_size: int = 3,
        kind: str = "B",
        return_gates: bool = False,
        unit_forget_bias: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive("units", units)
        check_positive("kernel_size", kernel_size)
        if kernel_size % 2 == 0:
            raise ValueError(f"`kernel_size` must be odd, got {kernel_size!r}.")
        if kind not in KINDS:
            raise ValueError(f"`kind` must be one of {KINDS}, got {kind!r}.")
        self.units = units
        self.kernel_size = kernel_size
        self.kind = kind
        self.return_gates = return_gates
        self.unit_forget_bias = unit_forget_bias
        self.supports_masking = True
        self.input_to_state = MaskedConv2D(
            4 * units,
            (1, kernel_size),
            kind,
            bias_initializer=forget_bias(units, 1, unit_forget_bias),
            dtype=self.dtype_policy,
            name="input_to_state",
        )

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Check `inputs`, then run the layer."""
        channels = self.input_to_state.kernel.shape[2] if self.built else None
        return super().__call__(checked_image("inputs", inputs, channels), *args, **kwargs)

    def build(self, inputs_shape: tuple[int | None, ...]) -> None:
        self.input_to_state.build(inputs_shape)
        self.recurrent_kernel = self.add_weight(
            shape=(self.kernel_size, self.units, 4 * self.units),
            initializer="glorot_uniform",
            name="recurrent_kernel",
        )

    def call(self, inputs: Any, mask: Any = None) -> Any:
        mask = None if mask is None else checked_pixel_mask(mask, inputs)
        z = self.input_to_state(hide(inputs, mask))  # K_is * x + b, of all rows at once
        batch, _, width, _ = ops.shape(z)
        reach = self.kernel_size // 2
        # The convolution along a row as one product of each pixel's neighbourhood.
        K_ss = ops.reshape(self.recurrent_kernel, (self.kernel_size * self.units, 4 * self.units))
        K_ss = ops.cast(K_ss, z.dtype)

        def row(states: list[Any], x: list[Any]) -> tuple[list[Any], list[Any]]:
            h, c = states
            wide = ops.pad(h, [[0, 0], [reach, reach], [0, 0]])
            near = [wide[:, k : k + width] for k in range(self.kernel_size)]
            z = x[0] + by_rows(lambda near: ops.matmul(near, K_ss), ops.concatenate(near, axis=-1))
            z_i, z_f, z_g, z_o = ops.split(z, 4, axis=-1)
            i, f, g, o = ops.sigmoid(z_i), ops.sigmoid(z_f), ops.tanh(z_g), ops.sigmoid(z_o)
            c = f * c + i * g
            ys = [o * ops.tanh(c), c, i, f, g, o]
            if mask is not None:
                ys = [ops.where(x[1], y, 0) for y in ys]
            return ys[:2], [ys[0], *ys[2:]]

        xs = [ops.swapaxes(z, 0, 1)]  # (height, batch, width, 4 * units)
        if mask is not None:
            xs.append(ops.swapaxes(ops.expand_dims(mask, -1), 0, 1))
        zeros = ops.zeros((batch, width, self.units), z.dtype)
        _, ys = scan(row, [zeros, zeros], xs)
        h, *gates = (ops.swapaxes(y, 0, 1) for y in ys)
        return (h, LSTMGates(*gates)) if self.return_gates else h

    def compute_output_shape(self, inputs_shape: tuple[int | None, ...]) -> Any:
        """The shapes of what a call returns."""
        shape = (*inputs_shape[:3], self.units)
        return (shape, LSTMGates(*[shape] * 4)) if self.return_gates else shape

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The mask with each output."""
        if mask is None or not self.return_gates:
            return mask
        return mask, LSTMGates(*[mask] * 4)

    def count_seen(self) -> int:
        """How many weights there are without those that the mask leaves out."""
        return self.input_to_state.count_seen() + math.prod(self.recurrent_kernel.shape)

    def get_config(self) -> dict[str, Any]:
        names = ("units", "kernel_size", "kind", "return_gates", "unit_forget_bias")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
