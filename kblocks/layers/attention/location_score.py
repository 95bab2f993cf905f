"""The location-based score of Luong, Pham and Manning (2015), https://arxiv.org/abs/1508.04025.

score(q, s) = (W q)_s        (equation 8: a_t = softmax(W_a h_t))
"""

from typing import Any

import keras
from keras import ops

from kblocks.layers.attention.alignment_score import AlignmentScore, Tensor
from kblocks.layers.attention.by_rows import by_rows
from kblocks.layers.attention.checks import check_positive


@keras.saving.register_keras_serializable("kblocks")
class LocationScore(AlignmentScore):
    """Location-based alignment score: (W q)_s, whatever the key at position s holds.

    The keys only say how many source positions there are. Masks are the attention layer's matter.

    Args:
        max_length: The largest number of source positions.
        kernel_initializer: Initializer of W.

    Call arguments:
        query: Floats (batch, target, query features).
        key: Floats (batch, source, key features), at most `max_length` positions.

    Returns:
        Scores (batch, target, source), in the layer's compute dtype.

    Raises:
        ValueError: `max_length` is not a positive integer, `key` is longer than that, or an input
            is not a floating-point (batch, time, features).

    Example:

    >>> import keras
    >>> from kblocks.layers import LocationScore
    >>> score = LocationScore(max_length=10)
    >>> score(keras.ops.ones((2, 3, 4)), keras.ops.ones((2, 5, 6))).shape
    TensorShape([2, 3, 5])

    References:
        Luong, Pham and Manning (2015), "Effective Approaches to Attention-based Neural Machine
        Translation", equation 8.
    """

    def __init__(
        self, max_length: int, kernel_initializer: Any = "glorot_uniform", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        check_positive("max_length", max_length)
        self.max_length = max_length
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, query_shape: tuple, key_shape: tuple) -> None:
        super().build(query_shape, key_shape)
        self._check_length(key_shape)
        self.W = self.add_weight(
            shape=(query_shape[2], self.max_length),
            initializer=self.kernel_initializer,
            name="W",
        )

    def _check_length(self, key_shape: tuple) -> None:
        if key_shape[1] is not None and key_shape[1] > self.max_length:
            raise ValueError(
                f"`key` must have at most max_length={self.max_length} positions, "
                f"got {tuple(key_shape)}."
            )

    def align(self, query: Tensor, keys: Tensor) -> Tensor:
        self._check_length(keys.shape)
        W = ops.cast(self.W, query.dtype)
        scores = by_rows(lambda rows: ops.matmul(rows, W), query)  # (batch, target, max_length)
        return scores[:, :, : ops.shape(keys)[1]]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "max_length": self.max_length,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
