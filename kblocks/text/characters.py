"""A vocabulary of single characters, in the TensorFlow graph and out of it."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from kblocks import tokens


class CharacterVocabulary:
    """Numbers for characters, from 0 in the order of Unicode; -1 is padding.

    Args:
        characters: The characters; how often each one comes makes no difference.

    Raises:
        ValueError: There is none.

    Example:

    >>> from kblocks.text import CharacterVocabulary
    >>> vocabulary = CharacterVocabulary("to be")
    >>> vocabulary.ids("bob").tolist()
    [1, 3, 1]
    >>> ids = vocabulary.encode(["bet", "Xt"])
    >>> ids.to_list()
    [[1, 2, 4], [4]]
    >>> vocabulary.decode(ids.to_tensor(-1)).numpy().tolist()
    [b'bet', b't']
    """

    def __init__(self, characters: Iterable[str]) -> None:
        self.characters = "".join(sorted(set(characters)))
        if not self.characters:
            raise ValueError("`characters` must have at least one character, got none.")
        self._codes = np.array([ord(character) for character in self.characters], "int32")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "CharacterVocabulary":
        """Read what `save` wrote, or any text whose characters are wanted."""
        return cls(Path(path).read_bytes().decode())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the characters, one behind the other."""
        beside = Path(f"{path}.tmp")
        beside.write_bytes(self.characters.encode())
        beside.replace(path)

    @property
    def size(self) -> int:
        """The number of ids."""
        return len(self.characters)

    def ids(self, text: str) -> np.ndarray:
        """The ids of a text, (characters,) int32.

        Raises:
            ValueError: A character of it is not in the vocabulary.
        """
        codes = np.array([ord(character) for character in text], "int32")
        places = np.minimum(np.searchsorted(self._codes, codes), self.size - 1)
        if (self._codes[places] != codes).any():
            strange = sorted({*text} - {*self.characters})
            raise ValueError(f"`text` must be of the vocabulary's characters, got {strange}.")
        return places.astype("int32")

    def encode(self, texts: Any) -> tf.RaggedTensor:
        """The ids of strings (batch,), ragged (batch, characters); strange characters are left out.

        What is no UTF-8 is left out, too.
        """
        codes = tf.strings.unicode_decode(texts, "UTF-8", errors="ignore")
        places = tf.minimum(tf.searchsorted(self._codes, codes.values), self.size - 1)
        known = tf.gather(self._codes, places) == codes.values
        return tf.ragged.boolean_mask(codes.with_values(places), codes.with_values(known))

    def decode(self, ids: Any) -> tf.Tensor:
        """The strings (batch,) of ids (batch, characters), padded with -1 on the right."""
        ids = tf.RaggedTensor.from_tensor(ids, padding=tokens.NOTHING)
        codes = ids.with_values(tf.gather(self._codes, ids.values))
        return tf.strings.unicode_encode(codes, "UTF-8")
