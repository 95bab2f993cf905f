"""The content-based score of Graves, Wayne and Danihelka (2014), https://arxiv.org/abs/1410.5401.

    K(q, k) = q^T k / (|q| |k|)             (equation 6)
    score(q, k) = beta K(q, k), beta > 0    (equation 5, before its softmax)

A cosine alone cannot concentrate: over T positions no weight exceeds e^2 / (e^2 + T - 1). Hence
the sharpness beta, learned here as exp(b) with one scalar b.
"""

import math
from typing import Any

import keras
from keras import ops

from kblocks.layers.attention.alignment_score import AlignmentScore, Tensor
from kblocks.layers.attention.checks import check_positive
from kblocks.layers.attention.masked_softmax import wide


@keras.saving.register_keras_serializable("kblocks")
class ContentScore(AlignmentScore):
    """Content-based alignment score: the cosine of query and key times a learned sharpness.

    Queries and keys have equal sizes; a zero vector scores zero. Norms are taken in float32 under
    half precision. Masks are the attention layer's matter.

    Args:
        initial_sharpness: The sharpness beta before training.

    Call arguments:
        query: Floats (batch, target, features).
        key: Floats (batch, source, features).

    Returns:
        Scores (batch, target, source), in the layer's compute dtype.

    Raises:
        ValueError: `initial_sharpness` is not a positive number, an input is not a floating-point
            (batch, time, features), or the two have different numbers of features.

    Example:

    >>> import keras
    >>> from kblocks.layers import ContentScore
    >>> key = keras.ops.array([[[2.0, 0.0], [0.0, 3.0], [-1.0, 0.0]]])
    >>> scores = ContentScore(initial_sharpness=1.0)(keras.ops.array([[[5.0, 0.0]]]), key)
    >>> keras.ops.convert_to_numpy(scores).tolist()
    [[[1.0, 0.0, -1.0]]]

    References:
        Graves, Wayne and Danihelka (2014), "Neural Turing Machines", equations 5 and 6.
    """

    same_features = True

    def __init__(self, initial_sharpness: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_positive("initial_sharpness", initial_sharpness, float)
        self.initial_sharpness = initial_sharpness

    def build(self, query_shape: tuple, key_shape: tuple) -> None:
        super().build(query_shape, key_shape)
        self.log_sharpness = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(math.log(self.initial_sharpness)),
            name="log_sharpness",
        )

    def project(self, key: Tensor) -> Tensor:
        return _unit_vectors(key)

    def align(self, query: Tensor, keys: Tensor) -> Tensor:
        cosine = ops.matmul(_unit_vectors(query), ops.transpose(keys, (0, 2, 1)))
        return ops.exp(ops.cast(self.log_sharpness, cosine.dtype)) * cosine

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "initial_sharpness": self.initial_sharpness}


def _unit_vectors(x: Tensor) -> Tensor:
    y = wide(x)
    squared_norm = ops.sum(ops.square(y), axis=-1, keepdims=True)
    return ops.cast(y * ops.rsqrt(ops.maximum(squared_norm, 1e-24)), x.dtype)
