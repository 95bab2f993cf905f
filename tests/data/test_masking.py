"""What is hidden: how much, in which of three ways, never a special piece, words whole."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from kblocks import tokens as marks
from kblocks.data import Masking
from kblocks.data.masking import DRAWS
from kblocks.text import WordPieceVocabulary

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
VOCABULARY = WordPieceVocabulary(
    [*SPECIAL, *(f"w{i}" for i in range(60)), *(f"##p{i}" for i in range(35))]
)
PAD, UNKNOWN, START, END, MASK = range(5)
FIRST_PART = 65  # pieces from here on go on a word


def rows(count: int, time: int, seed: int = 0, parts: float = 0.4) -> np.ndarray:
    """`[CLS] a [SEP] b [SEP]` and padding, with unknown words among them."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(5, FIRST_PART, (count, time))
    ids = np.where(rng.random(ids.shape) < parts, rng.integers(FIRST_PART, 100, ids.shape), ids)
    ids[rng.random(ids.shape) < 0.03] = UNKNOWN
    lengths = rng.integers(time // 2, time + 1, count)
    for row, length in zip(ids, lengths, strict=True):
        row[0], row[length // 2], row[length - 1], row[length:] = START, END, END, PAD
    return ids.astype("int32")


def draws(count: int, time: int, seed: int = 1) -> tf.Tensor:
    return tf.random.stateless_uniform([count, time, DRAWS], [seed, 0])


def hidden(ids: np.ndarray, seed: int = 1, **options: Any) -> tuple[np.ndarray, ...]:
    inputs, labels = Masking(VOCABULARY, **options)(tf.constant(ids), draws(*ids.shape, seed))
    return inputs["tokens"].numpy(), inputs["positions"].numpy(), labels.numpy()


def words(row: np.ndarray) -> list[list[int]]:
    """The places of each word's pieces, one by one."""
    found: list[list[int]] = []
    for place, id in enumerate(row):
        if id < 5:
            continue
        goes_on = id >= FIRST_PART and place > 0 and row[place - 1] >= 5
        if goes_on:
            found[-1].append(place)
        else:
            found.append([place])
    return found


@pytest.mark.parametrize("whole_words", [False, True])
def test_labels_are_what_stood_there_and_the_rest_is_as_it_was(whole_words: bool) -> None:
    ids = rows(200, 40)
    shown, positions, labels = hidden(ids, most=8, whole_words=whole_words)
    assert positions.shape == labels.shape == (200, 8)
    assert shown.dtype == positions.dtype == labels.dtype == "int32"
    for before, after, at, said in zip(ids, shown, positions, labels, strict=True):
        real = said != marks.NOTHING
        assert real.any()
        assert (np.diff(real.astype(int)) <= 0).all()
        assert (at[~real] == 0).all()
        assert (np.diff(at[real]) > 0).all()
        np.testing.assert_array_equal(before[at[real]], said[real])
        others = np.setdiff1d(np.arange(40), at[real])
        np.testing.assert_array_equal(before[others], after[others])
        assert (before[at[real]] >= 5).all()  # never a special piece
        assert ((after[at[real]] >= 5) | (after[at[real]] == MASK)).all()


def test_80_10_10() -> None:
    ids = rows(4000, 64)
    shown, positions, labels = hidden(ids, most=20)
    real = labels != marks.NOTHING
    after = np.take_along_axis(shown, positions, 1)[real]
    before = labels[real]
    assert len(before) > 25_000
    masked, same = after == MASK, after == before
    other = ~masked & ~same
    # Of 95 pieces, one in 95 of those put in the place is the one that stood there.
    assert masked.mean() == pytest.approx(0.8, abs=0.01)
    assert other.mean() == pytest.approx(0.1 * 94 / 95, abs=0.007)
    assert same.mean() == pytest.approx(0.1 + 0.1 / 95, abs=0.007)
    assert {*after[other].tolist()} == {*range(5, 100)}  # any piece but the special ones
    free = (ids >= 5).sum(1)
    assert (real.sum(1) == np.clip(np.round(0.15 * free), 1, 20)).all()


def test_all_places_are_as_likely() -> None:
    ids = np.tile(rows(1, 30, parts=0.5), (6000, 1))
    for whole_words in (False, True):
        _, positions, labels = hidden(ids, whole_words=whole_words)
        counts = np.bincount(positions[labels != marks.NOTHING], minlength=30)
        free = ids[0] >= 5
        assert (counts[~free] == 0).all()
        share = counts[free] / 6000
        if not whole_words:
            wanted = np.round(0.15 * free.sum()) / free.sum()
            np.testing.assert_allclose(share, wanted, atol=0.02)
        else:  # the last word may exceed the share, whichever it is
            assert share.min() > 0.1
            assert np.ptp(share) < 0.12


def test_words_are_hidden_whole() -> None:
    ids = rows(300, 48, parts=0.6)
    _, positions, labels = hidden(ids, most=9, whole_words=True)
    several = 0
    for row, at, said in zip(ids, positions, labels, strict=True):
        places = {*at[said != marks.NOTHING].tolist()}
        assert len(places) <= 9
        for word in words(row):
            assert places.isdisjoint(word) or places.issuperset(word)
            several += len(word) > 1 and places.issuperset(word)
        # Only the last word that is drawn may be more than the share, if there is room for it.
        longest = max(map(len, words(row)))
        assert len(places) < max(1, round(0.15 * (row >= 5).sum())) + longest
    assert several > 100


def test_a_word_longer_than_what_may_be_said_stays() -> None:
    ids = np.array([[START, 5, 70, 71, 72, END]], "int32")
    shown, _, labels = hidden(ids, most=3, whole_words=True)
    np.testing.assert_array_equal(shown, ids)
    assert (labels == marks.NOTHING).all()
    assert (hidden(ids, most=4, whole_words=True)[2] == [[5, 70, 71, 72]]).all()


def test_nothing_to_hide() -> None:
    ids = np.array([[START, END, UNKNOWN, END, PAD]], "int32")
    shown, _, labels = hidden(ids)
    np.testing.assert_array_equal(shown, ids)
    assert (labels == marks.NOTHING).all()


def test_bad_arguments() -> None:
    for changes, name in (
        ({"share": 0.0}, "share"),
        ({"share": 1.1}, "share"),
        ({"most": 0}, "most"),
    ):
        with pytest.raises(ValueError, match=f"`{name}` must be"):
            Masking(VOCABULARY, **changes)
    with pytest.raises(ValueError, match="a piece that is not special"):
        Masking(WordPieceVocabulary(SPECIAL))
