"""A word is itself or its ending, in the graph and outside."""

import pytest
import tensorflow as tf

from kblocks import tokens
from kblocks.text import WordsOrEndings, WordVocabulary

SPOKEN = ["the", "dog", "sees", "the", "Dog", "sailing", "the", "dog", "sees", "1987", "1988"]


@pytest.fixture(scope="module")
def vocabulary() -> WordsOrEndings:
    return WordsOrEndings.count(SPOKEN, min_count=2)


def test_frequent_words_come_first_and_then_endings(vocabulary: WordsOrEndings) -> None:
    assert vocabulary.words.words == ("the", "dog", "sees")
    assert sorted(vocabulary.endings.words) == ["000", "dog", "ees", "the"]
    assert vocabulary.size == 4 + 3 + 4
    ids = vocabulary.ids(["dog", "hotdog", "2001", "sailing", ""]).numpy()
    assert ids[0] == 5
    assert [vocabulary.endings.words[i - 7] for i in ids[1:3]] == ["dog", "000"]
    assert ids[3:].tolist() == [tokens.UNKNOWN, tokens.PADDING]
    assert vocabulary.ending_ids(["dog"]).numpy()[0] == ids[1]


def test_in_a_graph_for_any_shape(vocabulary: WordsOrEndings) -> None:
    words = tf.constant([["the", "größer"], ["", "日本"]])
    found = tf.function(vocabulary.ids)(words)
    assert found.numpy().tolist() == vocabulary.ids(words).numpy().tolist()
    assert found.shape == (2, 2)


def test_neither_may_be_empty() -> None:
    with pytest.raises(ValueError, match="must hold at least one each"):
        WordsOrEndings(WordVocabulary([]), WordVocabulary(["ing"]))
    with pytest.raises(ValueError, match="None of the 2 words comes 2 times"):
        WordsOrEndings.count(["a", "b"])
