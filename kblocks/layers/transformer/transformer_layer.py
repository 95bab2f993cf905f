"""What the layers of the Transformer's encoder and decoder have in common.

Each sub-layer, an attention or the feed-forward network, stands in a residual connection with a
layer normalisation, Vaswani et al. (2017), sections 3.1 and 5.4, https://arxiv.org/abs/1706.03762:

    post: y = LayerNorm(x + Dropout(Sublayer(x)))
    pre:  y = x + Dropout(Sublayer(LayerNorm(x)))          Xiong et al. (2020), arXiv:2002.04745
"""

from typing import Any

import keras

from kblocks.layers.attention.checks import (
    check_fraction,
    check_positive,
    check_sequence,
    check_sequence_shape,
)
from kblocks.layers.attention.dropout import Dropout
from kblocks.layers.attention.multi_head_attention import MultiHeadAttention
from kblocks.layers.transformer.activations import get_activation, serialize_activation
from kblocks.layers.transformer.feed_forward import FeedForward
from kblocks.layers.transformer.layer_normalization import LayerNormalization

Tensor = Any

NORMS = ("post", "pre")


class TransformerLayer(keras.layers.Layer):
    """The base of both: the arguments, the parts, and what is around each sub-layer."""

    def __init__(
        self,
        num_heads: int,
        intermediate_dim: int,
        key_dim: int | None = None,
        activation: Any = "relu",
        dropout: float = 0.1,
        attention_dropout: float = 0.0,
        activation_dropout: float = 0.0,
        norm: str = "post",
        epsilon: float = 1e-6,
        kernel_initializer: Any = "glorot_uniform",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive("num_heads", num_heads)
        check_positive("intermediate_dim", intermediate_dim)
        if key_dim is not None:
            check_positive("key_dim", key_dim)
        check_fraction("dropout", dropout)
        check_fraction("attention_dropout", attention_dropout)
        check_fraction("activation_dropout", activation_dropout)
        if norm not in NORMS:
            raise ValueError(f"`norm` must be one of {NORMS}, got {norm!r}.")
        check_positive("epsilon", epsilon, float)
        self.supports_masking = True
        self.num_heads = num_heads
        self.intermediate_dim = intermediate_dim
        self.key_dim = key_dim
        self.activation = get_activation(activation)
        self.dropout = dropout
        self.attention_dropout = attention_dropout
        self.activation_dropout = activation_dropout
        self.norm = norm
        self.epsilon = epsilon
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.seed = seed
        self.drop = Dropout(dropout, seed=seed, dtype=self.dtype_policy)

    def _attention(self, name: str, inputs_shape: tuple, memory_shape: tuple) -> MultiHeadAttention:
        width = inputs_shape[2]
        if self.key_dim is None and width % self.num_heads:
            raise ValueError(
                "`num_heads` must divide the width of `inputs` where no `key_dim` is given, got "
                f"{self.num_heads} heads and a width of {width}."
            )
        layer = MultiHeadAttention(
            self.num_heads,
            self.key_dim or width // self.num_heads,
            dropout=self.attention_dropout,
            output_shape=width,
            kernel_initializer=self.kernel_initializer,
            seed=self.seed,
            dtype=self.dtype_policy,
            name=name,
        )
        layer.build(inputs_shape, memory_shape)
        return layer

    def _normalization(self, name: str, inputs_shape: tuple) -> LayerNormalization:
        layer = LayerNormalization(self.epsilon, dtype=self.dtype_policy, name=name)
        layer.build(inputs_shape)
        return layer

    def _feed_forward(self, inputs_shape: tuple) -> FeedForward:
        layer = FeedForward(
            self.intermediate_dim,
            self.activation,
            self.activation_dropout,
            self.kernel_initializer,
            self.seed,
            dtype=self.dtype_policy,
            name="feed_forward",
        )
        layer.build(inputs_shape)
        return layer

    def _build_parts(self, inputs_shape: tuple) -> None:
        """What both layers have."""
        check_sequence_shape("inputs", inputs_shape)
        self._features = inputs_shape[2]
        self.self_attention = self._attention("self_attention", inputs_shape, inputs_shape)
        self.self_attention_norm = self._normalization("self_attention_norm", inputs_shape)
        self.feed_forward = self._feed_forward(inputs_shape)
        self.feed_forward_norm = self._normalization("feed_forward_norm", inputs_shape)
        self.drop.build(inputs_shape)

    def before(self, x: Tensor, norm: LayerNormalization) -> Tensor:
        """What a sub-layer reads: x, or LayerNorm(x)."""
        return norm(x) if self.norm == "pre" else x

    def after(
        self, x: Tensor, y: Tensor, norm: LayerNormalization, training: bool | None = False
    ) -> Tensor:
        """What follows when a sub-layer has said y to x: LayerNorm(x + Dropout(y)), or the sum."""
        x = x + (self.drop(y, training=training) if self.dropout else y)
        return norm(x) if self.norm == "post" else x

    def feed(self, x: Tensor, training: bool | None = False) -> Tensor:
        """The last sub-layer, the feed-forward network."""
        y = self.feed_forward(self.before(x, self.feed_forward_norm), training=training)
        return self.after(x, y, self.feed_forward_norm, training)

    def empty_cache(self, batch: Any, length: int) -> Any:
        """As `MultiHeadAttention.empty_cache`, for the attention of this layer to its past."""
        return self.self_attention.empty_cache(batch, length)

    def check_inputs(self, inputs: Tensor) -> None:
        """Raise unless `inputs` is floating (batch, time, features)."""
        check_sequence("inputs", inputs, self._features)

    def weights_spec(self, target: int | None, source: int | None, batch: int | None) -> Any:
        """What `return_attention_scores` adds, for each attention."""
        return keras.KerasTensor((batch, self.num_heads, target, source), dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "intermediate_dim": self.intermediate_dim,
            "key_dim": self.key_dim,
            "activation": serialize_activation(self.activation),
            "dropout": self.dropout,
            "attention_dropout": self.attention_dropout,
            "activation_dropout": self.activation_dropout,
            "norm": self.norm,
            "epsilon": self.epsilon,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "seed": self.seed,
        }
