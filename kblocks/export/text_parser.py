"""A parser from sentences to trees in brackets, in one graph."""

import re
from collections.abc import Iterable
from typing import Any

import tensorflow as tf

from kblocks import tokens
from kblocks.decoding import TreeConstraint
from kblocks.export.by_length import by_length
from kblocks.export.servable import Request
from kblocks.models.translation import Translator
from kblocks.text import BracketVocabulary, WordsOrEndings

Tensor = Any

# Brackets within words, as the Penn Treebank writes them.
_ESCAPES = {"(": "-LRB-", ")": "-RRB-", "{": "-LCB-", "}": "-RCB-"}


class TextParser(tf.Module):
    """Words separated by spaces in, the tree over them in brackets out.

        The dog barks .   ->   (S (NP (DT The) (NN dog)) (VP (VBZ barks)) (. .))

    The words must be cut as those trained on were: in the Penn Treebank marks stand alone, as in
    `It 's late .`. Whatever the model says, the tree is well-formed and has exactly these words:
    the search is held to that (`kblocks.decoding.TreeConstraint`). Brackets within words become
    `-LRB-`, `-RRB-`, `-LCB-` and `-RCB-`, and bytes that are not UTF-8 U+FFFD. A string without
    words has the empty tree with score 0, and so has one of more than `max_words` words. A sentence
    is parsed alone as it is in a batch.

    Args:
        model: A trained translator from words to brackets.
        words: Of the model's source ids.
        brackets: Of the model's target ids. Words get parts of speech if these have any, else `XX`.
        beam_width: Hypotheses of the beam search; 1 is greedy.
        max_words: Words of a sentence at most.
        length_penalty: See `kblocks.decoding.beam_search`.

    Raises:
        ValueError: The number of words or of brackets is not the model's.
    """

    def __init__(
        self,
        model: Translator,
        words: WordsOrEndings,
        brackets: BracketVocabulary,
        beam_width: int = 4,
        max_words: int = 60,
        length_penalty: float = 1.0,
    ) -> None:
        super().__init__(name="text_parser")
        for name, found, size in (
            ("words", words.size, model.source_vocabulary_size),
            ("brackets", brackets.size, model.target_vocabulary_size),
        ):
            if found != size:
                raise ValueError(f"`{name}` must have {size} ids, got {found}.")
        self.model = model
        self.words = words
        self.beam_width = beam_width
        self.max_words = max_words
        self.max_length = (
            3 * max_words + 16
        )  # tokens of a tree; of those in the treebank all but a few
        self.length_penalty = length_penalty
        self.constraint = TreeConstraint(
            brackets.size, brackets.word, brackets.close, first_tag=brackets.first_tag
        )
        # What each token writes; behind a word's stand the word itself and a closing bracket.
        labels = [f" ({label}" for label in brackets.labels]
        tags = [f" ({tag} " for tag in brackets.tags]
        self._pieces = ["", "", "", "", " (XX ", ")", *labels, *tags]

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def parse(self, text: Tensor) -> dict[str, Tensor]:
        """Parse a batch of sentences.

        Args:
            text: `(batch,)` strings.

        Returns:
            A dict: `tree` `(batch,)` strings; `score` `(batch,)` float32, the length-normalised
            log-probability; `words` `(batch, words)` strings, what was parsed, padded with empty
            ones.
        """
        words, count = self._cut(text)
        places = tf.range(tf.shape(words)[1])
        end = tf.where(places == tf.expand_dims(count, 1), tokens.END, tokens.PADDING)
        decoded = self.model.translate(
            self.words.ids(words) + end,
            self.max_length,
            self.beam_width,
            self.length_penalty,
            self.constraint,
        )
        best, score = decoded.tokens[:, 0], tf.cast(decoded.scores[:, 0], tf.float32)
        return {
            "tree": self._written(best, words),
            "score": tf.where(count == 0, 0.0, score),
            "words": words[:, :-1],
        }

    def _cut(self, text: Tensor) -> tuple[Tensor, Tensor]:
        """The words, (batch, words and one more), padded with empty ones, and their numbers."""
        text = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8")
        for bracket, name in _ESCAPES.items():
            text = tf.strings.regex_replace(text, re.escape(bracket), name)
        pieces = tf.strings.split(text)
        count = tf.cast(pieces.row_lengths(), tf.int32)
        count = tf.where(count > self.max_words, 0, count)
        words = tf.where(tf.expand_dims(count, 1) > 0, pieces[:, : self.max_words].to_tensor(), "")
        return tf.pad(words, [[0, 0], [0, 1]], constant_values=""), count

    def _written(self, best: Tensor, words: Tensor) -> Tensor:
        """Trees in brackets, (batch,), of the tokens (batch, time) over the words."""
        is_word, *_ = self.constraint.kinds(best)
        place = tf.cumsum(tf.cast(is_word, tf.int32), axis=1, exclusive=True)
        word = tf.gather(words, tf.minimum(place, tf.shape(words)[1] - 1), batch_dims=1)
        closed = tf.where(is_word, tf.strings.join([word, ")"]), "")
        pieces = tf.strings.join([tf.gather(tf.constant(self._pieces), best), closed])
        return tf.strings.strip(tf.strings.reduce_join(pieces, axis=1))

    def signatures(self) -> dict[str, Any]:
        """`serving_default` is `parse`."""
        return {"serving_default": self.parse}

    def warmup_requests(self) -> list[Request]:
        """A sentence, and a batch with an empty one."""
        batches = (["It rains ."], ["It rains .", "Sailing is fun , is n't it ?", ""])
        return [Request("serving_default", {"text": batch}) for batch in batches]

    def __call__(self, texts: Iterable[str], batch_size: int = 64) -> list[str]:
        """Parse any number of sentences; those of about equal length go together."""
        texts = list(texts)
        trees = [""] * len(texts)
        for rows in by_length(texts, batch_size):
            outputs = self.parse(tf.constant([texts[i] for i in rows]))
            for i, tree in zip(rows, outputs["tree"].numpy(), strict=True):
                trees[i] = tree.decode()
        return trees
