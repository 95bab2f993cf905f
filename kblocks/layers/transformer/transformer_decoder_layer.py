"""A layer of the Transformer's decoder, Vaswani et al. (2017), https://arxiv.org/abs/1706.03762.

x = LayerNorm(x + MultiHead(x, x, x))        each position sees itself and those before it
x = LayerNorm(x + MultiHead(x, m, m))        m is the encoder's output
y = LayerNorm(x + FFN(x))                    (section 3.1, post-norm; pre-norm: `TransformerLayer`)
"""

from typing import Any

import keras

from kblocks.layers.attention.checks import check_sequence, check_sequence_shape
from kblocks.layers.attention.key_value import KeyValue
from kblocks.layers.transformer.transformer_layer import TransformerLayer

Tensor = Any


@keras.saving.register_keras_serializable("kblocks")
class TransformerDecoderLayer(TransformerLayer):
    """Causal self-attention, attention to a memory, and a feed-forward network.

    The Keras masks of both inputs are honoured, that of the first passes on. With `norm="pre"` a
    stack wants one more `LayerNormalization` behind its last layer.

    A decoder projects the memory once and then goes step by step, with a cache of what it has read:

        memory = layer.project_memory(encoded)
        cache = layer.empty_cache(batch, length)
        y, cache, weights = layer.step(x[:, t:t+1], cache, t, memory, memory_mask)

    gives at every position t what `layer(x, encoded)` gives there.

    Args:
        num_heads: The number of heads; it divides the width unless `key_dim` is given.
        intermediate_dim: The size within the feed-forward network.
        key_dim: The size of a head; by default the width divided by `num_heads`.
        activation: As in `FeedForward`; `"gelu"` is exact, `"gelu_tanh"` the approximation.
        dropout: Fraction dropped of each sub-layer's output, before it is added.
        attention_dropout: Fraction dropped of the attentions' weights.
        activation_dropout: Fraction dropped within the feed-forward network.
        norm: `"post"` as in the paper, or `"pre"`.
        epsilon: Of the layer normalisations.
        kernel_initializer: For all projections.
        seed: Seed of the dropouts.

    Call arguments:
        inputs: Floats (batch, target, features).
        memory: The encoder's output, floats (batch, source, memory features).
        attention_mask: Booleans (batch, target), (batch, target, target) or (batch, heads, target,
            target) for the self-attention, beside the Keras mask and the causal one.
        cross_attention_mask: Booleans (batch, source), (batch, target, source) or (batch, heads,
            target, source) for the attention to the memory, beside its Keras mask.
        return_attention_scores: Return the weights of both attentions, too.
        training: Whether dropout is on.

    Returns:
        (batch, target, features); with `return_attention_scores=True` a triple of it, the weights
        of the self-attention (batch, heads, target, target) and those of the attention to the
        memory (batch, heads, target, source). All in the compute dtype.

    Raises:
        ValueError: An argument or an input does not fit the above.

    Example:

    >>> import keras
    >>> from kblocks.layers import TransformerDecoderLayer
    >>> layer = TransformerDecoderLayer(num_heads=2, intermediate_dim=16)
    >>> x, encoded = keras.random.normal((2, 3, 8)), keras.random.normal((2, 5, 8))
    >>> whole = layer(x, encoded)
    >>> memory, cache = layer.project_memory(encoded), layer.empty_cache(2, length=3)
    >>> for t in range(3):
    ...     last, cache, weights = layer.step(x[:, t : t + 1], cache, t, memory)
    >>> bool(keras.ops.max(keras.ops.abs(last - whole[:, 2:])) < 1e-5)
    True

    References:
        Vaswani et al. (2017), "Attention Is All You Need", section 3.1; Xiong et al. (2020), "On
        Layer Normalization in the Transformer Architecture" (pre-norm).
    """

    def build(self, inputs_shape: tuple, memory_shape: tuple) -> None:
        check_sequence_shape("memory", memory_shape)
        self._build_parts(inputs_shape)
        self._memory_features = memory_shape[2]
        self.cross_attention = self._attention("cross_attention", inputs_shape, memory_shape)
        self.cross_attention_norm = self._normalization("cross_attention_norm", inputs_shape)
        self.built = True

    def call(
        self,
        inputs: Tensor,
        memory: Tensor,
        attention_mask: Tensor | None = None,
        cross_attention_mask: Tensor | None = None,
        inputs_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
    ) -> Tensor | tuple[Tensor, Tensor, Tensor]:
        self._check(inputs, memory)
        x = self.before(inputs, self.self_attention_norm)
        y, self_weights = self.self_attention(
            x,
            x,
            attention_mask=attention_mask,
            value_mask=inputs_mask,
            use_causal_mask=True,
            return_attention_scores=True,
            training=training,
        )
        x = self.after(inputs, y, self.self_attention_norm, training)
        y, cross_weights = self.cross_attention(
            self.before(x, self.cross_attention_norm),
            memory,
            attention_mask=cross_attention_mask,
            value_mask=memory_mask,
            return_attention_scores=True,
            training=training,
        )
        x = self.after(x, y, self.cross_attention_norm, training)
        x = self.feed(x, training)
        return (x, self_weights, cross_weights) if return_attention_scores else x

    def project_memory(self, memory: Tensor) -> KeyValue:
        """What `step` reads of the encoder's output, computed once; the layer must be built.

        Args:
            memory: The encoder's output, floats (batch, source, memory features).
        """
        return self.cross_attention.project_memory(memory)

    def step(
        self,
        inputs: Tensor,
        cache: KeyValue,
        position: Any,
        memory: KeyValue,
        memory_mask: Tensor | None = None,
        attention_mask: Tensor | None = None,
    ) -> tuple[Tensor, KeyValue, Tensor]:
        """Read new target positions; see `MultiHeadAttention.step`.

        Args:
            inputs: Floats (batch, new, features): one new position, or the beginning of the target.
            cache: What `empty_cache` or the last step returned.
            position: Where the first of them stands: an integer or integers (batch,).
            memory: What `project_memory` returned.
            memory_mask: Booleans (batch, source), true where there is something.
            attention_mask: Booleans over the cache's positions, (batch, length) or more.

        Returns:
            The output (batch, new, features), the cache, and the weights of the attention to the
            memory (batch, heads, new, source).
        """
        x = self.before(inputs, self.self_attention_norm)
        y, cache = self.self_attention.step(x, cache, position, attention_mask)
        x = self.after(inputs, y, self.self_attention_norm)
        y, weights = self.cross_attention.attend(
            self.before(x, self.cross_attention_norm), memory, memory_mask
        )
        return self.feed(self.after(x, y, self.cross_attention_norm)), cache, weights

    def _check(self, inputs: Tensor, memory: Tensor) -> None:
        self.check_inputs(inputs)
        check_sequence("memory", memory, self._memory_features)

    def compute_output_shape(self, inputs_shape: tuple, memory_shape: tuple) -> tuple:
        return tuple(inputs_shape)

    def compute_output_spec(
        self, inputs: Tensor, memory: Tensor, return_attention_scores: bool = False, **kwargs: Any
    ) -> Any:
        self._check(inputs, memory)
        output = keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)
        if not return_attention_scores:
            return output
        batch, target, _ = inputs.shape
        sources = (target, memory.shape[1])
        return (output, *(self.weights_spec(target, source, batch) for source in sources))
