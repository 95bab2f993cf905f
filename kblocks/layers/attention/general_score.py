"""The general, or bilinear, score of Luong, Pham and Manning (2015), https://arxiv.org/abs/1508.04025.

score(q, k) = q^T W k        (section 3.1)
"""

from typing import Any

import keras
from keras import ops

from kblocks.layers.attention.alignment_score import AlignmentScore, Tensor


@keras.saving.register_keras_serializable("kblocks")
class GeneralScore(AlignmentScore):
    """General (bilinear) alignment score: q^T W k.

    Queries and keys may differ in size. Masks are the attention layer's matter.

    Args:
        kernel_initializer: Initializer of W.

    Call arguments:
        query: Floats (batch, target, query features).
        key: Floats (batch, source, key features).

    Returns:
        Scores (batch, target, source), in the layer's compute dtype.

    Raises:
        ValueError: An input is not a floating-point (batch, time, features).

    Example:

    >>> import keras
    >>> from kblocks.layers import GeneralScore
    >>> score = GeneralScore()
    >>> score(keras.ops.ones((2, 3, 4)), keras.ops.ones((2, 5, 6))).shape
    TensorShape([2, 3, 5])

    References:
        Luong, Pham and Manning (2015), "Effective Approaches to Attention-based Neural Machine
        Translation", section 3.1.
    """

    def __init__(self, kernel_initializer: Any = "glorot_uniform", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, query_shape: tuple, key_shape: tuple) -> None:
        super().build(query_shape, key_shape)
        self.W = keras.layers.Dense(
            query_shape[2],
            use_bias=False,
            kernel_initializer=self.kernel_initializer,
            dtype=self.dtype_policy,
            name="W",
        )
        self.W.build(key_shape)

    def project(self, key: Tensor) -> Tensor:
        return self.W(key)  # (batch, source, query features)

    def align(self, query: Tensor, keys: Tensor) -> Tensor:
        return ops.matmul(query, ops.transpose(keys, (0, 2, 1)))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
