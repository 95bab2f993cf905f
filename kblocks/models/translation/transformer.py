r"""The Transformer: Vaswani et al. 2017, "Attention is all you need" (arXiv:1706.03762).

    x = sqrt(d) E y + PE                        embeddings (section 3.4), positions (3.5)
    m = encoder layers of x of the source       self-attention, feed-forward
    h = decoder layers of x of the target       self-attention to the past, attention to m, ...
    p(y_t) = softmax(E h_t)                     one matrix E for source, target and output

There is no recurrence: training computes all target positions at once. Decoding keeps the keys and
values of what was said, and those of m.
"""

from typing import Any, NamedTuple

import keras
from keras import ops

from kblocks import tokens
from kblocks.layers import (
    SinusoidalPositionEncoding,
    TransformerDecoderLayer,
    TransformerEncoderLayer,
)
from kblocks.layers.attention.checks import check_positive
from kblocks.layers.transformer.activations import get_activation, serialize_activation
from kblocks.layers.transformer.layer_normalization import LayerNormalization
from kblocks.models.ids import checked_ids
from kblocks.models.translation.translator import Translator

Tree = Any
Tensor = Any

SIZES: dict[str, dict[str, Any]] = {
    # Wu et al. 2021 (arXiv:2105.14462), table 1
    "tiny": {"layers": 4, "embedding_dim": 128, "num_heads": 4, "intermediate_dim": 256},
    # Vaswani et al. 2017, table 3
    "base": {"layers": 6, "embedding_dim": 512, "num_heads": 8, "intermediate_dim": 2048},
    "big": {"layers": 6, "embedding_dim": 1024, "num_heads": 16, "intermediate_dim": 4096},
}


class TransformerHeads(NamedTuple):
    """The attention weights of all layers and heads, (batch, layers, heads, ...)."""

    encoder: Tensor  # (..., source, source)
    decoder: Tensor  # (..., target, target)
    cross: Tensor  # (..., target, source)


@keras.saving.register_keras_serializable("kblocks")
class TransformerTranslator(Translator):
    """Encoder and decoder of attention and feed-forward layers.

    `TransformerTranslator.of_size("base", 37000)` is the paper's.

    Args:
        source_vocabulary_size: Number of source ids.
        target_vocabulary_size: Number of target ids.
        layers: Layers of the encoder, and of the decoder.
        embedding_dim: The width d of the embeddings and of all layers, divisible by `num_heads`.
        num_heads: Heads of each attention.
        intermediate_dim: The width within the feed-forward networks.
        dropout: Fraction dropped while training, of the embeddings and of each sub-layer's output.
        attention_dropout: Fraction dropped of the attention weights.
        activation_dropout: Fraction dropped within the feed-forward networks.
        norm: `"post"` as the paper, or `"pre"`: where the layer normalisations stand.
        activation: Of the feed-forward networks.
        tie_embeddings: `"none"`, `"target"` or, as the paper, `"all"`.

    Call arguments:
        inputs: A dict: `source` `(batch, source)` and `target` `(batch, target)` int ids, padded
            with 0; the target begins with the start id.
        return_attention_scores: Also return the alignment: the mean of the heads of the last but
            one layer's attention to the source, which is nearest to a word alignment (Garg et al.
            2019, arXiv:1909.02074). All heads are in `heads(inputs)`.
        training: Whether dropout is on.

    Returns:
        Logits of the next token, float32 or wider, `(batch, target, target_vocabulary_size)`; with
        `return_attention_scores`, `(logits, (batch, target, source))`.

    Raises:
        ValueError: An argument is out of its range.

    Example:

    >>> import numpy as np
    >>> from kblocks.models import TransformerTranslator
    >>> model = TransformerTranslator(50, 50, layers=2, embedding_dim=16, num_heads=4)
    >>> source, target = np.array([[5, 7, 3, 0]]), np.array([[2, 9]])
    >>> model({"source": source, "target": target}).shape
    TensorShape([1, 2, 50])
    >>> model.heads({"source": source, "target": target}).cross.shape
    TensorShape([1, 2, 4, 2, 4])

    References:
        Vaswani et al. 2017, "Attention is all you need", arXiv:1706.03762, section 3.
    """

    output_bias = False

    def __init__(
        self,
        source_vocabulary_size: int,
        target_vocabulary_size: int,
        layers: int = 4,
        embedding_dim: int = 128,
        num_heads: int = 4,
        intermediate_dim: int = 256,
        dropout: float = 0.1,
        attention_dropout: float = 0.0,
        activation_dropout: float = 0.0,
        norm: str = "post",
        activation: str = "relu",
        tie_embeddings: str = "all",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            source_vocabulary_size,
            target_vocabulary_size,
            embedding_dim,
            dropout,
            tie_embeddings,
            **kwargs,
        )
        check_positive("layers", layers)
        check_positive("num_heads", num_heads)
        if embedding_dim % num_heads:
            raise ValueError(
                f"`embedding_dim` must be divisible by `num_heads`, got {embedding_dim} and "
                f"{num_heads}."
            )
        self.num_layers = layers
        self.num_heads = num_heads
        self.intermediate_dim = intermediate_dim
        self.attention_dropout = attention_dropout
        self.activation_dropout = activation_dropout
        self.norm = norm
        self.activation = serialize_activation(get_activation(activation))
        policy = self.dtype_policy
        self.position = SinusoidalPositionEncoding(dtype=policy)
        options = {"dropout": dropout, **self._options(), "dtype": policy}
        self.encoder = [
            TransformerEncoderLayer(**options, name=f"encoder_{i}") for i in range(layers)
        ]
        self.decoder = [
            TransformerDecoderLayer(**options, name=f"decoder_{i}") for i in range(layers)
        ]
        # With pre-norm nothing has normalised what the last layer gives.
        self.norms = [
            LayerNormalization(dtype=policy, name=f"{name}_norm")
            for name in ("encoder", "decoder")
            if norm == "pre"
        ]

    @classmethod
    def of_size(
        cls,
        size: str,
        source_vocabulary_size: int,
        target_vocabulary_size: int | None = None,
        **changes: Any,
    ) -> "TransformerTranslator":
        """The paper's `"base"` or `"big"`, or a `"tiny"` one for small data.

        Args:
            size: Its name.
            source_vocabulary_size: Number of source ids.
            target_vocabulary_size: Number of target ids; by default the same vocabulary.
            changes: Other arguments of the constructor.

        Raises:
            ValueError: There is no such size.
        """
        if size not in SIZES:
            raise ValueError(f"`size` must be one of {tuple(SIZES)}, got {size!r}.")
        target = target_vocabulary_size or source_vocabulary_size
        return cls(source_vocabulary_size, target, **{**SIZES[size], **changes})

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        x = (None, None, self.embedding_dim)
        self.position.build(x)
        for layer in self.encoder:
            layer.build(x)
        for norm in self.norms:
            norm.build(x)
        for layer in self.decoder:
            layer.build(x, x)

    def embed(self, name: str, ids: Tensor, start: Any = 0, training: bool = False) -> Tensor:
        """sqrt(d) E y + PE, for ids `(batch, time)` from position `start` on."""
        embedding = self.source_embedding if name == "source" else self.target_embedding
        x = embedding(ids) * self.embedding_dim**0.5
        return self.drop(self.position(x, start=start), training=training)

    # Teacher forcing.

    def call(
        self,
        inputs: dict[str, Tensor],
        return_attention_scores: bool = False,
        training: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        h, heads = self._both(inputs, training)
        logits = self.logits(h)
        return (logits, self._alignment(heads.cross)) if return_attention_scores else logits

    def heads(self, inputs: dict[str, Tensor]) -> TransformerHeads:
        """Where each head of each layer looks, for the `inputs` of a call."""
        _, heads = self._both(inputs, training=False)
        return TransformerHeads(*(ops.stack(weights, axis=1) for weights in heads))

    def _both(self, inputs: dict[str, Tensor], training: bool) -> tuple[Tensor, TransformerHeads]:
        """What the logits are computed of, and the weights of each layer."""
        m, mask, encoder = self._encode(inputs["source"], training)
        target = checked_ids("target", inputs["target"])
        h, decoder, cross = self.read_target(target, m, mask, training), [], []
        for layer in self.decoder:
            h, to_past, to_source = layer(
                h,
                m,
                cross_attention_mask=mask,
                return_attention_scores=True,
                training=training,
            )
            decoder.append(to_past)
            cross.append(to_source)
        return self._normalised(h, -1), TransformerHeads(encoder, decoder, cross)

    def read_target(self, target: Tensor, m: Tensor, mask: Tensor, training: bool) -> Tensor:
        """What the decoder's first layer gets, (batch, target, embedding_dim)."""
        return self.embed("target", target, training=training)

    def _encode(self, source: Tensor, training: bool) -> tuple[Tensor, Tensor, list[Tensor]]:
        """The memory, which of it is no padding, and the weights of each layer."""
        if not self.built:
            self.build()
        source = checked_ids("source", source)
        mask = ops.not_equal(source, tokens.PADDING)
        x, weights = self.embed("source", source, training=training), []
        for layer in self.encoder:
            x, to_source = layer(x, mask=mask, return_attention_scores=True, training=training)
            weights.append(to_source)
        return self._normalised(x, 0), mask, weights

    def _normalised(self, x: Tensor, stack: int) -> Tensor:
        return self.norms[stack](x) if self.norms else x

    def _alignment(self, cross: list[Tensor]) -> Tensor:
        """(batch, target, source) of the weights (batch, heads, target, source) of each layer."""
        return ops.mean(cross[max(0, self.num_layers - 2)], axis=1)

    # The decoding protocol.

    def start(self, source: Tensor, length: int) -> tuple[Tree, Tree]:
        """Read the source, `(batch, source)` ids, and make room for `length` steps."""
        m, mask, _ = self._encode(source, training=False)
        return self._begin(m, mask, length)

    def step(self, tokens: Tensor, carry: Tree, memory: Tree) -> tuple[Tensor, Tree, Tensor]:
        """Read one token a row, `(batch,)`: `(logits, carry, alignment)`."""
        h = self.embed("target", tokens[:, None], carry["position"])
        return self._advance(h, carry, memory)

    def _begin(self, m: Tensor, mask: Tensor, length: int) -> tuple[Tree, Tree]:
        """The memory and the carry of an encoded source."""
        batch = ops.shape(m)[0]
        memory = {"layers": [layer.project_memory(m) for layer in self.decoder], "mask": mask}
        caches = [layer.empty_cache(batch, length) for layer in self.decoder]
        return memory, {"caches": caches, "position": ops.zeros((batch,), "int32")}

    def _advance(self, h: Tensor, carry: Tree, memory: Tree) -> tuple[Tensor, Tree, Tensor]:
        """Take the decoder's layers over one position, h (batch, 1, embedding_dim)."""
        position, caches, cross = carry["position"], [], []
        layers = zip(self.decoder, carry["caches"], memory["layers"], strict=True)
        for layer, cache, keys_values in layers:
            h, cache, weights = layer.step(h, cache, position, keys_values, memory["mask"])
            caches.append(cache)
            cross.append(weights)
        logits = self.logits(self._normalised(h, -1)[:, 0])
        return logits, {"caches": caches, "position": position + 1}, self._alignment(cross)[:, 0]

    def _options(self) -> dict[str, Any]:
        """What the layers take as well."""
        names = (
            "num_heads",
            "intermediate_dim",
            "attention_dropout",
            "activation_dropout",
            "norm",
            "activation",
        )
        return {name: getattr(self, name) for name in names}

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "layers": self.num_layers, **self._options()}
