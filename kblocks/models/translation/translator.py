"""What every translator shares: embeddings, the output's matrix, decoding, a checked interface."""

from typing import Any

import keras
from keras import ops

from kblocks.decoding import Constraint, Decodable, Decoded, beam_search, greedy
from kblocks.layers.attention.checks import check_positive
from kblocks.models.wide import wide

Tree = Any
Tensor = Any

TIES = ("none", "target", "all")


class Translator(keras.Model, Decodable):
    """The base of the encoder-decoders.

    A subclass gives `call` (teacher forcing) and the decoding protocol, `start` and `step`.

    Args:
        source_vocabulary_size: Number of source ids.
        target_vocabulary_size: Number of target ids.
        embedding_dim: Width of the embeddings.
        dropout: Fraction dropped while training, a subclass says of what.
        tie_embeddings: `"none"`; `"target"`: the output's matrix is the target embedding (Press
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

    output_bias = True  # whether the logits have one where embeddings are tied

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

    @property
    def combined_dim(self) -> int:
        """The width of what the logits are a linear function of."""
        return self.embedding_dim

    def logits(self, x: Tensor) -> Tensor:
        """The logits (..., target_vocabulary_size) of features (..., combined_dim)."""
        if self.output_projection is not None:
            logits = self.output_projection(x)
        else:
            matrix = ops.cast(self.target_embedding.embeddings, x.dtype)
            logits = ops.matmul(x, ops.transpose(matrix))
            if self.output_bias:
                logits = logits + ops.cast(self.bias, x.dtype)
        return wide(logits)

    def translate(
        self,
        source: Tensor,
        max_length: int = 64,
        beam_width: int = 4,
        length_penalty: float = 1.0,
        constraint: Constraint | None = None,
    ) -> Decoded:
        """Translate source ids; a beam of width 1 is the greedy translation.

        Args:
            source: `(batch, source)` int ids, padded with 0.
            max_length: The static length of the result.
            beam_width: Hypotheses kept and returned, best first.
            length_penalty: See `kblocks.decoding.beam_search`.
            constraint: What may be produced at all; anything if absent.

        Returns:
            `Decoded(tokens, scores, alignment)`.
        """
        if beam_width == 1:
            return greedy(self, source, max_length, constraint)
        return beam_search(self, source, max_length, beam_width, length_penalty, constraint)

    def build(self, input_shape: Any = None) -> None:
        """Make the weights that all translators have; a subclass goes on."""
        self.target_embedding.build()
        if not self.source_embedding.built:
            self.source_embedding.build()
        self.drop.build((None, None, self.embedding_dim))
        if self.output_projection is not None:
            self.output_projection.build((None, self.combined_dim))
        elif self.output_bias:
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
