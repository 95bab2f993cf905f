"""The position encoding of Vaswani et al. (2017), section 3.5, https://arxiv.org/abs/1706.03762.

PE(pos, 2i) = sin(pos / 10000^(2i / d_model))
PE(pos, 2i + 1) = cos(pos / 10000^(2i / d_model))
"""

from typing import Any

import keras
from keras import ops

from kblocks.layers.attention.checks import check_positive, check_sequence, check_sequence_shape
from kblocks.layers.transformer.positions import positions_from

Tensor = Any


@keras.saving.register_keras_serializable("kblocks")
class SinusoidalPositionEncoding(keras.layers.Layer):
    """Add waves of growing length to the features, which tell the positions apart.

    Of any length; the encoding is computed in float32 at least. Positions count from the left, and
    padding counts as well, which makes no difference to what is padded on the right. The mask
    passes through. The paper multiplies the embeddings by sqrt(d_model) before: that is up to the
    model.

    Args:
        max_wavelength: The longest wave, divided by 2 pi.

    Call arguments:
        inputs: Floats (batch, time, features).
        start: The number of the first position, 0 by default: an integer, a scalar tensor, or
            integers (batch,), one a row. A decoder at step t says t.

    Returns:
        (batch, time, features), in the compute dtype.

    Raises:
        ValueError: An argument or an input does not fit the above.

    Example:

    >>> import keras
    >>> from kblocks.layers import SinusoidalPositionEncoding
    >>> layer, x = SinusoidalPositionEncoding(), keras.ops.zeros((1, 2, 4))
    >>> keras.ops.convert_to_numpy(layer(x))[0].astype("float64").round(4).tolist()
    [[0.0, 1.0, 0.0, 1.0], [0.8415, 0.5403, 0.01, 0.9999]]
    >>> float(layer(x[:, 1:], start=1)[0, 0, 1]) == float(layer(x)[0, 1, 1])
    True

    References:
        Vaswani et al. (2017), "Attention Is All You Need", section 3.5.
    """

    def __init__(self, max_wavelength: float = 10000.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_positive("max_wavelength", max_wavelength, float)
        self.max_wavelength = max_wavelength
        self.supports_masking = True

    def build(self, inputs_shape: tuple) -> None:
        check_sequence_shape("inputs", inputs_shape)
        self._features = inputs_shape[2]
        self.built = True

    def call(self, inputs: Tensor, start: Any = 0) -> Tensor:
        check_sequence("inputs", inputs, self._features)
        inputs = ops.cast(inputs, self.compute_dtype)
        return inputs + ops.cast(self.encode(positions_from(start, inputs)), inputs.dtype)

    def encode(self, positions: Tensor) -> Tensor:
        """PE of integers (batch, time): (batch, time, features), in float32 at least."""
        d_model = self._features
        dtype = keras.backend.result_type(self.compute_dtype, "float32")
        i = ops.arange((d_model + 1) // 2, dtype=dtype)
        lengths = ops.power(ops.cast(self.max_wavelength, dtype), 2 * i / d_model)
        angles = ops.expand_dims(ops.cast(positions, dtype), -1) / lengths  # (batch, time, pairs)
        waves = ops.stack([ops.sin(angles), ops.cos(angles)], axis=-1)
        pairs = (*ops.shape(angles)[:2], 2 * angles.shape[2])
        return ops.reshape(waves, pairs)[:, :, :d_model]

    def compute_output_shape(self, inputs_shape: tuple) -> tuple:
        return tuple(inputs_shape)

    def compute_output_spec(self, inputs: Tensor, **kwargs: Any) -> Any:
        check_sequence("inputs", inputs, self._features)
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "max_wavelength": self.max_wavelength}
