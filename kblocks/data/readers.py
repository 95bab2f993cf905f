"""Readers of parallel text in its two public forms: TSV of two columns, two files by line."""

import gzip
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

Pairs = list[tuple[str, str]]

MAX_LINE_BYTES = 1 << 20


def read_lines(path: str | os.PathLike[str]) -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, text without its line end) of a UTF-8 file, plain or `.gz`.

    Args:
        path: The file; a name that ends in `.gz` is read through gzip.

    Raises:
        FileNotFoundError: No such file.
        ValueError: A line is not UTF-8 or longer than 1 MiB, or the gzip data are damaged; names
            the file and the line.
    """
    path = Path(path)
    number = 0
    opener = gzip.open if path.suffix == ".gz" else open
    with cast(BinaryIO, opener(path, "rb")) as file:
        try:
            while raw := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(raw) > MAX_LINE_BYTES:
                    raise ValueError(f"{path}:{number}: the line is longer than 1 MiB.")
                # A byte order mark may open the first line; it is no text.
                encoding = "utf-8-sig" if number == 1 else "utf-8"
                yield number, raw.decode(encoding).rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{path}:{number}: the line is not UTF-8 (byte {error.start} of it); "
                "convert the file to UTF-8."
            ) from error
        except (EOFError, zlib.error, OSError) as error:
            if isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile):
                raise
            raise ValueError(f"{path}: damaged gzip data after line {number}: {error}") from error


def read_pairs(path: str | os.PathLike[str]) -> Pairs:
    """Read sentence pairs from a file of two tab-separated columns, `source TAB target`.

    Args:
        path: A UTF-8 file, plain or `.gz`.

    Returns:
        A list of (source, target), each stripped of outer white space.

    Raises:
        FileNotFoundError: No such file.
        ValueError: A row has not exactly two columns that are not empty (names file and line), or
            the file has no row.

    Example:

    >>> import pathlib, tempfile
    >>> from kblocks.data import read_pairs
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "pairs.tsv"
    >>> _ = path.write_text("Good morning.\\tGuten Morgen.\\n")
    >>> read_pairs(path)
    [('Good morning.', 'Guten Morgen.')]
    """
    pairs = []
    for number, line in read_lines(path):
        columns = [column.strip() for column in line.split("\t")]
        if len(columns) != 2 or not all(columns):
            filled = sum(map(bool, columns))
            raise ValueError(
                f"{path}:{number}: expected two columns, source TAB target, "
                f"found {filled} filled of {len(columns)}."
            )
        pairs.append((columns[0], columns[1]))
    return _not_empty(pairs, path)


def read_parallel(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> Pairs:
    """Read sentence pairs from two files in which equal line numbers belong together.

    Args:
        source: A UTF-8 file, plain or `.gz`, a sentence a line.
        target: The same for the other language.

    Returns:
        A list of (source, target), each stripped of outer white space. Pairs in which a side is
        empty (corpora have them) are left out.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The files have different numbers of lines, or hold no pair.
    """
    sources = [line.strip() for _, line in read_lines(source)]
    targets = [line.strip() for _, line in read_lines(target)]
    if len(sources) != len(targets):
        raise ValueError(
            f"{source} has {len(sources)} lines and {target} has {len(targets)}: "
            "line by line they must belong together."
        )
    pairs = [(s, t) for s, t in zip(sources, targets, strict=True) if s and t]
    return _not_empty(pairs, f"{source}, {target}")


def _not_empty(pairs: Pairs, path: object) -> Pairs:
    if not pairs:
        raise ValueError(f"{path}: the file holds no sentence pair.")
    return pairs
