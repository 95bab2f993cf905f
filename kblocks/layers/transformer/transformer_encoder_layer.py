"""A layer of the Transformer's encoder, Vaswani et al. (2017), https://arxiv.org/abs/1706.03762.

x = LayerNorm(x + MultiHead(x, x, x))        (section 3.1, post-norm; pre-norm: `TransformerLayer`)
y = LayerNorm(x + FFN(x))

With `causal=True` a position sees none after it: then it is a layer of GPT (Radford et al. 2018),
the Transformer's decoder without its attention to an encoder.
"""

from typing import Any

import keras

from kblocks.layers.attention.key_value import KeyValue
from kblocks.layers.transformer.transformer_layer import TransformerLayer

Tensor = Any


@keras.saving.register_keras_serializable("kblocks")
class TransformerEncoderLayer(TransformerLayer):
    """Self-attention and a feed-forward network, each in a residual connection.

    The Keras mask is honoured and passed on: no position attends to a masked one. With
    `norm="pre"` a stack wants one more `LayerNormalization` behind its last layer.

    With `causal=True` the layer steps through a text: `step` with a cache gives at every position
    what a call on the whole gives there.

    Args:
        num_heads: The number of heads; it divides the width unless `key_dim` is given.
        intermediate_dim: The size within the feed-forward network.
        key_dim: The size of a head; by default the width divided by `num_heads`.
        activation: As in `FeedForward`; `"gelu"` is exact, `"gelu_tanh"` the approximation.
        dropout: Fraction dropped of each sub-layer's output, before it is added.
        attention_dropout: Fraction dropped of the attention's weights.
        activation_dropout: Fraction dropped within the feed-forward network.
        norm: `"post"` as in the paper, or `"pre"`.
        epsilon: Of the layer normalisations.
        causal: Whether a position sees only those up to its own.
        kernel_initializer: For all projections.
        seed: Seed of the dropouts.

    Call arguments:
        inputs: Floats (batch, time, features).
        attention_mask: Booleans (batch, time), (batch, time, time) or (batch, heads, time, time),
            true where attention may go; beside the Keras mask.
        mask: Booleans (batch, time), true where there is something: the Keras mask.
        return_attention_scores: Return the attention's weights, too.
        training: Whether dropout is on.

    Returns:
        (batch, time, features); with `return_attention_scores=True` a pair of it and the weights
        (batch, heads, time, time). Both in the compute dtype.

    Raises:
        ValueError: An argument or an input does not fit the above.

    Example:

    >>> import keras
    >>> from kblocks.layers import TransformerEncoderLayer
    >>> layer = TransformerEncoderLayer(num_heads=2, intermediate_dim=16)
    >>> output, weights = layer(keras.ops.ones((2, 5, 8)), return_attention_scores=True)
    >>> output.shape, weights.shape
    (TensorShape([2, 5, 8]), TensorShape([2, 2, 5, 5]))

    References:
        Vaswani et al. (2017), "Attention Is All You Need", section 3.1; Xiong et al. (2020), "On
        Layer Normalization in the Transformer Architecture" (pre-norm).
    """

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
        causal: bool = False,
        kernel_initializer: Any = "glorot_uniform",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            num_heads,
            intermediate_dim,
            key_dim,
            activation,
            dropout,
            attention_dropout,
            activation_dropout,
            norm,
            epsilon,
            kernel_initializer,
            seed,
            **kwargs,
        )
        self.causal = causal

    def build(self, inputs_shape: tuple) -> None:
        self._build_parts(inputs_shape)
        self.built = True

    def call(
        self,
        inputs: Tensor,
        attention_mask: Tensor | None = None,
        mask: Tensor | None = None,
        inputs_mask: Tensor | None = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
    ) -> Tensor | tuple[Tensor, Tensor]:
        self.check_inputs(inputs)
        x = self.before(inputs, self.self_attention_norm)
        y, weights = self.self_attention(
            x,
            x,
            attention_mask=attention_mask,
            # Keras names the mask after the input where `attention_mask` is a tensor, too.
            value_mask=inputs_mask if mask is None else mask,
            use_causal_mask=self.causal,
            return_attention_scores=True,
            training=training,
        )
        x = self.after(inputs, y, self.self_attention_norm, training)
        x = self.feed(x, training)
        return (x, weights) if return_attention_scores else x

    def step(
        self, inputs: Tensor, cache: KeyValue, position: Any, attention_mask: Tensor | None = None
    ) -> tuple[Tensor, KeyValue]:
        """Read new positions of a causal layer; see `MultiHeadAttention.step`.

        Args:
            inputs: Floats (batch, new, features): one new position, or a whole prompt.
            cache: What `empty_cache` or the last step returned.
            position: Where the first of them stands: an integer or integers (batch,).
            attention_mask: Booleans over the cache's positions, (batch, length) or more.

        Returns:
            The output (batch, new, features), and the cache.
        """
        if not self.causal:
            raise ValueError("`step` needs a layer with `causal=True`, got `causal=False`.")
        x = self.before(inputs, self.self_attention_norm)
        y, cache = self.self_attention.step(x, cache, position, attention_mask)
        return self.feed(self.after(inputs, y, self.self_attention_norm)), cache

    def compute_output_shape(self, inputs_shape: tuple) -> tuple:
        return tuple(inputs_shape)

    def compute_output_spec(
        self, inputs: Tensor, return_attention_scores: bool = False, **kwargs: Any
    ) -> Any:
        self.check_inputs(inputs)
        output = keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)
        batch, time, _ = inputs.shape
        return (output, self.weights_spec(time, time, batch)) if return_attention_scores else output

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "causal": self.causal}
