"""The encoder of BERT: Devlin et al. 2019 (arXiv:1810.04805), section 3.

    x_t = LayerNorm(E w_t + S s_t + p_t)       token, segment and position embeddings (figure 2)
    h   = encoder layers of x                  each position sees all, before and after it
    c   = tanh(W_c h_1 + b_c)                  the pooler, of the first token, [CLS]

The layers are those of the Transformer's encoder, post-norm, with GELU in place of the ReLU. With
`causal=True` it is the left-to-right model that the paper compares with (section 5.1): a position
sees none after it, and the pooler reads the last token, the only one that has seen all.
"""

from typing import Any

import keras
from keras import ops

from kblocks.layers import LayerNormalization, LearnedPositionEmbedding, TransformerEncoderLayer
from kblocks.layers.attention.checks import check_fraction, check_positive
from kblocks.layers.attention.dropout import Dropout
from kblocks.models.ids import checked_ids
from kblocks.models.language.pretrained import Pretrained

Tensor = Any

SIZES: dict[str, dict[str, int]] = {
    # Turc et al. 2019 (arXiv:1908.08962), table 1
    "tiny": {"layers": 2, "hidden_dim": 128, "num_heads": 2},
    "mini": {"layers": 4, "hidden_dim": 256, "num_heads": 4},
    "small": {"layers": 4, "hidden_dim": 512, "num_heads": 8},
    "medium": {"layers": 8, "hidden_dim": 512, "num_heads": 8},
    # Devlin et al. 2019, section 3
    "base": {"layers": 12, "hidden_dim": 768, "num_heads": 12},
    "large": {"layers": 24, "hidden_dim": 1024, "num_heads": 16},
}


@keras.saving.register_keras_serializable("kblocks")
class BertEncoder(keras.Model, Pretrained):
    """A text in, a vector for each of its tokens and one for the whole out.

    `BertEncoder.of_size("base")` is the paper's; `BertEncoder.from_pretrained(directory)` reads a
    checkpoint. Padding is masked: what stands there changes nothing elsewhere.

    Args:
        vocabulary_size: Number of ids.
        layers: Number of encoder layers.
        hidden_dim: The width of all states, divisible by `num_heads`.
        num_heads: Heads of each attention.
        intermediate_dim: The width within the feed-forward networks; by default four times
            `hidden_dim`.
        max_length: The number of positions.
        segments: The number of segments.
        dropout: Fraction dropped while training, of the embeddings and of each sub-layer's output.
        attention_dropout: Fraction dropped of the attention's weights.
        activation: Of the feed-forward networks.
        epsilon: Of the layer normalisations.
        pooler: Whether there is one.
        padding: The id of padding.
        initializer_range: The deviation of the normal, cut at two of them, that weights are drawn
            from. BERT's 0.02 suits its width; narrower networks do not learn next sentences from
            so small weights.
        causal: Whether a position sees only those up to its own. Then the pooler reads the last
            token that is no padding.

    Call arguments:
        inputs: Int ids (batch, time), or a dict of these as `tokens` and, of the same shape, of the
            numbers of the `segments`, from 0; all of segment 0 where they are missing.
        training: Whether dropout is on.

    Returns:
        A dict: `sequence`, floats (batch, time, hidden_dim), and with a pooler `pooled`, floats
        (batch, hidden_dim). In the compute dtype. What stands at padding is to be left out.

    Raises:
        ValueError: An argument is out of its range, or an input has another shape.

    Example:

    >>> import numpy as np
    >>> from kblocks.models import BertEncoder
    >>> model = BertEncoder(50, layers=2, hidden_dim=8, num_heads=2)
    >>> outputs = model(np.array([[2, 7, 9, 3], [2, 8, 3, 0]]))
    >>> outputs["sequence"].shape, outputs["pooled"].shape
    (TensorShape([2, 4, 8]), TensorShape([2, 8]))

    References:
        Devlin, Chang, Lee and Toutanova 2019, "BERT: Pre-training of deep bidirectional
        Transformers for language understanding", arXiv:1810.04805, section 3.
    """

    def __init__(
        self,
        vocabulary_size: int = 30522,
        layers: int = 12,
        hidden_dim: int = 768,
        num_heads: int = 12,
        intermediate_dim: int | None = None,
        max_length: int = 512,
        segments: int = 2,
        dropout: float = 0.1,
        attention_dropout: float = 0.1,
        activation: str = "gelu",
        epsilon: float = 1e-12,
        pooler: bool = True,
        padding: int = 0,
        initializer_range: float = 0.02,
        causal: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if intermediate_dim is None:
            intermediate_dim = 4 * hidden_dim
        sizes = {
            "vocabulary_size": vocabulary_size,
            "layers": layers,
            "hidden_dim": hidden_dim,
            "num_heads": num_heads,
            "intermediate_dim": intermediate_dim,
            "max_length": max_length,
            "segments": segments,
        }
        for name, size in sizes.items():
            check_positive(name, size)
        if hidden_dim % num_heads:
            raise ValueError(
                f"`num_heads` must divide `hidden_dim`, got {num_heads} and {hidden_dim}."
            )
        check_fraction("dropout", dropout)
        check_fraction("attention_dropout", attention_dropout)
        check_positive("initializer_range", initializer_range, float)
        self.vocabulary_size = vocabulary_size
        self.num_layers = layers
        self.hidden_dim = hidden_dim
        self.num_heads = num_heads
        self.intermediate_dim = intermediate_dim
        self.max_length = max_length
        self.segments = segments
        self.dropout = dropout
        self.attention_dropout = attention_dropout
        self.activation = activation
        self.epsilon = epsilon
        self.has_pooler = pooler
        self.padding = padding
        self.initializer_range = initializer_range
        self.causal = causal

        policy = self.dtype_policy
        self.token_embedding = keras.layers.Embedding(
            vocabulary_size, hidden_dim, embeddings_initializer=self.initial(), dtype=policy
        )
        self.segment_embedding = keras.layers.Embedding(
            segments, hidden_dim, embeddings_initializer=self.initial(), dtype=policy
        )
        self.position_embedding = LearnedPositionEmbedding(max_length, self.initial(), dtype=policy)
        self.embedding_norm = LayerNormalization(epsilon, dtype=policy)
        self.drop = Dropout(dropout, dtype=policy)
        self.encoder = [
            TransformerEncoderLayer(
                num_heads,
                intermediate_dim,
                activation=activation,
                dropout=dropout,
                attention_dropout=attention_dropout,
                epsilon=epsilon,
                causal=causal,
                kernel_initializer=self.initial(),
                dtype=policy,
                name=f"encoder_{i}",
            )
            for i in range(layers)
        ]
        self.pooler = (
            keras.layers.Dense(
                hidden_dim, activation="tanh", kernel_initializer=self.initial(), dtype=policy
            )
            if pooler
            else None
        )

    @classmethod
    def of_size(cls, size: str, vocabulary_size: int = 30522, **changes: Any) -> "BertEncoder":
        """The paper's `"base"` or `"large"`, or one of the smaller ones of Turc et al. (2019).

        Args:
            size: Its name.
            vocabulary_size: Number of ids.
            changes: Other arguments of the constructor.

        Raises:
            ValueError: There is no such size.
        """
        if size not in SIZES:
            raise ValueError(f"`size` must be one of {tuple(SIZES)}, got {size!r}.")
        return cls(vocabulary_size, **{**SIZES[size], **changes})

    def initial(self) -> Any:
        """What draws the weights, of the heads as well."""
        return keras.initializers.TruncatedNormal(stddev=self.initializer_range)

    def build(self, input_shape: Any = None) -> None:
        x = (None, None, self.hidden_dim)
        self.token_embedding.build()
        self.segment_embedding.build()
        parts: list[keras.layers.Layer] = [
            self.position_embedding,
            self.embedding_norm,
            self.drop,
            *self.encoder,
        ]
        for part in parts:
            part.build(x)
        if self.pooler is not None:
            self.pooler.build((None, self.hidden_dim))
        self.built = True

    def call(self, inputs: Any, training: bool = False) -> dict[str, Tensor]:
        h = self._read(inputs, training)[0][-1]
        outputs = {"sequence": h}
        if self.pooler is not None:
            outputs["pooled"] = self.pooler(self._of_the_whole(h, inputs))
        return outputs

    def hidden_states(self, inputs: Any) -> Tensor:
        """The embeddings and what each layer makes of them: (batch, 1 + layers, time, width)."""
        return ops.stack(self._read(inputs, training=False)[0], axis=1)

    def heads(self, inputs: Any) -> Tensor:
        """Where each head of each layer looks: (batch, layers, heads, time, time)."""
        return ops.stack(self._read(inputs, training=False)[1], axis=1)

    def mask(self, inputs: Any) -> Tensor:
        """Where there is no padding, booleans (batch, time)."""
        return ops.not_equal(self._divided(inputs)[0], self.padding)

    def _of_the_whole(self, h: Tensor, inputs: Any) -> Tensor:
        """The state that has seen the whole text: the first, or the last if causal."""
        if not self.causal:
            return h[:, 0]
        mask = self.mask(inputs)
        last = ops.max(ops.where(mask, ops.arange(ops.shape(mask)[1]), 0), axis=1)
        return ops.take_along_axis(h, ops.reshape(last, (-1, 1, 1)), axis=1)[:, 0]

    def _read(self, inputs: Any, training: bool) -> tuple[list[Tensor], list[Tensor]]:
        """The states below and above each layer, and the weights of its attention."""
        if not self.built:
            self.build()
        tokens, segments = self._divided(inputs)
        mask = ops.not_equal(tokens, self.padding)
        x = self.token_embedding(tokens) + self.segment_embedding(segments)
        x = self.embedding_norm(self.position_embedding(x))
        states, weights = [self.drop(x, training=training)], []
        for layer in self.encoder:
            x, to_all = layer(
                states[-1], mask=mask, return_attention_scores=True, training=training
            )
            states.append(x)
            weights.append(to_all)
        return states, weights

    def _divided(self, inputs: Any) -> tuple[Tensor, Tensor]:
        """The tokens and the segments, checked."""
        if not isinstance(inputs, dict):
            inputs = {"tokens": inputs}
        if "tokens" not in inputs:
            raise ValueError(f"`inputs` must have 'tokens', got {sorted(inputs)}.")
        tokens = checked_ids("tokens", inputs["tokens"])
        if inputs.get("segments") is None:
            return tokens, ops.zeros_like(tokens)
        segments = ops.convert_to_tensor(inputs["segments"])
        pairs = zip(tokens.shape, segments.shape, strict=False)
        if len(segments.shape) != 2 or any(
            None not in pair and pair[0] != pair[1] for pair in pairs
        ):
            raise ValueError(
                f"`segments` must have the shape of `tokens`, {tuple(tokens.shape)}, got "
                f"{tuple(segments.shape)}."
            )
        return tokens, segments

    def get_config(self) -> dict[str, Any]:
        names = (
            "vocabulary_size",
            "hidden_dim",
            "num_heads",
            "intermediate_dim",
            "max_length",
            "segments",
            "dropout",
            "attention_dropout",
            "activation",
            "epsilon",
            "padding",
            "initializer_range",
            "causal",
        )
        return {
            **super().get_config(),
            **{name: getattr(self, name) for name in names},
            "layers": self.num_layers,
            "pooler": self.has_pooler,
        }
