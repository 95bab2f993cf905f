"""A vocabulary for trees as sequences of brackets, as `kblocks.data.linearise` writes them."""

import os
from collections import Counter
from collections.abc import Iterable

import numpy as np

from kblocks import tokens
from kblocks.text.words import WordVocabulary

_WORD, _CLOSE, _OPEN = "XX", ")", "("
_TAGGED = f"{_WORD}/"


class BracketVocabulary:
    """Numbers for the tokens of a tree: 4 a word, 5 a closing bracket, then the opening ones.

    Behind them stand words with their parts of speech, where there are any; below them the four ids
    of every vocabulary (`kblocks.tokens`). A label or part of speech that is not among them is
    unknown, 1.

    Args:
        labels: The labels of brackets, each once; the first gets the id 6.
        tags: The parts of speech, each once.

    Attributes:
        word: The id of a word without a part of speech.
        close: The id of a closing bracket.
        first_tag: The id of a word with the first of the `tags`; `None` if there are none.

    Raises:
        ValueError: A label or a tag is empty, holds a line end or stands there twice.

    Example:

    >>> from kblocks.text import BracketVocabulary
    >>> vocabulary = BracketVocabulary.count([["(S", "(NP", "XX", ")", "XX", ")"]])
    >>> vocabulary.ids(["(NP", "XX", ")"]).tolist()
    [6, 4, 5]
    >>> vocabulary.tokens([6, 4, 5, 3, 0])
    ['(NP', 'XX', ')']
    """

    word = tokens.END + 1
    close = tokens.END + 2

    def __init__(self, labels: Iterable[str], tags: Iterable[str] = ()) -> None:
        self.labels, self.tags = WordVocabulary(labels).words, WordVocabulary(tags).words
        opening = [_OPEN + label for label in self.labels]
        tagged = [_TAGGED + tag for tag in self.tags]
        self._tokens = (None, None, None, None, _WORD, _CLOSE, *opening, *tagged)
        self.first_tag = self.size - len(tagged) if tagged else None
        self._ids = {token: id for id, token in enumerate(self._tokens) if token is not None}

    @classmethod
    def count(cls, sequences: Iterable[Iterable[str]], min_count: int = 1) -> "BracketVocabulary":
        """Take the labels of the brackets that open in some sequences, the most frequent first.

        So are the parts of speech of their words, where these have any.

        Args:
            sequences: Of tokens.
            min_count: How often a label, or a part of speech, must come.

        Raises:
            ValueError: `min_count` is not positive, or no label comes so often.
        """
        counts = Counter(token for sequence in sequences for token in sequence)
        labels, tags = (
            [token.removeprefix(begin) for token in counts.elements() if token.startswith(begin)]
            for begin in (_OPEN, _TAGGED)
        )
        frequent = WordVocabulary.count(labels, min_count).words
        return cls(frequent, WordVocabulary.count(tags, min_count).words if tags else ())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "BracketVocabulary":
        """Read a file of one label a line, such as `save` writes; see `WordVocabulary.load`."""
        lines = WordVocabulary.load(path).words
        tags = [line.removeprefix(_TAGGED) for line in lines if line.startswith(_TAGGED)]
        return cls([line for line in lines if not line.startswith(_TAGGED)], tags)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a label a line, in the order of the ids, and then the tags, each behind `XX/`."""
        WordVocabulary([*self.labels, *(_TAGGED + tag for tag in self.tags)]).save(path)

    @property
    def size(self) -> int:
        """The number of ids, the first four included."""
        return len(self._tokens)

    def ids(self, sequence: Iterable[str]) -> np.ndarray:
        """The ids of tokens: (number,) int32; none that starts or ends the sequence."""
        return np.array([self._ids.get(token, tokens.UNKNOWN) for token in sequence], "int32")

    def tokens(self, ids: Iterable[int]) -> list[str]:
        """The tokens of ids, up to the first that ends or pads the sequence.

        Raises:
            ValueError: An id before it stands for no token (names its place, from 0).
        """
        found: list[str] = []
        for place, id in enumerate(ids):
            if id in (tokens.END, tokens.PADDING):
                break
            token = self._tokens[id] if 0 <= id < self.size else None
            if token is None:
                raise ValueError(f"id {place}: {id} stands for no bracket and no word.")
            found.append(token)
        return found
