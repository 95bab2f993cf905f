"""GLUE's files: their columns, their labels, and rows that are broken."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from kblocks.data import read_glue, text_batches
from kblocks.data.glue import TASKS
from kblocks.text import WordPieceVocabulary
from tests.data.shared_data import ROOT, needs

FILES = {
    "CoLA/train.tsv": "gj04\t1\t\tIt rained.\nks08\t0\t*\tRained it the.\n",
    "SST-2.dev.tsv": "sentence\tlabel\nso good \t1\n",
    "MRPC/dev.tsv": "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\r\n1\t7\t8\ta b\tb a\r\n",
    "RTE/train.tsv": "index\tsentence1\tsentence2\tlabel\n0\ta\tb\tnot_entailment\n",
    "STS-B/train.tsv": 'index\tsentence1\tsentence2\tscore\n0\ta\t"b\t3.800\n',
}
EXPECTED = {
    ("CoLA", "train"): (("It rained.", "Rained it the."), None, [1, 0]),
    ("SST-2", "dev"): (("so good ",), None, [1]),
    ("MRPC", "dev"): (("a b",), ("b a",), [1]),
    ("RTE", "train"): (("a",), ("b",), [1]),
    ("STS-B", "train"): (("a",), ('"b',), [3.8]),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(text.encode())
    return tmp_path


@pytest.mark.parametrize(("task", "split"), EXPECTED)
def test_the_columns_of_each_task(folder: Path, task: str, split: str) -> None:
    assert tuple(read_glue(folder, task, split)) == EXPECTED[task, split]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("RTE/train.tsv", "index\tsentence1\tlabel\n", r"train.tsv:1: .* no column 'sentence2'"),
        ("RTE/train.tsv", "", r"train.tsv:1: .* no column 'sentence1'"),
        ("SST-2.dev.tsv", "sentence\tlabel\n", "has no example"),
        ("SST-2.dev.tsv", "sentence\tlabel\ngood\n", "tsv:2: expected 2 columns or more, got 1"),
        ("SST-2.dev.tsv", "sentence\tlabel\ngood\t2\n", r"tsv:2: the label must be one of .*'2'"),
        ("STS-B/train.tsv", "sentence1\tsentence2\tscore\na\tb\tnan\n", "tsv:2: .* a number"),
    ],
)
def test_broken_files(folder: Path, name: str, text: str, message: str) -> None:
    (folder / name).write_text(text)
    task, split = name.removesuffix(".tsv").replace("/", ".").rsplit(".", 1)
    with pytest.raises(ValueError, match=message):
        read_glue(folder, task, split)


def test_what_is_not_there(folder: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"neither WNLI/dev\.tsv nor WNLI\.dev\.tsv"):
        read_glue(folder, "WNLI", "dev")
    with pytest.raises(ValueError, match="`task` must be one of"):
        read_glue(folder, "ABC", "dev")


@needs("glue")
@pytest.mark.parametrize(
    ("task", "split", "count"),
    [("CoLA", "dev", 1043), ("MRPC", "dev", 408), ("RTE", "train", 2490), ("STS-B", "dev", 1500)],
)
def test_the_real_files(task: str, split: str, count: int) -> None:
    texts = read_glue(ROOT / "glue", task, split)
    assert len(texts) == len(texts.first) == count
    assert (texts.second is None) == (task == "CoLA")
    assert all(texts.first)
    assert len(set(texts.labels)) >= max(2, len(TASKS[task].classes))


def test_packed_files_are_read(folder: Path) -> None:
    path = folder / "SST-2.dev.tsv"
    with gzip.open(f"{path}.gz", "wb") as file:
        file.write(path.read_bytes())
    path.unlink()
    assert read_glue(folder, "SST-2", "dev").labels == [1]


@pytest.mark.slow
def test_batches_of_pairs() -> None:
    vocabulary = WordPieceVocabulary(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b"])
    first, second = ["a"] * 5 + ["a " * 30], ["b b"] * 6
    batches = text_batches(first, second, np.arange(6), vocabulary, 4, max_length=24, shuffle=False)
    found = [(x["tokens"].numpy(), y.numpy()) for x, y in batches.dataset.take(batches.steps)]
    assert batches.steps == 3
    assert [y.tolist() for _, y in found] == [[0, 1, 2, 3], [4], [5]]
    assert found[0][0].tolist() == [[2, 5, 3, 6, 6, 3]] * 4
    assert found[2][0].shape == (1, 24)
    with pytest.raises(ValueError, match="`batch_size`"):
        text_batches(first[:2], None, [0, 1], vocabulary, 4, drop_remainder=True)
