"""A vocabulary in which a word stands for itself if it is frequent, and else for its ending."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import tensorflow as tf

from kblocks import tokens
from kblocks.text.endings import word_endings
from kblocks.text.words import WordVocabulary

Tensor = Any


class WordsOrEndings(tf.Module):
    """Numbers for words: from 4 the frequent words, behind them the endings of all others.

    Below stand the four ids of every vocabulary (`kblocks.tokens`); a word is unknown, 1, if its
    ending (`kblocks.text.word_endings`) is, too. The ids are looked up in the graph.

    Args:
        words: The frequent words.
        endings: The endings that stand for other words.

    Raises:
        ValueError: There is no word, or no ending.

    Example:

    >>> from kblocks.text import WordsOrEndings
    >>> vocabulary = WordsOrEndings.count(["is", "sailing", "is", "rowing"], min_count=2)
    >>> vocabulary.words.words, vocabulary.endings.words
    (('is',), ('ing', 'is'))
    >>> vocabulary.ids([["is", "hiking"], ["it", ""]]).numpy().tolist()
    [[4, 5], [1, 0]]
    """

    def __init__(self, words: WordVocabulary, endings: WordVocabulary) -> None:
        super().__init__(name="words_or_endings")
        if not words.words or not endings.words:
            raise ValueError("`words` and `endings` must hold at least one each.")
        self.words, self.endings = words, endings
        first_ending = tokens.END + 1 + len(words.words)
        self.size = first_ending + len(endings.words)
        self._words = _table(words, tokens.END + 1, missing=-1)
        self._endings = _table(endings, first_ending, missing=tokens.UNKNOWN)

    @classmethod
    def count(cls, words: Iterable[str], min_count: int = 2) -> "WordsOrEndings":
        """Take the words and the endings of a corpus that come at least `min_count` times.

        Args:
            words: The words of a corpus, each as often as it comes.
            min_count: How often a word must come, and the ending of one.

        Raises:
            ValueError: `min_count` is not positive, or no word comes so often.
        """
        counts = Counter(words)
        distinct = list(counts)
        of_each = (ending.decode() for ending in word_endings(distinct).numpy())
        endings = [
            ending
            for word, ending in zip(distinct, of_each, strict=True)
            for _ in range(counts[word])
        ]
        return cls(
            WordVocabulary.count(counts.elements(), min_count),
            WordVocabulary.count(endings, min_count),
        )

    def ids(self, words: Tensor) -> Tensor:
        """The ids of words, strings of any shape; 0 for an empty one."""
        words = tf.convert_to_tensor(words, tf.string)
        known = self._words.lookup(words)
        return tf.where(known < 0, self.ending_ids(words), known)

    def ending_ids(self, words: Tensor) -> Tensor:
        """The ids of words as if none of them were frequent; 0 for an empty one."""
        words = tf.convert_to_tensor(words, tf.string)
        found = self._endings.lookup(word_endings(words))
        return tf.where(words == "", tokens.PADDING, found)


def _table(vocabulary: WordVocabulary, first: int, missing: int) -> tf.lookup.StaticHashTable:
    words = tf.constant(vocabulary.words)
    ids = tf.range(first, first + len(vocabulary.words))
    return tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(words, ids), missing)
