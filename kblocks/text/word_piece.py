"""BERT's vocabulary, WordPiece: raw strings to ids and back, inside the TensorFlow graph.

Text is cut as BERT's own program cuts it (Devlin, Chang, Lee, Toutanova 2019, arXiv:1810.04805;
https://github.com/google-research/bert, `tokenization.py`): drop controls, set Chinese characters
apart, lower-case and strip accents, set punctuation apart, then take from each word the longest
piece that the vocabulary has, again and again.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import tensorflow as tf
import tensorflow_text as tf_text

from kblocks.text.learn_word_pieces import SPECIAL, learn_word_pieces
from kblocks.text.pack import pack_segments

_SPACE = r"[\t\n\r\p{Zs}\p{Zl}\p{Zp}]"
_NOTHING = r"[\p{Cc}\p{Cf}\x{FFFD}]"
_CHINESE = (
    r"[\x{4E00}-\x{9FFF}\x{3400}-\x{4DBF}\x{20000}-\x{2A6DF}\x{2A700}-\x{2B73F}"
    r"\x{2B740}-\x{2B81F}\x{2B820}-\x{2CEAF}\x{F900}-\x{FAFF}\x{2F800}-\x{2FA1F}]"
)
_PUNCTUATION = r"[!-/:-@\[-`{-~\p{P}]"  # BERT counts all of ASCII's signs, $ and + as well
_APART = r" \0 "
_APART_HERE, _SAME_LENGTH = "\x1f", "\x1e"  # two controls, which are no text
_BYTES_A_CHARACTER = 4


class WordPieceVocabulary(tf.Module):
    """A vocabulary of whole words and of pieces that continue one (`##ing`), as BERT has it.

    `encode`, `decode` and `pack` run in the graph: a model that holds one is exported with it, and
    serves raw strings. Any bytes have ids: those that are no UTF-8 are dropped.

    It gives what BERT's own program gives, except for capital letters that are younger than
    Unicode 13 (40 of them, such as U+2C2F): TensorFlow does not lower-case these.

    Args:
        pieces: The pieces, each once, in the order of the ids, from 0.
        lower_case: Whether text is lower-cased and loses its accents ("uncased" models).
        max_word_length: A word of more characters is unknown.
        unknown: The piece that stands for a word which cannot be put together.
        padding: The piece that stands behind the end.
        start: The piece that begins a sequence.
        end: The piece that ends each of its segments.
        mask: The piece that hides a word in pre-training.

    Attributes:
        pieces: A tuple of strings.
        size: The number of pieces.
        unknown: An id, as are `padding`, `start`, `end` and `mask`.

    Raises:
        ValueError: A piece is empty, holds a line end or stands there twice, a special piece is
            missing, or `max_word_length` is not positive.

    Example:

    >>> from kblocks.text import WordPieceVocabulary
    >>> special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    >>> vocabulary = WordPieceVocabulary([*special, "un", "##aff", "##able", "!"])
    >>> ids = vocabulary.encode(["Unaffable!", "Ünaff 漢"])
    >>> ids.to_list()
    [[5, 6, 7, 8], [5, 6, 1]]
    >>> vocabulary.decode(ids).numpy()
    array([b'unaffable !', b'unaff [UNK]'], dtype=object)
    >>> vocabulary.pack(ids, max_length=5)["tokens"].numpy()
    array([[2, 5, 6, 7, 3],
           [2, 5, 6, 1, 3]], dtype=int32)
    """

    def __init__(
        self,
        pieces: Iterable[str],
        lower_case: bool = True,
        max_word_length: int = 100,
        unknown: str = "[UNK]",
        padding: str = "[PAD]",
        start: str = "[CLS]",
        end: str = "[SEP]",
        mask: str = "[MASK]",
    ) -> None:
        super().__init__(name="word_piece_vocabulary")
        if max_word_length < 1:
            raise ValueError(f"`max_word_length` must be positive, got {max_word_length!r}.")
        self.lower_case, self.max_word_length = lower_case, max_word_length
        self.pieces = tuple(pieces)
        ids = {piece: id for id, piece in enumerate(self.pieces)}
        for id, piece in enumerate(self.pieces):
            if not piece or "\n" in piece or "\r" in piece:
                raise ValueError(f"`pieces` must be text on one line, got {piece!r} (id {id}).")
            if ids[piece] != id:
                raise ValueError(
                    f"`pieces` must differ, and {piece!r} has the ids {id} and {ids[piece]}."
                )
        special = (unknown, padding, start, end, mask)
        missing = [piece for piece in special if piece not in ids]
        if missing:
            raise ValueError(f"`pieces` must hold the special pieces; {missing} are not there.")
        self.unknown, self.padding, self.start, self.end, self.mask = (ids[p] for p in special)
        self.size = len(self.pieces)
        strings, numbers = tf.constant(self.pieces), tf.range(self.size, dtype=tf.int64)
        initializer = tf.lookup.KeyValueTensorInitializer
        self._ids = tf.lookup.StaticHashTable(initializer(strings, numbers), self.unknown)
        self._strings = tf.lookup.StaticHashTable(initializer(numbers, strings), unknown)
        self._cut = tf_text.WordpieceTokenizer(
            self._ids,
            max_bytes_per_word=_BYTES_A_CHARACTER * max(max_word_length, len(unknown)),
            token_out_type=tf.int32,
            unknown_token=unknown,
        )

    @classmethod
    def train(
        cls,
        lines: Iterable[str],
        size: int,
        lower_case: bool = True,
        characters: int = 1000,
    ) -> "WordPieceVocabulary":
        """Learn a vocabulary from lines of text, by the library `tokenizers`.

        Pieces are joined pair by pair, the most frequent pair first, from single characters on;
        the special pieces stand first.

        Args:
            lines: Any sentences.
            size: The number of pieces, the special ones and the characters included, these twice:
                at the beginning of a word and within. A small text gives a smaller vocabulary.
            lower_case: Whether text is lower-cased and loses its accents.
            characters: The most different characters; words with rarer ones are unknown.

        Raises:
            ImportError: The library is not installed.
            ValueError: There is no text, or `size` has no room for the characters.
        """
        return cls(learn_word_pieces(cls(SPECIAL, lower_case), lines, size, characters), lower_case)

    @classmethod
    def load(cls, path: str | os.PathLike[str], lower_case: bool = True) -> "WordPieceVocabulary":
        """Read BERT's `vocab.txt`: a piece a line, the first has the id 0.

        Args:
            path: The file.
            lower_case: Whether the model is an "uncased" one; the file does not say so.

        Raises:
            FileNotFoundError: No such file.
            ValueError: A line is empty, not UTF-8 or stands there twice (names it), or a special
                piece is missing.
        """
        lines = Path(path).read_bytes().removesuffix(b"\n").split(b"\n")
        pieces: dict[str, int] = {}
        for number, line in enumerate(lines, 1):
            try:
                piece = line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r")
            except UnicodeDecodeError as error:
                raise ValueError(f"{path}:{number}: the line is not UTF-8.") from error
            if not piece or "\r" in piece:
                raise ValueError(f"{path}:{number}: expected a piece, found {piece!r}.")
            if piece in pieces:
                raise ValueError(
                    f"{path}:{number}: the piece {piece!r} stands in line {pieces[piece]} already."
                )
            pieces[piece] = number
        try:
            return cls(pieces, lower_case)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a piece a line, in the order of the ids; it is written beside and renamed."""
        beside = Path(f"{path}.tmp")
        beside.write_bytes("".join(f"{piece}\n" for piece in self.pieces).encode())
        beside.replace(path)

    def words(self, texts: Any) -> tf.RaggedTensor:
        """Cut strings into words and punctuation, cleaned, as they are before WordPiece.

        Args:
            texts: `(batch,)` strings, any bytes.

        Returns:
            `(batch, None)` strings, ragged.

        Raises:
            ValueError: `texts` is no batch of strings.
        """
        texts = tf.convert_to_tensor(texts, tf.string)
        if texts.shape.rank != 1:
            raise ValueError(f"`texts` must have shape (batch,), got {texts.shape}.")
        replace = tf.strings.regex_replace
        texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="ignore")
        texts = replace(replace(texts, _SPACE, " "), _NOTHING, "")
        texts = replace(texts, _CHINESE, _APART)
        if self.lower_case:
            # On a Turkish system TensorFlow would make "ı" of "I".
            texts = replace(replace(texts, "I", "i"), "İ", "i\u0307")
            texts = tf.strings.lower(texts, encoding="utf-8")
            texts = replace(tf_text.normalize_utf8(texts, "NFD"), r"\p{Mn}", "")
        return tf.strings.split(replace(texts, _PUNCTUATION, _APART))

    def encode(self, texts: Any) -> tf.RaggedTensor:
        """Turn strings into ids; none that starts or ends them: see `pack`.

        Args:
            texts: `(batch,)` strings, any bytes.

        Returns:
            `(batch, None)` int32, ragged; an empty string has no ids.

        Raises:
            ValueError: `texts` is no batch of strings.
        """
        words = self.words(texts)
        length = tf.strings.length(words.flat_values, unit="UTF8_CHAR")
        unknown = self.pieces[self.unknown]
        known = tf.where(length > self.max_word_length, unknown, words.flat_values)
        return self._cut.tokenize(words.with_flat_values(known)).merge_dims(1, 2)

    def encode_with_offsets(
        self, texts: Any
    ) -> tuple[tf.RaggedTensor, tf.RaggedTensor, tf.RaggedTensor]:
        """Turn strings into ids, and say where in the string each piece's word stands.

        The pieces of a word, or of a sign, have all its place: its first character and the one
        behind its last. Bytes that are no UTF-8 are not counted.

        Args:
            texts: `(batch,)` strings, any bytes.

        Returns:
            The ids as `encode` gives them (but for a capital sigma before a sign, which ends a word
            here), and where they begin and end, in characters: each `(batch, None)` int32, ragged.
        """
        texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="ignore")
        # Set apart by a control, of which the text has none any more; nothing is lost or joined.
        texts = tf.strings.regex_replace(texts, _APART_HERE, _SAME_LENGTH)
        apart = f"({_SPACE}|{_CHINESE}|{_PUNCTUATION})"
        texts = tf.strings.regex_replace(texts, apart, rf"{_APART_HERE}\1{_APART_HERE}")
        units = tf.strings.split(texts, _APART_HERE)
        length = tf.strings.length(units.values, unit="UTF8_CHAR")
        end = tf.cumsum(length)  # over all texts
        before = tf.concat([[0], end], 0)
        end -= tf.gather(before, tf.gather(units.row_starts(), units.value_rowids()))
        pieces = self.encode(units.values)  # (units, None)
        places = (end - length, end)
        unit = pieces.value_rowids()
        ids = units.with_values(pieces).merge_dims(1, 2)
        return ids, *(ids.with_values(tf.gather(place, unit)) for place in places)

    def decode(self, ids: Any) -> tf.Tensor:
        """Turn ids into strings: pieces with spaces between, but none before `##`.

        Args:
            ids: `(batch, None)` integers, ragged or padded; padding, start and end are left out.

        Returns:
            `(batch,)` strings. An id that is not in the vocabulary reads as the unknown piece.
        """
        if not isinstance(ids, tf.RaggedTensor):
            ids = tf.RaggedTensor.from_tensor(tf.convert_to_tensor(ids))
        no_text = (ids == self.padding) | (ids == self.start) | (ids == self.end)
        pieces = self.tokens(tf.ragged.boolean_mask(ids, ~no_text))
        joined = tf.strings.reduce_join(pieces, axis=1, separator=" ")
        return tf.strings.regex_replace(joined, " ##", "")

    def tokens(self, ids: Any) -> Any:
        """The pieces themselves, in the shape of `ids`, ragged or not."""
        if isinstance(ids, tf.RaggedTensor):
            return tf.ragged.map_flat_values(self.tokens, ids)
        return self._strings.lookup(tf.cast(ids, tf.int64))

    def pack(
        self, first: tf.RaggedTensor, second: tf.RaggedTensor | None = None, *, max_length: int
    ) -> dict[str, tf.Tensor]:
        """Put BERT's inputs together, with this vocabulary's special ids: see `pack_segments`.

        Args:
            first: `(batch, None)` ids, ragged, as `encode` gives them.
            second: `(batch, None)` ids, for a pair of sentences.
            max_length: The longest row; longer ones are cut.
        """
        return pack_segments(
            first,
            second,
            max_length=max_length,
            start=self.start,
            end=self.end,
            padding=self.padding,
        )
