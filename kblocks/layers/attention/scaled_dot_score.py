"""The scaled dot-product score of Vaswani et al. (2017), https://arxiv.org/abs/1706.03762.

score(q, k) = q^T k / sqrt(d_k)        (equation 1)
"""

import keras

from kblocks.layers.attention.alignment_score import Tensor
from kblocks.layers.attention.dot_score import DotScore


@keras.saving.register_keras_serializable("kblocks")
class ScaledDotScore(DotScore):
    """Scaled dot-product alignment score: q^T k / sqrt(d_k).

    Queries and keys have equal sizes d_k. Masks are the attention layer's matter.

    Call arguments:
        query: Floats (batch, target, features).
        key: Floats (batch, source, features).

    Returns:
        Scores (batch, target, source), in the layer's compute dtype.

    Raises:
        ValueError: An input is not a floating-point (batch, time, features), or the two have
            different numbers of features.

    Example:

    >>> import keras
    >>> from kblocks.layers import ScaledDotScore
    >>> scores = ScaledDotScore()(keras.ops.ones((1, 1, 4)), keras.ops.ones((1, 2, 4)))
    >>> keras.ops.convert_to_numpy(scores).tolist()
    [[[2.0, 2.0]]]

    References:
        Vaswani et al. (2017), "Attention Is All You Need", equation 1.
    """

    def align(self, query: Tensor, keys: Tensor) -> Tensor:
        return super().align(query * query.shape[-1] ** -0.5, keys)
