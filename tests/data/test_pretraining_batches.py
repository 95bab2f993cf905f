"""Pairs of sentences and whether they follow, rows of one passage, and the same rows again."""

import itertools
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from kblocks import tokens as marks
from kblocks.data import (
    Batches,
    PairMaker,
    TokenisedDocuments,
    cut_passages,
    pretraining_batches,
)
from kblocks.text import WordPieceVocabulary

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PAD, _, START, END, MASK = range(5)
WORDS = 3000
VOCABULARY = WordPieceVocabulary([*SPECIAL, *(f"w{i}" for i in range(WORDS))])


@pytest.fixture(scope="module")
def documents() -> TokenisedDocuments:
    """Every piece of all of them is another one, in order: an id tells where it is from."""
    rng = np.random.default_rng(0)
    number = itertools.count(5)
    made = [
        [[next(number) for _ in range(rng.integers(1, 9))] for _ in range(rng.integers(1, 40))]
        for _ in range(25)
    ]
    assert next(number) < 5 + WORDS
    return TokenisedDocuments.of(made)


def made(documents: TokenisedDocuments, **changes: Any) -> Batches:
    options: dict[str, Any] = {"batch_size": 8, "max_length": 32, "predictions": 5, **changes}
    return pretraining_batches(documents, VOCABULARY, **options)


def rows(batches: Batches, epochs: int = 1, hidden: bool = True) -> list[dict[str, Any]]:
    """Each row by itself, without padding, what was hidden put back into `whole`."""
    found = []
    for inputs, labels in batches.dataset.take(epochs * batches.steps).as_numpy_iterator():
        for i, tokens in enumerate(inputs["tokens"]):
            length = (tokens != PAD).sum()
            row = {name: values[i] for name, values in {**inputs, **labels}.items()}
            assert (tokens[length:] == PAD).all()
            assert (row["segments"][length:] == 0).all()
            row["tokens"], row["segments"] = tokens[:length], row["segments"][:length]
            real = row["masked"] != marks.NOTHING
            whole = row["tokens"].copy()
            if hidden:
                whole[row["positions"][real]] = row["masked"][real]
            found.append({**row, "whole": whole})
    return found


def segments(row: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """A and B, the special pieces taken off, which stand where they should."""
    whole, second = row["whole"], row["segments"] == 1
    a, b = whole[~second], whole[second]
    assert a[0] == START
    assert a[-1] == b[-1] == END
    assert (np.diff(row["segments"]) >= 0).all()
    return a[1:-1], b[:-1]


def place(documents: TokenisedDocuments, id: int) -> int:
    """The document that a piece is of."""
    begins = documents.sentences[documents.documents]
    return int(np.searchsorted(begins, id - 5, side="right")) - 1


def test_the_next_sentence_follows_and_the_other_is_of_another_document(
    documents: TokenisedDocuments,
) -> None:
    found = rows(made(documents), epochs=30)
    seen = {0: 0, 1: 0}
    for row in found:
        a, b = segments(row)
        assert len(row["tokens"]) <= 32
        assert len(a)
        assert len(b)
        assert (np.diff(a) == 1).all()
        assert (np.diff(b) == 1).all()
        of_a, of_b = place(documents, a[-1]), place(documents, b[0])
        assert a[-1] - 4 in documents.sentences  # it is divided between sentences
        assert b[0] - 5 in documents.sentences
        if row["next"]:
            assert of_a == of_b
            assert b[0] == a[-1] + 1
        else:
            assert of_a != of_b
        assert place(documents, b[-1]) == of_b
        seen[int(row["next"])] += 1
    assert seen[1] / len(found) == pytest.approx(0.5, abs=4 * 0.5 / len(found) ** 0.5)


@pytest.mark.slow
def test_lengths_do_not_tell_what_follows(documents: TokenisedDocuments) -> None:
    found = rows(made(documents), epochs=60)
    lengths = {
        follows: np.array([[*map(len, segments(row))] for row in found if row["next"] == follows])
        for follows in (0, 1)
    }
    for side in (0, 1):
        mean = [lengths[follows][:, side].mean() for follows in (0, 1)]
        assert mean[0] == pytest.approx(mean[1], abs=1.2)


def test_any_sentence_of_the_others_is_as_likely(documents: TokenisedDocuments) -> None:
    found = cut_passages(documents, 29, 2, shorter=0.0)
    make = PairMaker(documents, found)
    row, steps = 3, 4000
    draws = np.full((steps, 3), 0.7)
    draws[:, 2] = (np.arange(steps) + 0.5) / steps
    spans = make(tf.fill([steps], tf.constant(row, tf.int64)), tf.constant(draws, tf.float32))
    begun = np.searchsorted(documents.sentences, spans.second.numpy())
    own = found.document[row]
    first, end = documents.documents[own : own + 2]
    others = np.setdiff1d(np.arange(len(documents.sentences) - 1), np.arange(first, end))
    counts = np.bincount(begun, minlength=len(documents.sentences) - 1)
    assert (counts[first:end] == 0).all()
    assert np.ptp(counts[others]) <= 2


def test_passages_stand_side_by_side(documents: TokenisedDocuments) -> None:
    found = cut_passages(documents, 20, 1, shorter=0.0)
    lengths = np.diff(documents.sentences)
    places = [s for f, e in zip(found.first, found.end, strict=True) for s in range(f, e)]
    assert places == [*range(len(lengths))]
    for first, end, room, document in zip(*found, strict=True):
        total = lengths[first:end].sum()
        assert room == min(20, total)
        assert total - lengths[end - 1] < 20  # without the last sentence it is not full
        assert total >= 20 or end == documents.documents[document + 1]
    two = cut_passages(documents, 20, 2, shorter=0.3, seed=1)
    assert (two.end - two.first >= 2).all()
    full = two.room[two.end < documents.documents[two.document + 1]]
    assert (full < 20).mean() == pytest.approx(0.3, abs=0.12)
    assert full.min() >= 2


@pytest.mark.parametrize("objective", ["masked", "left_to_right"])
def test_rows_of_one_passage(documents: TokenisedDocuments, objective: Any) -> None:
    found = rows(
        made(documents, next_sentence=False, objective=objective, shorter=0.0),
        hidden=objective == "masked",
    )
    seen: list[int] = []
    for row in found:
        assert "next" not in row
        assert (row["segments"] == 0).all()
        assert row["whole"][0] == START
        assert row["whole"][-1] == END
        seen += row["whole"][1:-1].tolist()
        if objective == "left_to_right":
            np.testing.assert_array_equal(row["tokens"], row["whole"])
            length = len(row["tokens"])
            np.testing.assert_array_equal(row["positions"][: length - 1], np.arange(length - 1))
            np.testing.assert_array_equal(row["masked"][: length - 1], row["tokens"][1:])
            assert (row["masked"][length - 1 :] == marks.NOTHING).all()
    assert len(seen) == len({*seen}) > 0.85 * len(documents.ids)  # what fills no row is cut


def test_packed_rows_are_full_and_hold_all(documents: TokenisedDocuments) -> None:
    found = rows(made(documents, next_sentence=False, packed=True, shuffle=False))
    assert sorted({len(row["tokens"]) for row in found})[-1] == 32
    assert sum(len(row["tokens"]) < 32 for row in found) <= 1
    found.sort(key=lambda row: len(row["tokens"]) < 32)  # a bucket of its own, at the beginning
    text = np.concatenate([row["whole"][1:-1] for row in found]).tolist()
    expected: list[int] = []
    for d in range(documents.number):
        expected += [*np.concatenate(documents.sentences_of(d)), END]
    assert text == expected[:-1]


@pytest.mark.slow
def test_each_epoch_is_anew_or_as_the_first(documents: TokenisedDocuments) -> None:
    def two(dynamic: bool) -> list[list[bytes]]:
        batches = made(documents, dynamic=dynamic, shuffle=False)
        both = rows(batches, epochs=2)
        half = len(both) // 2
        return [[row["tokens"].tobytes() for row in part] for part in (both[:half], both[half:])]

    first, second = two(dynamic=True)
    assert sum(a == b for a, b in zip(first, second, strict=True)) < len(first) / 10
    fixed, again = two(dynamic=False)
    assert fixed == again == first


@pytest.mark.slow
def test_a_row_is_of_seed_epoch_and_number_alone(documents: TokenisedDocuments) -> None:
    def seen(epochs: int, **changes: Any) -> list[bytes]:
        return [row["tokens"].tobytes() for row in rows(made(documents, **changes), epochs)]

    keras.utils.set_random_seed(5)
    three = seen(3)
    steps = len(three) // 3
    keras.utils.set_random_seed(6)
    assert seen(1, first_epoch=2) == three[2 * steps :]
    # In batches of another size and order stand the same rows.
    assert sorted(seen(1, batch_size=5, shuffle=False)) == sorted(three[:steps])


@pytest.mark.slow
def test_batches_are_of_about_equal_lengths(documents: TokenisedDocuments) -> None:
    batches = made(documents, max_length=100, shorter=0.5, next_sentence=False)
    for inputs, labels in batches.dataset.take(batches.steps).as_numpy_iterator():
        lengths = (inputs["tokens"] != PAD).sum(1)
        assert inputs["tokens"].shape == inputs["segments"].shape == (len(lengths), lengths.max())
        assert inputs["positions"].shape == labels["masked"].shape == (len(lengths), 5)
        assert lengths.max() - lengths.min() <= max(16, lengths.max() / 3)
    full = made(documents, drop_remainder=True)
    assert {len(x["tokens"]) for x, _ in full.dataset.take(full.steps).as_numpy_iterator()} == {8}


def test_what_cannot_be_made() -> None:
    one = TokenisedDocuments.of([[[5, 6], [7]]])
    with pytest.raises(ValueError, match="needs two documents at least, and there is 1"):
        made(one)
    assert len(rows(made(one, next_sentence=False))) == 1
    with pytest.raises(ValueError, match="none of the documents has two sentences"):
        made(TokenisedDocuments.of([[[5, 6]], [[7]]]))
    with pytest.raises(ValueError, match="there is no document"):
        made(TokenisedDocuments.of([]), next_sentence=False)
    for changes, message in (
        ({"packed": True}, "`packed` rows have no next sentence"),
        ({"max_length": 4}, "`max_length` must be at least 5"),
        ({"objective": "all"}, "`objective` must be"),
        ({"batch_size": 99, "drop_remainder": True, "next_sentence": False}, "`batch_size`"),
    ):
        with pytest.raises(ValueError, match=message):
            made(one, **changes)
