"""A WordPiece vocabulary that is learned from text."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kblocks.text import WordPieceVocabulary

pytest.importorskip("tokenizers", reason="needs tokenizers, the extra `pretrained`")

LINES = ["the rain in Spain", "stays mainly in the plain", "Ünder the rain, the RAIN!"] * 3


def test_frequent_words_are_pieces_and_all_words_can_be_put_together() -> None:
    vocabulary = WordPieceVocabulary.train(LINES, 60)
    assert vocabulary.pieces[:5] == ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    assert vocabulary.size <= 60
    assert {"the", "rain", "##ain", ",", "!"} <= {*vocabulary.pieces}
    ids = vocabulary.encode([*LINES, "a plain train is under"])
    assert (ids.flat_values != vocabulary.unknown).numpy().all()
    assert vocabulary.decode(ids[:1]).numpy()[0] == b"the rain in spain"
    assert len(vocabulary.encode(["the"])[0]) == 1


def test_more_pieces_make_shorter_texts() -> None:
    sizes = [WordPieceVocabulary.train(LINES, size) for size in (40, 50, 1000)]
    assert sizes[0].size == 40
    assert sizes[2].size < 200  # there is no more to learn
    counts = [len(vocabulary.encode(LINES).flat_values) for vocabulary in sizes]
    assert counts == sorted({*counts}, reverse=True)


def test_case_and_accents() -> None:
    cased = {*WordPieceVocabulary.train(LINES, 200, lower_case=False).pieces}
    assert {"Ü", "R", "##A", "Spain"} <= cased
    assert "S" not in WordPieceVocabulary.train(LINES, 200).pieces


def test_words_with_rare_characters_are_unknown() -> None:
    vocabulary = WordPieceVocabulary.train([*LINES, "漢字 ω"], 80, characters=16)
    assert not {"漢", "ω"} & {*vocabulary.pieces}
    assert vocabulary.encode(["rain ω"]).to_list()[0][1:] == [vocabulary.unknown]


def test_text_that_does_not_do() -> None:
    for lines in ([], ["", " \t"]):
        with pytest.raises(ValueError, match="there is no text to learn pieces from"):
            WordPieceVocabulary.train(lines, 50)
    with pytest.raises(ValueError, match=r"`size` must be at least \d\d, .* got 10"):
        WordPieceVocabulary.train(LINES, 10)
    learned = WordPieceVocabulary.train([b"caf\xe9 \xff", "[MASK] ##x"], 50)  # type: ignore[list-item]
    assert np.isin(["[", "##x", "f"], learned.pieces).tolist() == [True, False, True]


@pytest.mark.slow
def test_another_process_learns_the_same(tmp_path: Path) -> None:
    program = (
        "import sys; from kblocks.text import WordPieceVocabulary;"
        f"WordPieceVocabulary.train({LINES!r}, 60).save(sys.argv[1])"
    )
    path = tmp_path / "vocab.txt"
    subprocess.run([sys.executable, "-c", program, str(path)], check=True, timeout=300)
    assert WordPieceVocabulary.load(path).pieces == WordPieceVocabulary.train(LINES, 60).pieces
