"""Documents written to shards come back; what is damaged is named."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from kblocks.data import TokenisedDocuments, read_shards, write_shards
from kblocks.text import WordPieceVocabulary

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
VOCABULARY = WordPieceVocabulary([*SPECIAL, "a", "B"], lower_case=False)
DOCUMENTS = TokenisedDocuments.of([[[5], [6, 5, 1]], [[6] * 300], [[5, 5]], [[1]], [[6], [6]]])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_shards(DOCUMENTS, VOCABULARY, tmp_path / "shards", shards=2)
    return tmp_path / "shards"


def shards(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.tfrecord"))


def rewrite(path: Path, lists: dict[str, list[int]]) -> None:
    """Put one record in the place of all."""
    features = {
        name: tf.train.Feature(int64_list=tf.train.Int64List(value=values))
        for name, values in lists.items()
    }
    with tf.io.TFRecordWriter(str(path)) as file:
        example = tf.train.Example(features=tf.train.Features(feature=features))
        file.write(example.SerializeToString())


def test_there_and_back(folder: Path) -> None:
    names = [path.name for path in shards(folder)]
    assert names == [f"documents-0000{i}-of-00002.tfrecord" for i in range(2)]
    found = read_shards(folder)
    for ours, theirs in zip(found.documents, DOCUMENTS, strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype
    assert found.vocabulary.pieces == VOCABULARY.pieces
    assert not found.vocabulary.lower_case
    assert [path.name for path in folder.parent.iterdir()] == ["shards"]


def test_what_cannot_be_written(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(FileExistsError, match="shards exists"):
        write_shards(DOCUMENTS, VOCABULARY, folder)
    for count in (0, 6):
        with pytest.raises(ValueError, match="`shards` must be from 1 to 5"):
            write_shards(DOCUMENTS, VOCABULARY, tmp_path / "other", count)
    assert not (tmp_path / "other").exists()


def test_damaged_bytes(folder: Path) -> None:
    path = shards(folder)[0]
    whole = path.read_bytes()
    for broken, number in (
        (whole[:20] + bytes([whole[20] ^ 1]) + whole[21:], 0),
        (whole[:-7], 2),
    ):
        path.write_bytes(broken)
        with pytest.raises(
            ValueError, match=rf"00000-of-00002.tfrecord: record {number} .* damaged"
        ):
            read_shards(folder)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"00000-of-00002.tfrecord is missing"):
        read_shards(folder)


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ({"pieces": [5, 6], "lengths": [1]}, "record 0 .* is no document"),
        ({"pieces": [5, 6], "lengths": [2, 0]}, "record 0 .* is no document"),
        ({"pieces": [5, 6], "lengths": [3, -1]}, "record 0 .* is no document"),
        ({"pieces": [], "lengths": []}, "record 0 .* is no document"),
        ({"pieces": [5, 7], "lengths": [2]}, "record 0 .* ids that the 7 pieces"),
        ({"pieces": [-1], "lengths": [1]}, "record 0 .* ids that the 7 pieces"),
        ({"pieces": [5]}, "record 0 .* is no document"),
        ({"pieces": [5], "lengths": [1]}, "has 1 documents, and shards.json says 2"),
    ],
)
def test_records_that_are_no_documents(
    folder: Path, lists: dict[str, list[int]], message: str
) -> None:
    rewrite(shards(folder)[1], lists)
    with pytest.raises(ValueError, match=f"00001-of-00002.tfrecord.*{message}"):
        read_shards(folder)


@pytest.mark.parametrize(
    "index",
    [
        "",
        "[]",
        "{}",
        json.dumps({"lower_case": 1, "documents": {"a": 1}}),
        json.dumps({"lower_case": True, "documents": {"../a": 1}}),
        json.dumps({"lower_case": True, "documents": {"a": "1"}}),
        json.dumps({"lower_case": True, "documents": {}}),
    ],
)
def test_a_broken_index(folder: Path, index: str) -> None:
    (folder / "shards.json").write_text(index)
    with pytest.raises(ValueError, match=r"shards\.json: "):
        read_shards(folder)


def test_a_record_that_is_no_example(folder: Path) -> None:
    with tf.io.TFRecordWriter(str(shards(folder)[0])) as file:
        file.write(b"\xff\xff\xff not an example")
    with pytest.raises(ValueError, match=r"record 0 .* is damaged"):
        read_shards(folder)
