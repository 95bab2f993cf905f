"""Tokenised documents in TFRecord files, so that a large text is cut only once.

A folder holds `shards.json`, `vocab.txt` and files `documents-00000-of-00004.tfrecord`. A record is
a document, a `tf.train.Example` of two lists of integers: `pieces`, the ids of all its sentences,
and `lengths`, how many of them each sentence has.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from kblocks.data.documents import TokenisedDocuments
from kblocks.text import WordPieceVocabulary

INDEX = "shards.json"
_LARGEST_INDEX = 1 << 20


class ShardedDocuments(NamedTuple):
    """What a folder of shards holds."""

    documents: TokenisedDocuments
    vocabulary: WordPieceVocabulary


def write_shards(
    documents: TokenisedDocuments,
    vocabulary: WordPieceVocabulary,
    folder: str | os.PathLike[str],
    shards: int = 1,
) -> None:
    """Write documents and their vocabulary, whole or not at all.

    Args:
        documents: Laid side by side over the shards.
        vocabulary: With which they were cut.
        folder: Where; it must not exist.
        shards: How many files, at most as many as there are documents.

    Raises:
        FileExistsError: The folder exists.
        ValueError: `shards` is out of its range.
    """
    folder = Path(folder)
    if folder.exists():
        raise FileExistsError(f"{folder} exists: choose another one, or remove it first.")
    if not 1 <= shards <= documents.number:
        raise ValueError(
            f"`shards` must be from 1 to {documents.number}, the documents, got {shards!r}."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        counts = {}
        for shard, some in enumerate(np.array_split(np.arange(documents.number), shards)):
            name = f"documents-{shard:05}-of-{shards:05}.tfrecord"
            with tf.io.TFRecordWriter(str(beside / name)) as file:
                for document in some:
                    file.write(_record(documents.sentences_of(document)))
            counts[name] = len(some)
        vocabulary.save(beside / "vocab.txt")
        index = {"lower_case": vocabulary.lower_case, "documents": counts}
        (beside / INDEX).write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
        beside.chmod(0o755)
        beside.rename(folder)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def read_shards(folder: str | os.PathLike[str]) -> ShardedDocuments:
    """Read what `write_shards` wrote.

    Args:
        folder: With the shards.

    Returns:
        The documents, in the order in which they were written, and their vocabulary.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A file is damaged or does not fit the others (names it, and the record).
    """
    folder = Path(folder)
    lower_case, counts = _index(folder / INDEX)
    vocabulary = WordPieceVocabulary.load(folder / "vocab.txt", lower_case)
    found = (
        document
        for name, count in counts.items()
        for document in _documents(folder / name, count, vocabulary.size)
    )
    return ShardedDocuments(TokenisedDocuments.of(found), vocabulary)


def _record(sentences: list[np.ndarray]) -> bytes:
    lists = {"pieces": np.concatenate(sentences), "lengths": np.array([*map(len, sentences)])}
    features = {
        name: tf.train.Feature(int64_list=tf.train.Int64List(value=values))
        for name, values in lists.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def _index(path: Path) -> tuple[bool, dict[str, int]]:
    """Whether text is lower-cased, and how many documents each file has."""
    with path.open("rb") as file:
        content = file.read(_LARGEST_INDEX)
    try:
        index = json.loads(content)
        lower_case, counts = index["lower_case"], index["documents"]
        fits = isinstance(lower_case, bool) and all(
            Path(name).name == name and type(count) is int and count > 0
            for name, count in counts.items()
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path}: missing or damaged content ({error}).") from error
    if not fits or not counts:
        raise ValueError(f"{path}: expected the name of each shard and its number of documents.")
    return lower_case, counts


def _documents(path: Path, count: int, size: int) -> Iterator[list[np.ndarray]]:
    """The documents of a shard, each checked."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing, and {INDEX} beside it names it.")
    number = 0
    records = iter(tf.data.TFRecordDataset(str(path)))
    while True:
        try:
            record = next(records, None)
            if record is None:
                break
            features = tf.train.Example.FromString(record.numpy()).features.feature
        except (tf.errors.DataLossError, DecodeError) as error:
            raise ValueError(f"{path}: record {number} (from 0) is damaged.") from error
        pieces, lengths = (
            np.array(features[name].int64_list.value, "int64") for name in ("pieces", "lengths")
        )
        if lengths.sum() != len(pieces) or (lengths < 1).any() or not len(pieces):
            raise ValueError(f"{path}: record {number} (from 0) is no document of sentences.")
        if pieces.min() < 0 or pieces.max() >= size:
            raise ValueError(
                f"{path}: record {number} (from 0) has ids that the {size} pieces of vocab.txt do "
                "not have."
            )
        yield np.split(pieces, np.cumsum(lengths)[:-1])
        number += 1
    if number != count:
        raise ValueError(f"{path} has {number} documents, and {INDEX} says {count}.")
