"""From sentences to vectors, in one graph."""

from typing import Any

import tensorflow as tf

from kblocks.export.servable import Request
from kblocks.models import BertSentenceEncoder
from kblocks.text import WordPieceVocabulary

Tensor = Any


class TextEmbedder(tf.Module):
    """Raw strings in, a vector for each of them out: products of vectors say how alike texts are.

    Any bytes have a vector. What a text has beyond `max_length` pieces is left out.

    Args:
        model: Its encoder's ids are the vocabulary's.
        vocabulary: Cuts the strings.
        max_length: The most pieces of a text, the first and the last among them.

    Raises:
        ValueError: The sizes of model and vocabulary differ, or the model has not so many
            positions.
    """

    def __init__(
        self, model: BertSentenceEncoder, vocabulary: WordPieceVocabulary, max_length: int = 128
    ) -> None:
        super().__init__(name="text_embedder")
        check_fit(model.encoder, vocabulary, max_length)
        self.model = model
        self.vocabulary = vocabulary
        self.max_length = max_length

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def embed(self, text: Tensor) -> dict[str, Tensor]:
        """The vectors of a batch of strings.

        Args:
            text: `(batch,)` strings.

        Returns:
            A dict: `embedding` `(batch, width)` float32.
        """
        ids = self.vocabulary.pack(self.vocabulary.encode(text), max_length=self.max_length)
        return {"embedding": tf.cast(self.model(ids), tf.float32)}

    def signatures(self) -> dict[str, Any]:
        """`serving_default` is `embed`."""
        return {"serving_default": self.embed}

    def warmup_requests(self) -> list[Request]:
        """A sentence, and a batch with an empty one."""
        batches = (["It rains."], ["It rains.", "Sailing is fun, isn't it?", ""])
        return [Request("serving_default", {"text": batch}) for batch in batches]


def check_fit(encoder: Any, vocabulary: Any, max_length: int) -> None:
    """Refuse a vocabulary that is not the encoder's, and more pieces than it has positions."""
    if vocabulary.size != encoder.vocabulary_size:
        raise ValueError(
            f"`vocabulary` must have the {encoder.vocabulary_size} ids of the encoder, got "
            f"{vocabulary.size}."
        )
    if vocabulary.padding != encoder.padding:
        raise ValueError(
            f"`vocabulary` must pad with the encoder's id {encoder.padding}, got "
            f"{vocabulary.padding}."
        )
    if not 3 <= max_length <= encoder.max_length:
        raise ValueError(
            f"`max_length` must be 3 to {encoder.max_length}, the encoder's positions, got "
            f"{max_length!r}."
        )
