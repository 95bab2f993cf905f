"""Multi-head attention of Vaswani et al. (2017), https://arxiv.org/abs/1706.03762.

Attention(Q, K, V) = softmax(Q K^T / sqrt(d_k)) V                      (equation 1)
head_i = Attention(Q W_i^Q, K W_i^K, V W_i^V)                          (section 3.2.2)
MultiHead(Q, K, V) = Concat(head_1, ..., head_h) W^O
"""

from typing import Any

import keras
from keras import ops

from kblocks.layers.attention.checks import (
    check_fraction,
    check_positive,
    check_same_length,
    check_sequence,
    check_sequence_shape,
)
from kblocks.layers.attention.dropout import Dropout
from kblocks.layers.attention.head_masks import both, causal_mask, head_mask, not_after
from kblocks.layers.attention.heads import from_heads, to_heads
from kblocks.layers.attention.initial import fresh, of_matrix
from kblocks.layers.attention.key_value import KeyValue, write
from kblocks.layers.attention.scaled_dot_product import scaled_dot_product

Tensor = Any


@keras.saving.register_keras_serializable("kblocks")
class MultiHeadAttention(keras.layers.Layer):
    """Several attentions side by side, each with its own projections of query, key and value.

    The weights lie as in `keras.layers.MultiHeadAttention` and go from one to the other with
    `get_weights` and `set_weights`. The Keras masks of `value` and `key` are honoured: no weight
    falls on a masked position, and a query without any position left reads zeros. The query's mask
    passes through to the output. The softmax runs in float32 under half precision.

    A decoder projects what it attends to once, and then reads it at every step:
    `layer(q, v)` equals `layer.attend(q, layer.project_memory(v))[0]`. Where it attends to its own
    past, `step` keeps the projections of all positions so far in a cache of a fixed length: the
    steps over `x[:, t:t+1]` give what `layer(x, x, use_causal_mask=True)` gives at once.

    Args:
        num_heads: The number of heads h.
        key_dim: The size d_k of each head's queries and keys.
        value_dim: The size d_v of each head's values; by default `key_dim`.
        dropout: Fraction of the weights dropped in training.
        use_bias: Whether the projections have biases.
        output_shape: The size of the output; by default that of the query.
        kernel_initializer: For the projections, each one drawn as the matrix of all heads.
        bias_initializer: For the biases.
        seed: Seed of the dropout.

    Call arguments:
        query: Floats (batch, target, query features).
        value: Floats (batch, source, value features).
        key: Floats (batch, source, key features); by default `value`.
        attention_mask: Booleans (batch, source), (batch, target, source) or (batch, heads, target,
            source), true where attention may go.
        return_attention_scores: Return the weights, too.
        use_causal_mask: Whether a query sees only the positions up to its own.
        training: Whether dropout is on.

    Returns:
        (batch, target, output size); with `return_attention_scores=True` a pair of it and the
        weights (batch, heads, target, source) before dropout. Both in the compute dtype.

    Raises:
        ValueError: An argument or an input does not fit the above.

    Example:

    >>> import keras
    >>> from kblocks.layers import MultiHeadAttention
    >>> layer = MultiHeadAttention(num_heads=2, key_dim=3)
    >>> x = keras.random.normal((2, 5, 4))
    >>> output, weights = layer(x, x, use_causal_mask=True, return_attention_scores=True)
    >>> output.shape, weights.shape
    (TensorShape([2, 5, 4]), TensorShape([2, 2, 5, 5]))
    >>> cache = layer.empty_cache(2, length=5)
    >>> for t in range(5):
    ...     last, cache = layer.step(x[:, t : t + 1], cache, t)
    >>> bool(keras.ops.max(keras.ops.abs(last - output[:, 4:])) < 1e-5)
    True

    References:
        Vaswani et al. (2017), "Attention Is All You Need", equation 1 and section 3.2.2.
    """

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: Any = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        value_dim = key_dim if value_dim is None else value_dim
        check_positive("num_heads", num_heads)
        check_positive("key_dim", key_dim)
        check_positive("value_dim", value_dim)
        check_fraction("dropout", dropout)
        self.supports_masking = True
        self.num_heads = num_heads
        self.key_dim = key_dim
        self.value_dim = value_dim
        self.dropout = dropout
        self.use_bias = use_bias
        self.output_dim = _one_size(output_shape)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.seed = seed
        self.weight_dropout = Dropout(dropout, seed=seed, dtype=self.dtype_policy)

    def build(self, query_shape: tuple, value_shape: tuple, key_shape: tuple | None = None) -> None:
        key_shape = key_shape or value_shape
        check_sequence_shape("query", query_shape)
        check_sequence_shape("value", value_shape)
        check_sequence_shape("key", key_shape)
        check_same_length(key_shape, value_shape)
        self._features = (query_shape[2], value_shape[2], key_shape[2])
        self.W_Q, self.b_Q = self._projection("query", query_shape[2], self.key_dim)
        self.W_K, self.b_K = self._projection("key", key_shape[2], self.key_dim)
        self.W_V, self.b_V = self._projection("value", value_shape[2], self.value_dim)
        output_dim = self.output_dim or query_shape[2]
        self.W_O = self.add_weight(
            shape=(self.num_heads, self.value_dim, output_dim),
            initializer=of_matrix(
                self.kernel_initializer, self.num_heads * self.value_dim, output_dim
            ),
            name="output_kernel",
        )
        self.b_O = self._bias("output", (output_dim,))
        self.weight_dropout.build((None, self.num_heads, None, None))
        self.built = True

    def _projection(self, name: str, features: int, size: int) -> tuple[Any, Any]:
        """W_1 ... W_h, (features, heads, size), and the bias."""
        kernel = self.add_weight(
            shape=(features, self.num_heads, size),
            initializer=of_matrix(self.kernel_initializer, features, self.num_heads * size),
            name=f"{name}_kernel",
        )
        return kernel, self._bias(name, (self.num_heads, size))

    def _bias(self, name: str, shape: tuple) -> Any:
        if not self.use_bias:
            return None
        initial = fresh(self.bias_initializer)
        return self.add_weight(shape=shape, initializer=initial, name=f"{name}_bias")

    def project_memory(self, value: Tensor, key: Tensor | None = None) -> KeyValue:
        """Do once what does not depend on the query; the layer must be built.

        Args:
            value: Floats (batch, source, value features).
            key: Floats (batch, source, key features); by default `value`.

        Returns:
            What `attend` takes as `memory`, for each head.
        """
        value = ops.cast(value, self.compute_dtype)
        key = value if key is None else ops.cast(key, self.compute_dtype)
        return KeyValue(to_heads(key, self.W_K, self.b_K), to_heads(value, self.W_V, self.b_V))

    def attend(
        self,
        query: Tensor,
        memory: KeyValue,
        mask: Tensor | None = None,
        training: bool | None = False,
    ) -> tuple[Tensor, Tensor]:
        """Attend to a memory that is already projected; the layer must be built.

        Args:
            query: Floats (batch, target, query features).
            memory: What `project_memory` or `step` returned.
            mask: Booleans as the call's `attention_mask`.
            training: Whether dropout is on.

        Returns:
            The output (batch, target, output size) and the weights (batch, heads, target, source).
        """
        if mask is not None:
            mask = head_mask("mask", mask, self._scores_shape(query.shape, memory.key.shape[2]))
        return self._attend(query, memory, mask, training)

    def _attend(
        self, query: Tensor, memory: KeyValue, mask: Tensor | None, training: bool | None
    ) -> tuple[Tensor, Tensor]:
        query = to_heads(ops.cast(query, self.compute_dtype), self.W_Q, self.b_Q)
        heads, weights = scaled_dot_product(query, *memory, mask, self._drop(training))
        return from_heads(heads, self.W_O, self.b_O), weights

    def _drop(self, training: bool | None) -> Any:
        if not self.dropout:
            return None
        return lambda weights: self.weight_dropout(weights, training=training)

    def empty_cache(self, batch: Any, length: int) -> KeyValue:
        """A cache for `length` positions, in which none has been written yet.

        Args:
            batch: The number of rows, an integer or a scalar tensor.
            length: The largest number of positions.

        Returns:
            Zeros (batch, heads, length, key_dim) and (batch, heads, length, value_dim).
        """
        check_positive("length", length)
        sizes = (self.key_dim, self.value_dim)
        return KeyValue(
            *(ops.zeros((batch, self.num_heads, length, n), self.compute_dtype) for n in sizes)
        )

    def step(
        self, query: Tensor, cache: KeyValue, position: Any, attention_mask: Tensor | None = None
    ) -> tuple[Tensor, KeyValue]:
        """Write the keys and values of new positions, and attend to all up to each of them.

        Args:
            query: Floats (batch, new, features), the new positions: one, or a whole prompt.
            cache: What `empty_cache` or the last step returned.
            position: Where the first new position stands: an integer, a scalar tensor, or integers
                (batch,), one a row.
            attention_mask: Booleans over the cache's positions, (batch, length) or more, for rows
                that are padded on the left.

        Returns:
            The output (batch, new, output size) and the cache with the new positions in it.
        """
        length, new = cache.key.shape[2], ops.shape(query)[1]
        if isinstance(position, int) and isinstance(new, int) and position + new > length:
            raise ValueError(
                f"`position` must leave room for {new} more in a cache of {length} positions, "
                f"got {position}."
            )
        first = ops.reshape(ops.convert_to_tensor(position, "int32"), (-1, 1))  # (batch or 1, 1)
        at = first + ops.arange(new, dtype="int32")
        cache = write(cache, self.project_memory(query), at)
        seen = not_after(at, length)  # (batch or 1, 1, new, length)
        if attention_mask is not None:
            shape = self._scores_shape(query.shape, length)
            seen = both(seen, head_mask("attention_mask", attention_mask, shape))
        output, _ = self._attend(query, cache, seen, training=False)
        return output, cache

    def _scores_shape(self, query_shape: tuple, source: int | None) -> tuple:
        return (query_shape[0], self.num_heads, query_shape[1], source)

    def call(
        self,
        query: Tensor,
        value: Tensor,
        key: Tensor | None = None,
        attention_mask: Tensor | None = None,
        query_mask: Tensor | None = None,
        value_mask: Tensor | None = None,
        key_mask: Tensor | None = None,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
        training: bool | None = None,
    ) -> Tensor | tuple[Tensor, Tensor]:
        self._check(query, value, value if key is None else key)
        masks = {"attention_mask": attention_mask, "value_mask": value_mask, "key_mask": key_mask}
        shape = self._scores_shape(query.shape, value.shape[1])
        mask = both(*(head_mask(n, m, shape) for n, m in masks.items() if m is not None))
        if use_causal_mask:
            mask = both(mask, causal_mask(ops.shape(query)[1], ops.shape(value)[1]))
        output, weights = self._attend(query, self.project_memory(value, key), mask, training)
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
        return (*query_shape[:2], self.output_dim or query_shape[2])

    def compute_output_spec(
        self,
        query: Tensor,
        value: Tensor,
        key: Tensor | None = None,
        attention_mask: Tensor | None = None,
        return_attention_scores: bool = False,
        **kwargs: Any,
    ) -> Any:
        self._check(query, value, value if key is None else key)
        weights_shape = self._scores_shape(query.shape, value.shape[1])
        output = keras.KerasTensor(
            self.compute_output_shape(query.shape, value.shape), dtype=self.compute_dtype
        )
        if not return_attention_scores:
            return output
        return output, keras.KerasTensor(weights_shape, dtype=self.compute_dtype)

    @property
    def output_shape(self) -> tuple:
        """(batch, target, output size), the first two free; Keras' summaries ask for it."""
        return (None, None, self.W_O.shape[-1] if self.built else self.output_dim)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "key_dim": self.key_dim,
            "value_dim": self.value_dim,
            "dropout": self.dropout,
            "use_bias": self.use_bias,
            "output_shape": self.output_dim,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "seed": self.seed,
        }


def _one_size(output_shape: Any) -> int | None:
    """The size that Keras takes as a number or as a tuple of one."""
    sizes = output_shape if isinstance(output_shape, (list, tuple)) else [output_shape]
    if len(sizes) != 1:
        raise ValueError(f"`output_shape` must be one size, got {output_shape!r}.")
    if sizes[0] is not None:
        check_positive("output_shape", sizes[0])
    return sizes[0]
