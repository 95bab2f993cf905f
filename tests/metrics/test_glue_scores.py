"""GLUE's measures against counts by hand and against SciPy."""

import numpy as np
import pytest

from kblocks.metrics import glue_scores


def test_counted_by_hand() -> None:
    # tp 2, fp 1, fn 1, tn 3
    found, labels = [1, 1, 1, 0, 0, 0, 0], [1, 1, 0, 1, 0, 0, 0]
    scores = glue_scores(found, labels, ["accuracy", "f1", "matthews"])
    assert scores["accuracy"] == pytest.approx(5 / 7)
    assert scores["f1"] == pytest.approx(2 / 3)
    assert scores["matthews"] == pytest.approx((2 * 3 - 1) / np.sqrt(3 * 3 * 4 * 4))


def test_correlations_as_scipy_has_them() -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 6, 200).astype(float)  # many are equal
    found = labels + rng.normal(size=200, scale=2).round()
    scores = glue_scores(found, labels, ["pearson", "spearman"])
    assert scores["pearson"] == pytest.approx(stats.pearsonr(found, labels).statistic)
    assert scores["spearman"] == pytest.approx(stats.spearmanr(found, labels).statistic)


def test_the_same_of_all_is_zero_not_nan() -> None:
    names = ["f1", "matthews", "pearson", "spearman"]
    assert glue_scores([0, 0], [0, 0], names) == dict.fromkeys(names, 0.0)


@pytest.mark.parametrize(
    ("found", "labels", "names", "message"),
    [
        ([1], [1, 0], ["accuracy"], "as many numbers"),
        ([], [], ["accuracy"], "as many numbers"),
        ([1], [1], ["recall"], "got 'recall'"),
    ],
)
def test_what_is_refused(found: list, labels: list, names: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        glue_scores(found, labels, names)
