"""The dot-product score of Luong, Pham and Manning (2015), https://arxiv.org/abs/1508.04025.

score(q, k) = q^T k        (section 3.1)
"""

import keras
from keras import ops

from kblocks.layers.attention.alignment_score import AlignmentScore, Tensor


@keras.saving.register_keras_serializable("kblocks")
class DotScore(AlignmentScore):
    """Dot-product alignment score: q^T k.

    Queries and keys have equal sizes. Masks are the attention layer's matter.

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
    >>> from kblocks.layers import DotScore
    >>> scores = DotScore()(keras.ops.ones((1, 1, 4)), keras.ops.ones((1, 2, 4)))
    >>> keras.ops.convert_to_numpy(scores).tolist()
    [[[4.0, 4.0]]]

    References:
        Luong, Pham and Manning (2015), "Effective Approaches to Attention-based Neural Machine
        Translation", section 3.1.
    """

    same_features = True

    def align(self, query: Tensor, keys: Tensor) -> Tensor:
        return ops.matmul(query, ops.transpose(keys, (0, 2, 1)))
