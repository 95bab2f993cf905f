"""The batches: each pair once an epoch, in an order that seed and epoch alone decide."""

import itertools
from collections import Counter

import keras
import numpy as np
import pytest

from kblocks import tokens
from kblocks.data import Batches, translation_batches
from kblocks.text import SubwordVocabulary

Seen = list[tuple[np.ndarray, np.ndarray, np.ndarray]]


@pytest.fixture(scope="module")
def vocabulary() -> SubwordVocabulary:
    return SubwordVocabulary.train(["ab cd ef gh", "ij kl mn op"], size=290)


@pytest.fixture(scope="module")
def pairs() -> list[tuple[str, str]]:
    """All different, of 1 to about 40 subwords, two too long and one empty."""
    rng = np.random.default_rng(0)
    words = ["ab", "cd", "ef", "gh", "ij", "kl"]
    made = [tuple(" ".join(rng.choice(words, 1 + i % 14)) for _ in "st") for i in range(150)]
    made = [(f"{source} a{i}", target) for i, (source, target) in enumerate(made)]
    return [*made, ("ab " * 90, "cd"), ("cd", "ab " * 90), ("ab", " ")]


def batches_of(pairs: list, vocabulary: SubwordVocabulary, **changes: int) -> Batches:
    arguments = {"batch_size": 8, "max_length": 64, "seed": 3, **changes}
    return translation_batches(pairs, vocabulary, vocabulary, **arguments)


def epochs(batches: Batches, count: int = 1) -> Seen:
    taken = itertools.islice(batches.dataset.as_numpy_iterator(), count * batches.steps)
    return [(inputs["source"], inputs["target"], labels) for inputs, labels in taken]


def rows(batches: Seen) -> list[tuple]:
    return [
        tuple(tuple(int(y) for y in ids if y != tokens.PADDING) for ids in row)
        for batch in batches
        for row in zip(*batch, strict=True)
    ]


def assert_same(left: Seen, right: Seen) -> None:
    assert len(left) == len(right)
    for a, b in zip(left, right, strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y)


def test_each_pair_once_in_each_epoch(pairs: list, vocabulary: SubwordVocabulary) -> None:
    batches = batches_of(pairs, vocabulary)
    assert batches.left_out == 3
    both = epochs(batches, 2)
    expected = Counter()
    for source, target in pairs[:-3]:
        s, t = (vocabulary.encode([side]).to_list()[0] for side in (source, target))
        expected[((*s, tokens.END), (tokens.START, *t), (*t, tokens.END))] += 1
    first, second = both[: batches.steps], both[batches.steps :]
    assert Counter(rows(first)) == Counter(rows(second)) == expected
    assert rows(first) != rows(second)


def test_batches_are_padded_and_of_about_equal_lengths(
    pairs: list, vocabulary: SubwordVocabulary
) -> None:
    seen = epochs(batches_of(pairs, vocabulary))
    assert max(len(source) for source, _, _ in seen) == 8
    widths = []
    for source, target, labels in seen:
        assert source.dtype == target.dtype == labels.dtype == "int32"
        assert target.shape == labels.shape
        for ids in (source, target, labels):
            real = ids != tokens.PADDING
            assert real.any(axis=0).all()  # no column of padding alone
            assert (np.diff(real.astype(int), axis=1) <= 0).all()  # padding stands behind
        longest = np.maximum((source != 0).sum(1), (labels != 0).sum(1))
        assert longest.max() - longest.min() <= max(8, longest.max() // 2)
        widths.append(longest.max())
    # Short and long ones are mixed: not sorted, either way.
    assert not np.array_equal(widths, sorted(widths))
    assert not np.array_equal(widths, sorted(widths, reverse=True))


@pytest.mark.slow
def test_the_order_is_of_seed_and_epoch_alone(pairs: list, vocabulary: SubwordVocabulary) -> None:
    keras.utils.set_random_seed(5)
    three = epochs(batches_of(pairs, vocabulary), 3)
    steps = len(three) // 3
    keras.utils.set_random_seed(6)
    assert_same(epochs(batches_of(pairs, vocabulary), 2), three[: 2 * steps])
    assert_same(epochs(batches_of(pairs, vocabulary, first_epoch=2)), three[2 * steps :])
    other = epochs(batches_of(pairs, vocabulary, seed=4))
    assert rows(other) != rows(three[:steps])
    assert Counter(rows(other)) == Counter(rows(three[:steps]))


def test_what_is_too_long_is_left_out(pairs: list, vocabulary: SubwordVocabulary) -> None:
    batches = batches_of(pairs, vocabulary, max_length=9)
    lengths = [[len(vocabulary.encode([side]).to_list()[0]) for side in pair] for pair in pairs]
    kept = sum(min(pair) > 0 and max(pair) <= 9 for pair in lengths)
    assert batches.left_out == len(pairs) - kept
    seen = epochs(batches)
    assert len(rows(seen)) == kept
    assert max(ids.shape[1] for batch in seen for ids in batch) == 10  # start or end besides


def test_one_pair_is_enough_and_none_is_not(vocabulary: SubwordVocabulary) -> None:
    batches = batches_of([("ab", "cd")], vocabulary)
    assert (batches.steps, batches.left_out) == (1, 0)
    assert len(epochs(batches, 3)) == 3
    with pytest.raises(ValueError, match="None of the 1 pairs has 1 to 2 subwords on both sides"):
        batches_of([("ab cd ef", "cd")], vocabulary, max_length=2)


def test_no_thread_sleeps_beside_the_batches(pairs: list, vocabulary: SubwordVocabulary) -> None:
    # Letting go of an iterator would wait for it: see `kblocks.data.pipelines.prefetched`.
    assert not batches_of(pairs, vocabulary).dataset.options().autotune.enabled
