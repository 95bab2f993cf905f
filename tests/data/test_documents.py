"""Documents from text, cut into pieces, held out, and counted."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from kblocks.data import (
    TokenisedDocuments,
    document_statistics,
    hold_out,
    read_documents,
    tokenise,
)
from kblocks.text import WordPieceVocabulary

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TEXT = "\ufeff one \r\ntwo two\n\n \nthree\n\n\nfour\nfive"
DOCUMENTS = [["one", "two two"], ["three"], ["four", "five"]]


def test_lines_and_empty_lines(tmp_path: Path) -> None:
    (tmp_path / "text").write_text(TEXT, newline="")
    assert read_documents(tmp_path / "text") == DOCUMENTS
    with gzip.open(tmp_path / "text.gz", "wb") as file:
        file.write(TEXT.encode())
    assert read_documents(tmp_path / "text.gz") == DOCUMENTS


def test_the_files_of_a_folder_by_name(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("last")
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"first\n\nsecond\n"))
    (tmp_path / "aa.txt").write_text("\n\n")  # an empty one says nothing
    (tmp_path / "notes.md").write_text("not text to train on")
    assert read_documents(tmp_path) == [["first"], ["second"], ["last"]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "text.txt holds no text"),
        (b"\n \n", "text.txt holds no text"),
        (b"good\n\nbad \xff\n", r"text.txt:3: the line is not UTF-8"),
    ],
)
def test_broken_files(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "text.txt").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_documents(tmp_path / "text.txt")


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no file \.txt or \.txt\.gz"):
        read_documents(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_documents(tmp_path / "none.txt")


def test_pieces_of_sentences_of_documents() -> None:
    vocabulary = WordPieceVocabulary([*SPECIAL, "a", "b", "##b"])
    texts = [["a", "\x00\u200b"], ["\x01"], [], ["ab b", "abb", "c"]]  # control characters vanish
    cut = tokenise(texts, vocabulary)
    assert cut.number == 2
    found = [[ids.tolist() for ids in cut.sentences_of(d)] for d in range(2)]
    assert found == [[[5]], [[5, 7, 6], [5, 7, 7], [1]]]
    assert cut.ids.dtype == "int32"
    assert cut.some(np.array([False, True])).sentences.tolist() == [0, 3, 6, 7]
    assert tokenise([], vocabulary).number == 0


def test_many_sentences_are_cut_as_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    vocabulary = WordPieceVocabulary([*SPECIAL, "a", "b"])
    texts = [["a b", "b"], ["a"], ["b b b", "a"]]
    whole = tokenise(texts, vocabulary)
    monkeypatch.setattr("kblocks.data.documents._AT_ONCE", 2)
    for a, b in zip(whole, tokenise(texts, vocabulary), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("count", "share", "expected"), [(2, 0.1, 1), (2, 0.9, 1), (100, 0.05, 5), (7, 0.5, 4)]
)
def test_every_so_manieth_is_held_out(count: int, share: float, expected: int) -> None:
    out = hold_out(count, share)
    assert out.shape == (count,)
    assert out.sum() == expected
    places = np.flatnonzero(out)
    assert np.ptp(np.diff(places)) <= 1 if len(places) > 2 else True  # spread evenly


def test_what_cannot_be_held_out() -> None:
    with pytest.raises(ValueError, match="of a single document none can be held out"):
        hold_out(1, 0.1)
    for share in (0.0, 1.0):
        with pytest.raises(ValueError, match="`held_out` must be over 0"):
            hold_out(5, share)


def test_figures_of_documents() -> None:
    sentences = [[[5] * n] for n in range(1, 22)]
    found = document_statistics(TokenisedDocuments.of([*sentences, [[1], [6, 6]]]), 1, 9)
    assert (found.documents, found.sentences, found.pieces) == (22, 23, 231 + 3)
    assert found.unknown == 1 / 234
    assert found.unused == 6
    lengths = [*range(1, 22), 1, 2]
    assert found.sentence_lengths == tuple(np.quantile(lengths, (0.05, 0.5, 0.95)).round())
    assert found.document_lengths[1] == np.median([*range(1, 22), 3]).round()
    assert "22 documents" in str(found)
    assert "0.43% unknown" in str(found)
