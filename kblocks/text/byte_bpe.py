"""GPT-2's vocabulary: byte-pair encoding of bytes, by the library `tokenizers`.

Text is cut into words, numbers and signs, each with the space before it; their UTF-8 bytes are
joined pair by pair, the pair learned first before the others (Radford, Wu, Child, Luan, Amodei,
Sutskever 2019, "Language Models are Unsupervised Multitask Learners", section 2.2;
https://github.com/openai/gpt-2, `encoder.py`). Every byte is a piece, so nothing is unknown.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kblocks.files import LARGEST_JSON, find_file, read_json, read_text

_PRINTABLE = (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))
_NO_UTF8 = re.compile("([\udc80-\udcff])")  # what "surrogateescape" makes of such bytes
_FORMATS = (("encoder.json", "vocab.bpe"), ("vocab.json", "merges.txt"), ("tokenizer.json", None))

AnyPath = str | os.PathLike[str]


def byte_alphabet() -> tuple[str, ...]:
    """The character that stands for each byte, from 0 to 255, in the pieces of GPT-2's vocabulary.

    Printable bytes are themselves; the others are U+0100, U+0101 ...: a space is `Ġ`.
    """
    others = (byte for byte in range(256) if byte not in _PRINTABLE)
    codes = {byte: byte for byte in _PRINTABLE}
    codes |= {byte: 256 + number for number, byte in enumerate(others)}
    return tuple(chr(codes[byte]) for byte in range(256))


class ByteBPE:
    """Ids for any text or bytes, which come back exactly.

    Bytes that are no UTF-8 have an id each. `<|endoftext|>` in a text is text, not the end.

    Args:
        pieces: The pieces, in the byte alphabet, in the order of the ids, from 0.
        merges: The pairs of pieces that are joined, the first learned first.
        end: The piece that ends a text.

    Attributes:
        pieces: A tuple of strings.
        size: The number of pieces.
        end: The id of the end: 50256 in GPT-2.

    Raises:
        ImportError: The library `tokenizers` is not installed.
        ValueError: A byte or the end has no piece, a piece stands there twice, or a merge names or
            makes one that is not there.

    Example:

    >>> from kblocks.text import ByteBPE, byte_alphabet
    >>> vocabulary = ByteBPE([*byte_alphabet(), "he", "<|endoftext|>"], merges=[("h", "e")])
    >>> vocabulary.encode(["hehe", "é", b"\\xff"])
    [[256, 256], [195, 169], [255]]
    >>> vocabulary.decode([256, 256])
    'hehe'
    >>> vocabulary.decode_bytes([255])
    b'\\xff'
    """

    def __init__(
        self,
        pieces: Iterable[str],
        merges: Iterable[tuple[str, str]],
        end: str = "<|endoftext|>",
    ) -> None:
        self.pieces = tuple(pieces)
        self.size = len(self.pieces)
        merges = list(merges)
        ids = {piece: id for id, piece in enumerate(self.pieces)}
        alphabet = byte_alphabet()
        if len(ids) < self.size:
            twice = next(piece for id, piece in enumerate(self.pieces) if ids[piece] != id)
            raise ValueError(f"`pieces` must differ, and {twice!r} stands there twice.")
        for byte, char in enumerate(alphabet):
            if char not in ids:
                raise ValueError(f"`pieces` must hold every byte; {byte:#04x}, {char!r}, is not.")
        if end not in ids:
            raise ValueError(f"`pieces` must hold the end, {end!r}.")
        for number, (left, right) in enumerate(merges, 1):
            for piece in (left, right, left + right):
                if piece not in ids:
                    raise ValueError(
                        f"merge {number}, {left!r} and {right!r}: {piece!r} is not in the pieces."
                    )
        self.end = ids[end]
        self._byte_ids = [ids[char] for char in alphabet]
        bytes_of = {char: byte for byte, char in enumerate(alphabet)}
        self._bytes = [
            # Pieces that were added, not learned, are plain text.
            bytes(bytes_of[c] for c in piece) if bytes_of.keys() >= set(piece) else piece.encode()
            for piece in self.pieces
        ]
        self._tokenizer = _tokenizer(ids, merges)

    @classmethod
    def load(cls, path: AnyPath, merges: AnyPath | None = None) -> "ByteBPE":
        """Read OpenAI's files, or Hugging Face's.

        Args:
            path: A folder of `encoder.json` and `vocab.bpe`, of `vocab.json` and `merges.txt`, or
                of `tokenizer.json`; or such a `.json` itself. Each may be gzipped (`.gz`).
            merges: The second file, where `path` is the first of two.

        Raises:
            FileNotFoundError: No such file.
            ImportError: The library `tokenizers` is not installed.
            ValueError: A file is no such vocabulary: not UTF-8, no JSON, larger than 64 MiB, an id
                is missing or stands there twice, a merge names a missing piece (names the file and,
                where there are lines, the line), or text would be cut otherwise than GPT-2 does.
        """
        first, second = (Path(path), merges) if not Path(path).is_dir() else _find(Path(path))
        content = read_json(first)
        if second is None:
            ids, pairs = _from_tokenizer(content, first)
        else:
            ids, pairs = content, _merges(Path(second), content)
        pieces = _in_order(ids, first)
        try:
            return cls(pieces, pairs)
        except ValueError as error:
            raise ValueError(f"{first}: {error}") from error

    def encode(self, texts: Iterable[str | bytes]) -> list[list[int]]:
        """Turn texts into ids, a list for each; no end is added.

        Args:
            texts: Strings, or bytes of any kind. A string with surrogates for bytes, as Python's
                "surrogateescape" makes them, stands for those bytes.

        Raises:
            ValueError: `texts` is a single text, or one holds a surrogate that stands for no byte.
        """
        if isinstance(texts, str | bytes):
            raise ValueError(f"`texts` must be a list of texts, got one: {texts[:20]!r}.")
        return [self._encode(text, place) for place, text in enumerate(texts)]

    def decode(self, ids: Iterable[int]) -> str:
        """Turn the ids of one text into a string; bytes that are no UTF-8 become U+FFFD.

        Raises:
            ValueError: An id is not in the vocabulary (names its place, from 0).
        """
        return self.decode_bytes(ids).decode("utf-8", "replace")

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """Turn the ids of one text into the very bytes that were encoded.

        Raises:
            ValueError: An id is not in the vocabulary (names its place, from 0).
        """
        ids = list(ids)
        for place, id in enumerate(ids):
            if not 0 <= id < self.size:
                raise ValueError(f"id {place}: {id} is not in the vocabulary of {self.size}.")
        return b"".join(self._bytes[id] for id in ids)

    def _encode(self, text: str | bytes, place: int) -> list[int]:
        if isinstance(text, bytes):
            text = text.decode("utf-8", "surrogateescape")
        found: list[int] = []
        for number, part in enumerate(_NO_UTF8.split(text)):
            if number % 2:
                found.append(self._byte_ids[ord(part) - 0xDC00])
                continue
            try:
                part.encode()
            except UnicodeEncodeError as error:
                raise ValueError(
                    f"text {place}: {part[error.start]!r} is half a character; pass bytes, or "
                    "encode the text with errors='replace' first."
                ) from error
            found += self._tokenizer.encode(part).ids
        return found


def _tokenizer(ids: dict[str, int], merges: list[tuple[str, str]]) -> Any:
    try:
        import tokenizers
    except ImportError as error:
        raise ImportError(
            "ByteBPE needs the library tokenizers: pip install 'kblocks[pretrained]'."
        ) from error
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(ids, merges))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    return tokenizer


def _find(folder: Path) -> tuple[Path, Path | None]:
    """The files of the first format that the folder has."""
    for names in _FORMATS:
        found = [find_file(folder, name) for name in names if name]
        if found[0] is None:
            continue
        if None in found:
            raise FileNotFoundError(
                f"{found[0]} is there, and {folder / str(names[1])} beside it is missing."
            )
        return found[0], found[1] if len(found) == 2 else None
    raise FileNotFoundError(
        f"{folder}: expected encoder.json and vocab.bpe, vocab.json and merges.txt, or "
        "tokenizer.json."
    )


def _in_order(ids: dict[str, Any], path: Path) -> list[str]:
    """The pieces in the order of their ids, which must be 0, 1, 2 ... without a hole."""
    pieces: dict[int, str] = {}
    for piece, id in ids.items():
        if type(id) is not int or id < 0:
            raise ValueError(f"{path}: the id of {piece!r} must be an integer from 0, got {id!r}.")
        if id in pieces:
            raise ValueError(f"{path}: {pieces[id]!r} and {piece!r} have the same id, {id}.")
        pieces[id] = piece
    hole = next((id for id in range(len(pieces)) if id not in pieces), None)
    if hole is not None:
        raise ValueError(f"{path}: no piece has the id {hole}, and ids go up to {max(pieces)}.")
    return [pieces[id] for id in range(len(pieces))]


def _merges(path: Path, ids: dict[str, Any]) -> list[tuple[str, str]]:
    lines = read_text(path, LARGEST_JSON).removesuffix("\n").split("\n")
    merges: dict[tuple[str, str], int] = {}
    for number, line in enumerate(lines, 1):
        if number == 1 and line.startswith("#version"):
            continue
        left, *others = line.rstrip("\r").split(" ")
        if len(others) != 1 or not left or not others[0]:
            raise ValueError(f"{path}:{number}: expected two pieces and a space, found {line!r}.")
        pair = (left, others[0])
        missing = next((p for p in (*pair, "".join(pair)) if p not in ids), None)
        if missing is not None:
            raise ValueError(f"{path}:{number}: the piece {missing!r} is not in the vocabulary.")
        if pair in merges:
            raise ValueError(f"{path}:{number}: the pair stands in line {merges[pair]} already.")
        merges[pair] = number
    return list(merges)


def _from_tokenizer(content: dict[str, Any], path: Path) -> tuple[dict[str, Any], list]:
    """Pieces and merges of Hugging Face's one file, if it cuts text as GPT-2 does."""
    try:
        model, cut = content["model"], content["pre_tokenizer"]
        wanted = [
            ("model.type", model.get("type", "BPE"), "BPE"),
            ("model.ignore_merges", model.get("ignore_merges") or False, False),
            ("model.dropout", model.get("dropout") or None, None),
            ("normalizer", content.get("normalizer"), None),
            ("pre_tokenizer.type", cut["type"], "ByteLevel"),
            ("pre_tokenizer.add_prefix_space", cut["add_prefix_space"], False),
            ("pre_tokenizer.use_regex", cut.get("use_regex", True), True),
        ]
        ids = dict(model["vocab"]) | {t["content"]: t["id"] for t in content["added_tokens"]}
        pairs = [m.split(" ") if isinstance(m, str) else m for m in model["merges"]]
        merges = [(str(left), str(right)) for left, right in pairs]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f"{path}: no tokenizer.json of a byte-level BPE ({error!r}); if it is the first of two "
            "files, pass the merges as well."
        ) from error
    for name, found, expected in wanted:
        if found != expected:
            raise ValueError(
                f"{path}: `{name}` must be {expected!r}, as in GPT-2, to be read; found {found!r}."
            )
    return ids, merges
