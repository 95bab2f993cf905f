"""Learned positions of Gehring et al. (2017), https://arxiv.org/abs/1705.03122, section 3.1.

y_pos = x_pos + p_pos        with a row p_0, p_1, ... of learned weights for each position
"""

from typing import Any

import keras
from keras import ops

from kblocks.backend import known_values
from kblocks.layers.attention.checks import check_positive, check_sequence, check_sequence_shape
from kblocks.layers.attention.initial import fresh
from kblocks.layers.transformer.positions import positions_from

Tensor = Any


@keras.saving.register_keras_serializable("kblocks")
class LearnedPositionEmbedding(keras.layers.Layer):
    """Add a learned vector for each position, up to a largest length.

    Positions count from the left, and padding counts as well, which makes no difference to what is
    padded on the right. The mask passes through.

    Args:
        max_length: The number of positions.
        embeddings_initializer: For the vectors.

    Call arguments:
        inputs: Floats (batch, time, features).
        start: The number of the first position, 0 by default: an integer, a scalar tensor, or
            integers (batch,), one a row. A decoder at step t says t.

    Returns:
        (batch, time, features), in the compute dtype. In a graph whose time is free, what stands
        beyond the last position comes back as NaN: there is no vector for it.

    Raises:
        ValueError: An argument or an input does not fit the above, or a position is beyond
            `max_length`, where that is known.

    Example:

    >>> import keras
    >>> from kblocks.layers import LearnedPositionEmbedding
    >>> layer, x = LearnedPositionEmbedding(max_length=3), keras.ops.zeros((2, 3, 4))
    >>> bool(keras.ops.all(layer(x[:, 1:], start=1) == layer(x)[:, 1:]))
    True

    References:
        Gehring et al. (2017), "Convolutional Sequence to Sequence Learning", section 3.1; Vaswani
        et al. (2017), "Attention Is All You Need", section 3.5 and table 3 (E).
    """

    def __init__(
        self, max_length: int, embeddings_initializer: Any = "uniform", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        check_positive("max_length", max_length)
        self.max_length = max_length
        self.embeddings_initializer = keras.initializers.get(embeddings_initializer)
        self.supports_masking = True

    def build(self, inputs_shape: tuple) -> None:
        check_sequence_shape("inputs", inputs_shape)
        self._features = inputs_shape[2]
        self.embeddings = self.add_weight(
            shape=(self.max_length, inputs_shape[2]),
            initializer=fresh(self.embeddings_initializer),
            name="embeddings",
        )
        self.built = True

    def call(self, inputs: Tensor, start: Any = 0) -> Tensor:
        self._check(inputs, start)
        inputs = ops.cast(inputs, self.compute_dtype)
        positions = positions_from(start, inputs)
        within = ops.expand_dims(positions < self.max_length, -1)
        embeddings = ops.cast(self.embeddings, inputs.dtype)
        rows = ops.take(embeddings, ops.minimum(positions, self.max_length - 1), axis=0)
        return inputs + ops.where(within, rows, float("nan"))

    def _check(self, inputs: Tensor, start: Any = 0) -> None:
        check_sequence("inputs", inputs, self._features)
        first, time = known_values(start), inputs.shape[1]
        if first is not None and time is not None and first.max() + time > self.max_length:
            raise ValueError(
                f"`inputs` must end within max_length={self.max_length} positions, got {time} "
                f"positions from {first.max()} on."
            )

    def compute_output_shape(self, inputs_shape: tuple) -> tuple:
        return tuple(inputs_shape)

    def compute_output_spec(self, inputs: Tensor, start: Any = 0, **kwargs: Any) -> Any:
        self._check(inputs, start)
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "max_length": self.max_length,
            "embeddings_initializer": keras.initializers.serialize(self.embeddings_initializer),
        }
