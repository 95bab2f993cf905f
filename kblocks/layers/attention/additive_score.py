"""The additive score of Bahdanau, Cho and Bengio (2015), https://arxiv.org/abs/1409.0473.

score(q, k) = v^T tanh(W_q q + W_k k)        (appendix A.1.2: v_a, W_a, U_a)
"""

from typing import Any

import keras
from keras import ops

from kblocks.layers.attention.alignment_score import AlignmentScore, Tensor
from kblocks.layers.attention.by_rows import by_rows
from kblocks.layers.attention.checks import check_positive


@keras.saving.register_keras_serializable("kblocks")
class AdditiveScore(AlignmentScore):
    """Additive alignment score: v^T tanh(W_q q + W_k k).

    Queries and keys may differ in size. Masks are the attention layer's matter.

    Args:
        units: Size of the hidden layer; by default the size of the keys.
        kernel_initializer: Initializer of W_q, W_k and v.

    Call arguments:
        query: Floats (batch, target, query features).
        key: Floats (batch, source, key features).

    Returns:
        Scores (batch, target, source), in the layer's compute dtype.

    Raises:
        ValueError: `units` is not a positive integer, or an input is not a floating-point
            (batch, time, features).

    Example:

    >>> import keras
    >>> from kblocks.layers import AdditiveScore
    >>> score = AdditiveScore(8)
    >>> score(keras.ops.ones((2, 3, 4)), keras.ops.ones((2, 5, 6))).shape
    TensorShape([2, 3, 5])

    References:
        Bahdanau, Cho and Bengio (2015), "Neural Machine Translation by Jointly Learning to Align
        and Translate", appendix A.1.2.
    """

    def __init__(
        self,
        units: int | None = None,
        kernel_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if units is not None:
            check_positive("units", units)
        self.units = units
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, query_shape: tuple, key_shape: tuple) -> None:
        super().build(query_shape, key_shape)
        units = self.units or key_shape[2]
        self.W_q = self._dense(units, "W_q")
        self.W_q.build(query_shape)
        self.W_k = self._dense(units, "W_k")
        self.W_k.build(key_shape)
        self.v = self.add_weight(shape=(units,), initializer=self.kernel_initializer, name="v")

    def _dense(self, units: int, name: str) -> keras.layers.Dense:
        initializer = keras.initializers.get(self.kernel_initializer).clone()
        return keras.layers.Dense(
            units,
            use_bias=False,
            kernel_initializer=initializer,
            dtype=self.dtype_policy,
            name=name,
        )

    def project(self, key: Tensor) -> Tensor:
        return self.W_k(key)

    def align(self, query: Tensor, keys: Tensor) -> Tensor:
        query = ops.expand_dims(by_rows(self.W_q, query), 2)  # (batch, target, 1, units)
        keys = ops.expand_dims(keys, 1)  # (batch, 1, source, units)
        hidden = ops.tanh(query + keys)  # (batch, target, source, units)
        v = ops.expand_dims(ops.cast(self.v, hidden.dtype), 1)  # (units, 1)
        return ops.squeeze(by_rows(lambda rows: ops.matmul(rows, v), hidden), -1)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
        }
