"""Attention over any alignment score, after Bahdanau, Cho and Bengio (2015), arXiv:1409.0473.

e_ts = score(q_t, k_s)                        (equation 6: e_ij)
a_ts = exp(e_ts) / sum_s' exp(e_ts')          (equation 6: alpha_ij)
c_t = sum_s a_ts v_s                          (equation 5)
"""

from typing import Any

import keras
from keras import ops

from kblocks.layers.attention.checks import (
    check_fraction,
    check_same_length,
    check_sequence,
    check_sequence_shape,
)
from kblocks.layers.attention.get_score import get_score
from kblocks.layers.attention.masked_softmax import combine_masks, masked_softmax

Tensor = Any


@keras.saving.register_keras_serializable("kblocks")
class Attention(keras.layers.Layer):
    """Soft attention: score the keys, normalise, and sum the values by the weights.

    The Keras masks of `value` and `key` are honoured: no weight falls on a masked position, and a
    query without any position left gets zeros. The query's mask passes through to the output. The
    softmax runs in float32 under half precision.

    In a decoder loop `project` does once what does not depend on the query, and `attend` the rest
    in every step: `layer(q, value=v)` equals `layer.attend(q, layer.project(v), v)[0]`.

    Args:
        score: The alignment score: `"additive"`, `"content"`, `"dot"`, `"general"`, `"location"`,
            `"scaled_dot"`, or a score layer.
        max_length: The largest source length; needed by `score="location"`, unused otherwise.
        dropout: Fraction of the weights dropped in training.
        seed: Seed of the dropout.

    Call arguments:
        query: Floats (batch, target, query features).
        value: Floats (batch, source, value features).
        key: Floats (batch, source, key features); by default `value`.
        attention_mask: Booleans (batch, source) or (batch, target, source), true where attention
            may go.
        return_attention_scores: Return the weights, too.
        training: Whether dropout is on.

    Returns:
        The context (batch, target, value features); with `return_attention_scores=True` a pair of
        it and the weights (batch, target, source) before dropout. Both in the compute dtype.

    Raises:
        ValueError: An argument or an input does not fit the above.

    Example:

    >>> import keras
    >>> from kblocks.layers import Attention
    >>> query, memory = keras.ops.ones((2, 3, 4)), keras.ops.ones((2, 5, 4))
    >>> context, weights = Attention("dot")(query, value=memory, return_attention_scores=True)
    >>> context.shape, weights.shape
    (TensorShape([2, 3, 4]), TensorShape([2, 3, 5]))

    References:
        Bahdanau, Cho and Bengio (2015), "Neural Machine Translation by Jointly Learning to Align
        and Translate", equations 5 and 6.
    """

    def __init__(
        self,
        score: Any = "dot",
        max_length: int | None = None,
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_fraction("dropout", dropout)
        self.supports_masking = True
        self.score = get_score(score, max_length, dtype=self.dtype_policy)
        self.max_length = max_length
        self.dropout = dropout
        self.seed = seed
        self.weight_dropout = keras.layers.Dropout(dropout, seed=seed, dtype=self.dtype_policy)

    def build(self, query_shape: tuple, value_shape: tuple, key_shape: tuple | None = None) -> None:
        key_shape = key_shape or value_shape
        check_sequence_shape("query", query_shape)
        check_sequence_shape("value", value_shape)
        check_sequence_shape("key", key_shape)
        check_same_length(key_shape, value_shape)
        self._features = (query_shape[2], value_shape[2], key_shape[2])
        if not self.score.built:
            self.score.build(query_shape, key_shape)
        self.weight_dropout.build((*query_shape[:2], key_shape[1]))
        self.built = True

    def project(self, key: Tensor) -> Tensor:
        """Do once what does not depend on the query.

        Args:
            key: Floats (batch, source, key features).

        Returns:
            What `attend` takes as `keys`, (batch, source, ...).
        """
        return self.score.project(key)

    def attend(
        self,
        query: Tensor,
        keys: Tensor,
        value: Tensor,
        mask: Tensor | None = None,
        training: bool | None = False,
    ) -> tuple[Tensor, Tensor]:
        """Attend to `value` by keys that are already projected; the layer must be built.

        Args:
            query: Floats (batch, target, query features).
            keys: What `project` returned.
            value: Floats (batch, source, value features).
            mask: Booleans (batch, source) or (batch, target, source), true where attention may go.
            training: Whether dropout is on.

        Returns:
            The context (batch, target, value features) and the weights (batch, target, source).
        """
        weights = self._weights(query, keys, mask)
        weights = ops.cast(weights, value.dtype)
        return ops.matmul(self._drop(weights, training), value), weights

    def _weights(self, query: Tensor, keys: Tensor, mask: Tensor | None) -> Tensor:
        return masked_softmax(self.score.align(query, keys), combine_masks(mask))

    def _drop(self, weights: Tensor, training: bool | None) -> Tensor:
        return self.weight_dropout(weights, training=training) if self.dropout else weights

    def call(
        self,
        query: Tensor,
        *,
        value: Tensor,
        key: Tensor | None = None,
        attention_mask: Tensor | None = None,
        value_mask: Tensor | None = None,
        key_mask: Tensor | None = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
    ) -> Tensor | tuple[Tensor, Tensor]:
        key = value if key is None else key
        self._check(query, value, key)
        mask = combine_masks(attention_mask, value_mask, key_mask)
        output, weights = self.attend(query, self.project(key), value, mask, training)
        return (output, weights) if return_attention_scores else output

    def _check(self, query: Tensor, value: Tensor, key: Tensor) -> None:
        query_features, value_features, key_features = self._features
        check_sequence("query", query, query_features)
        check_sequence("value", value, value_features)
        check_sequence("key", key, key_features)
        check_same_length(key.shape, value.shape)

    def compute_output_shape(
        self, query_shape: tuple, value_shape: tuple, key_shape: tuple | None = None
    ) -> tuple:
        return (*query_shape[:2], value_shape[2])

    def compute_output_spec(
        self,
        query: Tensor,
        *,
        value: Tensor,
        key: Tensor | None = None,
        return_attention_scores: bool = False,
        **kwargs: Any,
    ) -> Any:
        self._check(query, value, value if key is None else key)
        shape = self.compute_output_shape(query.shape, value.shape)
        output = keras.KerasTensor(shape, dtype=self.compute_dtype)
        if not return_attention_scores:
            return output
        weights_shape = (*query.shape[:2], value.shape[1])
        return output, keras.KerasTensor(weights_shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "score": keras.saving.serialize_keras_object(self.score),
            "max_length": self.max_length,
            "dropout": self.dropout,
            "seed": self.seed,
        }
