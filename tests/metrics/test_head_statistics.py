"""Entropy and distance of heads against values worked out by hand."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from kblocks.metrics import head_statistics


def test_values_by_hand():
    weights = np.zeros((1, 2, 2, 3, 3))
    weights[0, 0, 0] = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]  # itself
    weights[0, 0, 1] = [[0, 0, 1], [0, 1, 0], [1, 0, 0]]  # the mirrored one: 2, 0, 2 away
    weights[0, 1, 0] = [[0.5, 0.5, 0], [0, 0.5, 0.5], [0.5, 0, 0.5]]  # 0.5, 0.5 and 1 away
    weights[0, 1, 1] = [[0.5, 0.25, 0.25], [1, 0, 0], [0, 1, 0]]  # 1.5 bits; 0.75, 1 and 1 away
    entropy, distance = head_statistics(weights)
    assert_allclose(entropy, [[0, 0], [1, 0.5]])
    assert_allclose(distance, [[0, 4 / 3], [2 / 3, 2.75 / 3]])
    assert entropy.shape == distance.shape == (2, 2)


def test_evenly_over_n_positions_has_log2_n_bits_and_the_mean_distance():
    for n in (1, 2, 8, 40):
        entropy, distance = head_statistics(np.full((2, 1, 1, n, n), 1 / n))
        assert_allclose(entropy, np.log2(n))
        apart = [abs(t - s) for t in range(n) for s in range(n)]
        assert_allclose(distance, np.mean(apart))


def test_padding_takes_no_part():
    """A padded sentence beside a longer one gives the mean over the real positions of both."""
    rng = np.random.default_rng(0)
    long, short = rng.dirichlet(np.ones(5), (2, 3, 5)), rng.dirichlet(np.ones(2), (2, 3, 2))
    together = np.zeros((2, 2, 3, 5, 5))
    together[0] = long
    together[1, ..., :2, :2] = short
    together[1, ..., 2:, :2] = 0.5  # padded positions look somewhere, too
    mask = np.array([[True] * 5, [True, True, False, False, False]])
    found = head_statistics(together, mask)
    alone = [head_statistics(weights[None]) for weights in (long, short)]
    for name in ("entropy", "distance"):
        of_long, of_short = (getattr(statistics, name) for statistics in alone)
        assert_allclose(getattr(found, name), (5 * of_long + 2 * of_short) / 7)


def test_what_looks_nowhere_does_not_count():
    weights = np.zeros((2, 1, 1, 2, 2))
    weights[0, 0, 0, 1] = [1, 0]  # a position away; the other three see nothing
    entropy, distance = head_statistics(weights)
    assert_allclose(entropy, 0)
    assert_allclose(distance, 1)


@pytest.mark.parametrize("weight", [0.0, 0.25])
def test_padding_alone_is_zero_and_no_nan(weight):
    weights = np.full((2, 1, 3, 4, 4), weight)
    for values in head_statistics(weights, np.zeros((2, 4), bool)):
        np.testing.assert_array_equal(values, np.zeros((1, 3)))
    for values in head_statistics(weights[:0]):
        np.testing.assert_array_equal(values, np.zeros((1, 3)))


def test_half_precision_is_read_as_what_it_says():
    weights = np.full((1, 1, 1, 3, 3), 1 / 3, "float16")  # these add up to 0.9998
    assert_allclose(head_statistics(weights).entropy, np.log2(3), rtol=1e-12)


@pytest.mark.parametrize(
    ("weights", "mask", "message"),
    [
        (np.ones((1, 2, 3, 3)), None, r"`weights` must have the shape .* and has \(1, 2, 3, 3\)"),
        (np.full((1, 1, 1, 2, 2), np.nan), None, "`weights` must be numbers of at least 0"),
        (np.full((1, 1, 1, 2, 2), -0.5), None, "`weights` must be numbers of at least 0"),
        (np.ones((1, 1, 1, 2, 3)), np.ones((1, 3)), r"`mask` must .* \(1, 2\), and has \(1, 3\)"),
    ],
)
def test_wrong_input_is_told(weights, mask, message):
    with pytest.raises(ValueError, match=message):
        head_statistics(weights, mask)
