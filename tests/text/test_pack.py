"""Segments between special ids, cut as BERT's own program cuts them."""

import random

import numpy as np
import pytest
import tensorflow as tf

from kblocks.text import pack_segments
from tests.reference.word_piece import truncate_pair

IDS = {"start": 2, "end": 3, "padding": 0}


def ragged(rows: list[list[int]], dtype: str = "int32") -> tf.RaggedTensor:
    return tf.ragged.constant(rows, dtype, ragged_rank=1)


def padded(rows: list[list[int]], padding: int) -> list[list[int]]:
    width = max(map(len, rows))
    return [row + [padding] * (width - len(row)) for row in rows]


@pytest.mark.parametrize("max_length", [3, 4, 5, 8, 11, 12, 40])
def test_pairs_as_the_reference(max_length: int) -> None:
    lengths = [(m, n) for m in range(9) for n in range(9)]
    chance = random.Random(1)
    firsts = [[chance.randrange(10, 99) for _ in range(m)] for m, _ in lengths]
    seconds = [[chance.randrange(10, 99) for _ in range(n)] for _, n in lengths]
    packed = pack_segments(ragged(firsts), ragged(seconds), max_length=max_length, **IDS)
    tokens, segments = [], []
    for first, second in zip(firsts, seconds, strict=True):
        a, b = truncate_pair(first, second, max_length - 3)
        tokens.append([2, *a, 3, *b, 3])
        segments.append([0] * (len(a) + 2) + [1] * (len(b) + 1))
    assert packed["tokens"].numpy().tolist() == padded(tokens, 0)
    assert packed["segments"].numpy().tolist() == padded(segments, 0)
    assert packed["tokens"].dtype == packed["segments"].dtype == tf.int32


@pytest.mark.parametrize("max_length", [2, 3, 5, 9])
def test_one_segment(max_length: int) -> None:
    rows = [list(range(10, 10 + n)) for n in range(6)]
    packed = pack_segments(ragged(rows, "int64"), max_length=max_length, start=2, end=3, padding=7)
    expected = padded([[2, *row[: max_length - 2], 3] for row in rows], 7)
    assert packed["tokens"].numpy().tolist() == expected
    np.testing.assert_array_equal(packed["segments"], np.zeros_like(expected))
    assert packed["tokens"].dtype == tf.int32


def test_another_id_between() -> None:
    """As GPT has it: start, text, delimiter, text, extract."""
    ids = {"max_length": 9, "start": 20, "between": 21, "end": 22, "padding": -1}
    packed = pack_segments(ragged([[5, 6], [7]]), ragged([[8], []]), **ids)
    assert packed["tokens"].numpy().tolist() == [[20, 5, 6, 21, 8, 22], [20, 7, 21, 22, -1, -1]]
    alone = pack_segments(ragged([[5, 6], [7]]), **ids)
    assert alone["tokens"].numpy().tolist() == [[20, 5, 6, 22], [20, 7, 22, -1]]


def test_no_rows() -> None:
    none = tf.RaggedTensor.from_row_splits(tf.zeros([0], tf.int32), [0])
    packed = pack_segments(none, none, max_length=8, **IDS)
    assert packed["tokens"].shape == packed["segments"].shape == (0, 1)


def test_wrong_arguments() -> None:
    one, two = ragged([[5]]), ragged([[5], [6]])
    with pytest.raises(ValueError, match="`max_length` must be at least 3, the special ids, got 2"):
        pack_segments(one, one, max_length=2, **IDS)
    with pytest.raises(ValueError, match="`max_length` must be at least 2, the special ids, got 1"):
        pack_segments(one, max_length=1, **IDS)
    with pytest.raises(ValueError, match="`second` must be a ragged tensor of shape"):
        pack_segments(one, tf.constant([[5]]), max_length=8, **IDS)
    with pytest.raises(ValueError, match="must have as many rows, got 1 and 2"):
        pack_segments(one, two, max_length=8, **IDS)
