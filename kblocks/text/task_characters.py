"""Characters with the three tokens of GPT's input transformations, in the graph.

Radford et al. 2018, section 3.3:

    one sentence   [start; text; extract]
    two            [start; first; delimiter; second; extract]
"""

from typing import Any

import tensorflow as tf

from kblocks import tokens
from kblocks.text.characters import CharacterVocabulary
from kblocks.text.pack import pack_segments


class TaskCharacters:
    """A vocabulary of characters, and behind them the ids that a task adds.

    Args:
        characters: Of the language model; characters that it lacks are left out of a text.

    Attributes:
        size: The number of ids, those of `start`, `delimiter` and `extract` among them.
        padding: The id behind the end, -1.

    Example:

    >>> from kblocks.text import CharacterVocabulary, TaskCharacters
    >>> vocabulary = TaskCharacters(CharacterVocabulary("abc"))
    >>> first, second = vocabulary.encode(["ab", "?a"]), vocabulary.encode(["c", "c"])
    >>> vocabulary.pack(first, second, max_length=8).numpy()
    array([[ 3,  0,  1,  4,  2,  5],
           [ 3,  0,  4,  2,  5, -1]], dtype=int32)
    """

    padding = tokens.NOTHING

    def __init__(self, characters: CharacterVocabulary) -> None:
        self.characters = characters
        self.start, self.delimiter, self.extract = (characters.size + i for i in range(3))
        self.size = characters.size + 3

    def encode(self, texts: Any) -> tf.RaggedTensor:
        """The ids of strings (batch,), ragged (batch, characters)."""
        return self.characters.encode(texts)

    def pack(
        self, first: tf.RaggedTensor, second: tf.RaggedTensor | None = None, *, max_length: int
    ) -> tf.Tensor:
        """The sequences that the model reads, int32 (batch, time); see `pack_segments`.

        Args:
            first: `(batch, None)` ids, ragged, as `encode` gives them.
            second: `(batch, None)` ids, of a second text.
            max_length: The longest row; longer ones are cut.
        """
        return pack_segments(
            first,
            second,
            max_length=max_length,
            start=self.start,
            between=self.delimiter,
            end=self.extract,
            padding=self.padding,
        )["tokens"]
