"""What GPT and GPT-2 share: a stack of causal layers between an embedding and its transpose.

    h_0 = W_e u + W_p                                      tokens and learned positions
    h_l = layer_l(h_(l-1))                                 sees no later position
    p(u_(t+1) | u_1 .. u_t) = softmax(W_e h_n,t)           one matrix W_e for both ends

Radford et al. 2018, "Improving language understanding by generative pre-training", equation 2.
"""

from typing import Any, ClassVar, Self

import keras
from keras import ops

from kblocks.backend import known_values
from kblocks.decoding import Decodable, Decoded, beam_search, greedy, sample
from kblocks.layers import LayerNormalization, LearnedPositionEmbedding, TransformerEncoderLayer
from kblocks.layers.attention.checks import check_fraction, check_positive
from kblocks.layers.attention.dropout import Dropout
from kblocks.models.ids import checked_ids
from kblocks.models.language.pretrained import Pretrained
from kblocks.models.wide import wide
from kblocks.tokens import NOTHING, SpecialTokens

Tree = Any
Tensor = Any


class LanguageModel(keras.Model, Decodable, Pretrained):
    """The base of the decoder-only Transformers; a subclass says what its layers are like.

    Args:
        vocabulary_size: Number of ids.
        layers: Number of layers.
        hidden_dim: The width of the embeddings and of all layers, divisible by `num_heads`.
        num_heads: Heads of each attention.
        intermediate_dim: The width within the feed-forward networks; by default four times
            `hidden_dim`.
        max_length: The number of positions.
        dropout: Fraction dropped while training, of the embeddings and of each sub-layer's output.
        attention_dropout: Fraction dropped of the attention's weights.
        end_token: The id that ends a text in decoding; none: a text goes on.

    Attributes:
        token_embedding: `keras.layers.Embedding`, W_e; the output's matrix, too.
        position_embedding: `LearnedPositionEmbedding`, W_p.
        decoder: The layers, each a `TransformerEncoderLayer` with `causal=True`.
        final_norm: `LayerNormalization` behind the last layer where `norm` is "pre", else `None`.
    """

    padding: ClassVar[int] = NOTHING  # an id
    norm: ClassVar[str]
    sizes: ClassVar[dict[str, dict[str, int]]]

    def __init__(
        self,
        vocabulary_size: int,
        layers: int,
        hidden_dim: int,
        num_heads: int,
        intermediate_dim: int | None,
        max_length: int,
        dropout: float,
        attention_dropout: float,
        end_token: int | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        intermediate_dim = 4 * hidden_dim if intermediate_dim is None else intermediate_dim
        check_positive("vocabulary_size", vocabulary_size)
        check_positive("layers", layers)
        check_positive("hidden_dim", hidden_dim)
        check_positive("num_heads", num_heads)
        check_positive("intermediate_dim", intermediate_dim)
        check_positive("max_length", max_length)
        check_fraction("dropout", dropout)
        check_fraction("attention_dropout", attention_dropout)
        if hidden_dim % num_heads:
            raise ValueError(
                f"`hidden_dim` must be divisible by `num_heads`, got {hidden_dim} and {num_heads}."
            )
        if end_token is not None and end_token not in range(vocabulary_size):
            raise ValueError(
                f"`end_token` must be an id below {vocabulary_size}, got {end_token!r}."
            )
        self.vocabulary_size = vocabulary_size
        self.num_layers = layers
        self.hidden_dim = hidden_dim
        self.num_heads = num_heads
        self.intermediate_dim = intermediate_dim
        self.max_length = max_length
        self.dropout = dropout
        self.attention_dropout = attention_dropout
        self.end_token = end_token
        end = NOTHING if end_token is None else end_token
        self.special_tokens = SpecialTokens(padding=NOTHING, start=NOTHING, end=end, never=())

        initial, policy = keras.initializers.RandomNormal(stddev=0.02), self.dtype_policy
        self.token_embedding = keras.layers.Embedding(
            vocabulary_size, hidden_dim, embeddings_initializer=initial, dtype=policy
        )
        self.position_embedding = LearnedPositionEmbedding(max_length, initial, dtype=policy)
        self.drop = Dropout(dropout, dtype=policy)
        self.decoder = [
            TransformerEncoderLayer(
                num_heads,
                intermediate_dim,
                activation="gelu_tanh",
                dropout=dropout,
                attention_dropout=attention_dropout,
                norm=self.norm,
                epsilon=1e-5,
                causal=True,
                kernel_initializer=initial,
                dtype=policy,
                name=f"decoder_{i}",
            )
            for i in range(layers)
        ]
        # With pre-norm nothing has normalised what the last layer gives.
        self.final_norm = (
            LayerNormalization(1e-5, dtype=policy, name="final_norm")
            if self.norm == "pre"
            else None
        )

    @classmethod
    def of_size(cls, size: str, vocabulary_size: int | None = None, **changes: Any) -> Self:
        """The model of a size in the paper.

        Args:
            size: Its name, one of `sizes`.
            vocabulary_size: Number of ids; by default the paper's.
            changes: Other arguments of the constructor.

        Raises:
            ValueError: There is no such size.
        """
        if size not in cls.sizes:
            raise ValueError(f"`size` must be one of {tuple(cls.sizes)}, got {size!r}.")
        if vocabulary_size is not None:
            changes["vocabulary_size"] = vocabulary_size
        return cls(**{**cls.sizes[size], **changes})

    def build(self, inputs_shape: Any = None) -> None:
        x = (None, None, self.hidden_dim)
        self.token_embedding.build()
        self.position_embedding.build(x)
        self.drop.build(x)
        for layer in self.decoder:
            layer.build(x)
        if self.final_norm is not None:
            self.final_norm.build(x)
        self.built = True

    # All positions at once.

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        return self.logits(self.features(inputs, training))

    def features(self, inputs: Tensor, training: bool = False) -> Tensor:
        """What the logits are computed of, (batch, time, hidden_dim); the arguments of a call."""
        return self._read(inputs, training)[0][-1]

    def hidden_states(self, inputs: Tensor) -> Tensor:
        """h_0 .. h_n, (batch, layers + 1, time, hidden_dim), the last as the logits see it."""
        return ops.stack(self._read(inputs)[0], axis=1)

    def heads(self, inputs: Tensor) -> Tensor:
        """Where each head of each layer looks, (batch, layers, heads, time, time)."""
        return ops.stack(self._read(inputs)[1], axis=1)

    def logits(self, h: Tensor) -> Tensor:
        """W_e h, float32 or wider: (..., vocabulary_size) of features (..., hidden_dim)."""
        W_e = ops.cast(self.token_embedding.embeddings, h.dtype)
        logits = ops.matmul(h, ops.transpose(W_e))
        return wide(logits)

    def embed(self, tokens: Tensor, start: Any = 0, training: bool = False) -> Tensor:
        """h_0 of ids (batch, time) from position `start` on."""
        x = self.token_embedding(ops.maximum(tokens, 0))  # any vector will do for padding
        return self.drop(self.position_embedding(x, start=start), training=training)

    def _read(self, inputs: Tensor, training: bool = False) -> tuple[list[Tensor], list[Tensor]]:
        """h_0 .. h_n, and the attention's weights of each layer."""
        h = [self.embed(self._checked("inputs", inputs), training=training)]
        weights = []
        for layer in self.decoder:
            x, looked = layer(h[-1], return_attention_scores=True, training=training)
            h.append(x)
            weights.append(looked)
        return [*h[:-1], self._normalised(h[-1])], weights

    def _normalised(self, x: Tensor) -> Tensor:
        return x if self.final_norm is None else self.final_norm(x)

    def _checked(self, name: str, ids: Tensor) -> Tensor:
        """The ids as int32 (batch, time), built for."""
        if not self.built:
            self.build()
        ids = checked_ids(name, ids)
        values = known_values(ids)
        if values is not None and ((values[:, 1:] >= 0) > (values[:, :-1] >= 0)).any():
            raise ValueError(f"`{name}` must be padded on the right, got a token behind padding.")
        return ids

    # The decoding protocol.

    def start(self, source: Tensor, length: int) -> tuple[Tree, Tree]:
        """Read all but the last token of each prompt, and make room for `length` steps.

        Args:
            source: The prompts, int ids (batch, prompt), padded with -1 on the right.
            length: How many tokens may follow.

        Raises:
            ValueError: A prompt is empty, or there are not so many positions, where that is known.
        """
        source = self._checked("source", source)
        prompt, values = source.shape[1], known_values(source)
        if prompt == 0 or (values is not None and (values[:, 0] < 0).any()):
            raise ValueError("`source` must have a token in each row to go on from, got none.")
        if prompt is not None and prompt + length - 1 > self.max_length:
            raise ValueError(
                f"`source` of {prompt} tokens and {length} more must fit into "
                f"max_length={self.max_length}; `SlidingWindow` goes on for ever."
            )
        room = self.max_length if prompt is None else prompt + length - 1
        caches = [layer.empty_cache(ops.shape(source)[0], room) for layer in self.decoder]
        if prompt != 1:
            # Of a shorter prompt this writes its last token and padding, too: no step sees what
            # stands at its position or later before it has written it anew.
            _, caches = self._advance(source[:, :-1], caches, 0)
        nowhere = ops.zeros_like(source, self.compute_dtype)  # there is no alignment
        return nowhere, {"caches": caches, "position": count_tokens(source) - 1}

    def first(self, source: Tensor) -> Tensor:
        """The last token of each prompt."""
        source = ops.cast(source, "int32")
        return ops.take_along_axis(source, count_tokens(source)[:, None] - 1, axis=1)[:, 0]

    def step(self, tokens: Tensor, carry: Tree, memory: Tree) -> tuple[Tensor, Tree, Tensor]:
        """Read one token a row, (batch,): `(logits, carry, alignment)`."""
        position = carry["position"]
        x, caches = self._advance(tokens[:, None], carry["caches"], position)
        logits = self.logits(self._normalised(x)[:, 0])
        return logits, {"caches": caches, "position": position + 1}, memory

    def _advance(
        self, tokens: Tensor, caches: list[Tree], position: Any
    ) -> tuple[Tensor, list[Tree]]:
        """Take the layers over new tokens (batch, new), the first of them at `position`."""
        x, written = self.embed(tokens, position), []
        for layer, cache in zip(self.decoder, caches, strict=True):
            x, cache = layer.step(x, cache, position)
            written.append(cache)
        return x, written

    def generate(
        self,
        prompt: Tensor,
        max_length: int = 64,
        beam_width: int = 1,
        length_penalty: float = 1.0,
    ) -> Decoded:
        """The most probable continuations; a beam of width 1 is greedy.

        Args:
            prompt: Int ids (batch, prompt), padded with -1 on the right; each row has a token.
            max_length: The static length of the result, the prompt not counted.
            beam_width: Hypotheses kept and returned, best first.
            length_penalty: See `kblocks.decoding.beam_search`.

        Returns:
            `Decoded(tokens, scores, alignment)`, padded with -1; the alignment is zero.
        """
        if beam_width == 1:
            return greedy(self, prompt, max_length)
        return beam_search(self, prompt, max_length, beam_width, length_penalty)

    def sample(self, prompt: Tensor, max_length: int = 64, **options: Any) -> Decoded:
        """Continuations by chance, as `generate`; `options` are those of `kblocks.decoding.sample`.

        These are `temperature`, `top_k`, `top_p`, `samples` and `seed`.
        """
        return sample(self, prompt, max_length, **options)

    def get_config(self) -> dict[str, Any]:
        names = (
            "vocabulary_size",
            "hidden_dim",
            "num_heads",
            "intermediate_dim",
            "max_length",
            "dropout",
            "attention_dropout",
            "end_token",
        )
        config = {name: getattr(self, name) for name in names}
        return {**super().get_config(), **config, "layers": self.num_layers}


def count_tokens(ids: Tensor) -> Tensor:
    """How many tokens each row (..., time) has before its padding, int32."""
    return ops.sum(ops.cast(ids >= 0, "int32"), axis=-1)


def take_positions(x: Tensor, positions: Tensor) -> Tensor:
    """Of x (batch, time, features) one position a row, (batch, features)."""
    return ops.take_along_axis(x, positions[:, None, None], axis=1)[:, 0]
