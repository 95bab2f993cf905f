"""What every translator shares: teacher forcing, decoding, embeddings, a checked interface."""

from typing import Any

import keras
from keras import ops

from kblocks import tokens
from kblocks.backend import scan
from kblocks.decoding import Decodable, Decoded, beam_search, greedy
from kblocks.layers.attention.checks import check_positive

Tree = Any
Tensor = Any

TIES = ("none", "target", "all")


class Translator(keras.Model, Decodable):
    """The base of the encoder-decoders: `start`, then one `advance` per target token.

    A subclass gives `encode`, `advance` and `combine`. Training runs `advance` over the known
    target (teacher forcing) and computes the logits of all positions in one product after the
    loop; decoding runs the same `advance` one token at a time.

    Args:
        source_vocabulary_size: Number of source ids.
        target_vocabulary_size: Number of target ids.
        embedding_dim: Width of the embeddings.
        dropout: Fraction dropped of embeddings, encoder states and readout while training.
        tie_embeddings: `"none"`; `"target"`: the readout's matrix is the target embedding (Press
            and Wolf 2017, arXiv:1608.05859); `"all"`: the source embedding too, which needs one
            vocabulary for both languages.

    Call arguments:
        inputs: A dict: `source` `(batch, source)` and `target` `(batch, target)` int ids, padded
            with 0; the target begins with the start id. Padding of the source takes no part; what
            stands at padded target positions is for the loss to leave out.
        return_attention_scores: Also return the alignment.
        training: Whether dropout is on.

    Returns:
        Logits of the next token, float32 or wider, `(batch, target, target_vocabulary_size)`; with
        `return_attention_scores`, `(logits, (batch, target, source))`.
    """

    def __init__(
        self,
        source_vocabulary_size: int,
        target_vocabulary_size: int,
        embedding_dim: int = 256,
        dropout: float = 0.0,
        tie_embeddings: str = "none",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive("source_vocabulary_size", source_vocabulary_size)
        check_positive("target_vocabulary_size", target_vocabulary_size)
        check_positive("embedding_dim", embedding_dim)
        if tie_embeddings not in TIES:
            raise ValueError(f"`tie_embeddings` must be one of {TIES}, got {tie_embeddings!r}.")
        if tie_embeddings == "all" and source_vocabulary_size != target_vocabulary_size:
            raise ValueError(
                "`tie_embeddings='all'` needs one vocabulary for both languages, got sizes "
                f"{source_vocabulary_size} and {target_vocabulary_size}."
            )
        if not 0 <= dropout < 1:
            raise ValueError(f"`dropout` must be in [0, 1), got {dropout!r}.")
        self.source_vocabulary_size = source_vocabulary_size
        self.target_vocabulary_size = target_vocabulary_size
        self.embedding_dim = embedding_dim
        self.dropout = dropout
        self.tie_embeddings = tie_embeddings

        init = keras.initializers.RandomNormal(stddev=embedding_dim**-0.5)
        policy = self.dtype_policy
        self.target_embedding = keras.layers.Embedding(
            target_vocabulary_size, embedding_dim, embeddings_initializer=init, dtype=policy
        )
        self.source_embedding = (
            self.target_embedding
            if tie_embeddings == "all"
            else keras.layers.Embedding(
                source_vocabulary_size, embedding_dim, embeddings_initializer=init, dtype=policy
            )
        )
        self.drop = keras.layers.Dropout(dropout, dtype=policy)
        self.output_projection = (
            keras.layers.Dense(target_vocabulary_size, dtype=policy)
            if tie_embeddings == "none"
            else None
        )

    # A subclass gives these three.

    def encode(self, embedded: Tensor, mask: Tensor, training: bool) -> tuple[Tree, Tree]:
        """Read the embedded source `(batch, source, embedding)`: `(memory, carry)`."""
        raise NotImplementedError

    def advance(self, embedded: Tensor, carry: Tree, memory: Tree) -> tuple[Tree, Tensor, Tensor]:
        """Read one embedded target token: `(carry, features, alignment)`."""
        raise NotImplementedError

    def combine(self, features: Tensor, embedded: Tensor) -> Tensor:
        """What the logits are a linear function of, `(..., combined_dim)`, for any positions."""
        raise NotImplementedError

    @property
    def combined_dim(self) -> int:
        """The width of what `combine` gives; `embedding_dim` where embeddings are tied."""
        return self.embedding_dim

    # The decoding protocol.

    def start(
        self, source: Tensor, length: int | None = None, training: bool = False
    ) -> tuple[Tree, Tree]:
        """Read the source, `(batch, source)` ids: `(memory, carry)`. Any number of steps follow."""
        if not self.built:
            self.build()
        source = _checked_ids("source", source)
        mask = ops.not_equal(source, tokens.PADDING)
        embedded = self.drop(self.source_embedding(source), training=training)
        return self.encode(embedded, mask, training)

    def step(self, tokens: Tensor, carry: Tree, memory: Tree) -> tuple[Tensor, Tree, Tensor]:
        """Read one token a row, `(batch,)`: `(logits, carry, alignment)`."""
        embedded = self.target_embedding(tokens)
        carry, features, alignment = self.advance(embedded, carry, memory)
        return self.readout(features, embedded), carry, alignment

    def translate(
        self,
        source: Tensor,
        max_length: int = 64,
        beam_width: int = 4,
        length_penalty: float = 1.0,
    ) -> Decoded:
        """Translate source ids; a beam of width 1 is the greedy translation.

        Args:
            source: `(batch, source)` int ids, padded with 0.
            max_length: The static length of the result.
            beam_width: Hypotheses kept and returned, best first.
            length_penalty: See `kblocks.decoding.beam_search`.

        Returns:
            `Decoded(tokens, scores, alignment)`.
        """
        if beam_width == 1:
            return greedy(self, source, max_length)
        return beam_search(self, source, max_length, beam_width, length_penalty)

    # Teacher forcing.

    def call(
        self,
        inputs: dict[str, Tensor],
        return_attention_scores: bool = False,
        training: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        memory, carry = self.start(inputs["source"], training=training)
        target = _checked_ids("target", inputs["target"])
        embedded = self.drop(self.target_embedding(target), training=training)

        def step(carry: Tree, e: Tensor) -> tuple[Tree, tuple[Tensor, Tensor]]:
            carry, features, alignment = self.advance(e, carry, memory)
            return carry, (features, alignment)

        _, (features, alignment) = scan(step, carry, ops.moveaxis(embedded, 1, 0))
        logits = self.readout(ops.moveaxis(features, 0, 1), embedded, training=training)
        return (logits, ops.moveaxis(alignment, 0, 1)) if return_attention_scores else logits

    def readout(self, features: Tensor, embedded: Tensor, training: bool = False) -> Tensor:
        """The logits of any positions from what `advance` gave there and the token it read."""
        combined = self.drop(self.combine(features, embedded), training=training)
        if self.output_projection is not None:
            logits = self.output_projection(combined)
        else:
            matrix = ops.cast(self.target_embedding.embeddings, combined.dtype)
            logits = ops.matmul(combined, ops.transpose(matrix)) + ops.cast(
                self.bias, combined.dtype
            )
        return ops.cast(logits, keras.backend.result_type(logits.dtype, "float32"))

    def build(self, input_shape: Any = None) -> None:
        """Make the weights that all translators have; a subclass goes on."""
        self.target_embedding.build()
        if not self.source_embedding.built:
            self.source_embedding.build()
        self.drop.build((None, None, self.embedding_dim))
        if self.output_projection is not None:
            self.output_projection.build((None, self.combined_dim))
        else:
            self.bias = self.add_weight(
                shape=(self.target_vocabulary_size,), initializer="zeros", name="output_bias"
            )
        self.built = True

    def get_config(self) -> dict[str, Any]:
        names = (
            "source_vocabulary_size",
            "target_vocabulary_size",
            "embedding_dim",
            "dropout",
            "tie_embeddings",
        )
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _checked_ids(name: str, ids: Tensor) -> Tensor:
    ids = ops.convert_to_tensor(ids)
    if len(ids.shape) != 2:
        raise ValueError(f"`{name}` must have shape (batch, time), got {tuple(ids.shape)}.")
    return ids
