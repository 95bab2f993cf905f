"""Numbers for brackets, and back."""

from pathlib import Path

import pytest

from kblocks import tokens
from kblocks.text import BracketVocabulary

SEQUENCES = [
    ["(S", "(NP", "XX", ")", "(VP", "XX", "(NP", "XX", "XX", ")", ")", ")"],
    ["(NP", "XX", ")"],
]


def test_the_most_frequent_label_comes_first() -> None:
    vocabulary = BracketVocabulary.count(SEQUENCES)
    assert vocabulary.labels == ("NP", "S", "VP")
    assert vocabulary.size == 9
    ids = vocabulary.ids(SEQUENCES[0])
    assert ids.dtype == "int32"
    assert ids.tolist() == [7, 6, 4, 5, 8, 4, 6, 4, 4, 5, 5, 5]
    assert vocabulary.tokens(ids) == SEQUENCES[0]
    assert vocabulary.tokens([*ids, tokens.END, 0, 0]) == SEQUENCES[0]
    assert vocabulary.tokens([4, 0, 4]) == ["XX"]
    assert {vocabulary.word, vocabulary.close} == {4, 5}


def test_an_unknown_label_and_ids_without_a_token(tmp_path: Path) -> None:
    vocabulary = BracketVocabulary.count(SEQUENCES, min_count=2)
    assert vocabulary.labels == ("NP",)
    assert vocabulary.ids(["(NP", "(S"]).tolist() == [6, tokens.UNKNOWN]
    for wrong in (tokens.UNKNOWN, tokens.START, 7, -1):
        with pytest.raises(ValueError, match=f"id 1: {wrong} stands for no bracket and no word"):
            vocabulary.tokens([6, wrong])
    vocabulary.save(tmp_path / "labels.txt")
    assert BracketVocabulary.load(tmp_path / "labels.txt").labels == ("NP",)


def test_parts_of_speech_stand_behind_the_labels(tmp_path: Path) -> None:
    sequences = [["(S", "XX/NN", "(NP", "XX/DT", "XX/NN", ")", ")"]]
    vocabulary = BracketVocabulary.count(sequences)
    assert (vocabulary.labels, vocabulary.tags) == (("NP", "S"), ("NN", "DT"))
    assert (vocabulary.first_tag, vocabulary.size) == (8, 10)
    ids = vocabulary.ids([*sequences[0], "XX/VB", "XX"])
    assert ids.tolist() == [7, 8, 6, 9, 8, 5, 5, tokens.UNKNOWN, 4]
    assert vocabulary.tokens(ids[:7]) == sequences[0]
    vocabulary.save(tmp_path / "brackets.txt")
    loaded = BracketVocabulary.load(tmp_path / "brackets.txt")
    assert (loaded.labels, loaded.tags) == (vocabulary.labels, vocabulary.tags)
    assert BracketVocabulary(["NP"]).first_tag is None


def test_wrong_labels() -> None:
    with pytest.raises(ValueError, match="must differ, and 'NP' stands there twice"):
        BracketVocabulary(["NP", "NP"])
    with pytest.raises(ValueError, match="None of the 3 words comes 5 times"):
        BracketVocabulary.count(SEQUENCES, min_count=5)
