"""A translator from strings to strings, in one graph: what is evaluated is what is served."""

from collections.abc import Iterable
from typing import Any

import tensorflow as tf

from kblocks import tokens
from kblocks.export.by_length import by_length
from kblocks.export.servable import Request
from kblocks.models.translation import Translator
from kblocks.text import SubwordVocabulary


class TextTranslator(tf.Module):
    """Strings in, translations out: tokenizer, beam search and detokenizer in the graph.

    Any bytes have a translation: see `kblocks.text.clean` for what is no UTF-8, control characters
    and spaces; characters that the vocabulary lacks are spelled in bytes. A source of more than
    `max_length` subwords is cut there; one with nothing visible has the empty translation with
    score 0. A sentence is translated alone as it is in a batch.

    Args:
        model: A trained translator.
        source_vocabulary: Of the model's source ids.
        target_vocabulary: Of the model's target ids.
        beam_width: Hypotheses of the beam search; 1 is greedy.
        max_length: Subwords at most, of a source and of a translation.
        length_penalty: See `kblocks.decoding.beam_search`.
    """

    def __init__(
        self,
        model: Translator,
        source_vocabulary: SubwordVocabulary,
        target_vocabulary: SubwordVocabulary,
        beam_width: int = 4,
        max_length: int = 64,
        length_penalty: float = 1.0,
    ) -> None:
        super().__init__(name="text_translator")
        self.model = model
        self.source_vocabulary = source_vocabulary
        self.target_vocabulary = target_vocabulary
        self.beam_width = beam_width
        self.max_length = max_length
        self.length_penalty = length_penalty

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def translate(self, text: Any) -> dict[str, Any]:
        """Translate a batch of strings.

        Args:
            text: `(batch,)` strings.

        Returns:
            A dict: `translation` `(batch,)` strings; `score` `(batch,)` float32, the
            length-normalised log-probability; `source_tokens` `(batch, source)` and
            `translation_tokens` `(batch, target)` strings, padded with empty ones;
            `alignment` `(batch, target, source)` float32, where each produced token looked.
        """
        content = self.source_vocabulary.encode(text)[:, : self.max_length]
        end = tf.fill([content.nrows(), 1], tokens.END)
        source = tf.concat([content, tf.RaggedTensor.from_tensor(end)], axis=1).to_tensor()
        # An empty batch has no longest sentence, and a loop over no steps has no result.
        source = tf.pad(source, [[0, 0], [0, 1 - tf.minimum(tf.shape(source)[1], 1)]])
        decoded = self.model.translate(
            source, self.max_length, self.beam_width, self.length_penalty
        )
        best, empty = decoded.tokens[:, 0], content.row_lengths() == 0
        best = tf.where(empty[:, None], tokens.PADDING, best)
        longest = tf.reduce_max(tf.reduce_sum(tf.cast(best != tokens.PADDING, tf.int32), 1), 0)
        longest = tf.maximum(longest, 0)  # the maximum over an empty batch is the lowest int
        best = best[:, :longest]
        alignment = tf.cast(decoded.alignment[:, 0, :longest], tf.float32)
        return {
            "translation": self.target_vocabulary.decode(best),
            "score": tf.where(empty, 0.0, tf.cast(decoded.scores[:, 0], tf.float32)),
            "alignment": tf.where(best[:, :, None] == tokens.PADDING, 0.0, alignment),
            "source_tokens": self._labels(self.source_vocabulary, source),
            "translation_tokens": self._labels(self.target_vocabulary, best),
        }

    def signatures(self) -> dict[str, Any]:
        """`serving_default` is `translate`."""
        return {"serving_default": self.translate}

    def warmup_requests(self) -> list[Request]:
        """A sentence, and a batch with an empty one."""
        batches = (["Hello."], ["Hello.", "How are you today?", ""])
        return [Request("serving_default", {"text": batch}) for batch in batches]

    @staticmethod
    def _labels(vocabulary: SubwordVocabulary, ids: Any) -> Any:
        return tf.where(ids == tokens.PADDING, "", vocabulary.id_to_piece(ids))

    def __call__(self, texts: Iterable[str], batch_size: int = 64) -> list[str]:
        """Translate any number of strings; those of about equal length go together."""
        texts = list(texts)
        translations = [""] * len(texts)
        for rows in by_length(texts, batch_size):
            outputs = self.translate(tf.constant([texts[i] for i in rows]))
            for i, translation in zip(rows, outputs["translation"].numpy(), strict=True):
                translations[i] = translation.decode()
        return translations
