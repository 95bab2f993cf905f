"""GLUE's measures: Wang et al. 2019 (arXiv:1804.07461), section 3.

accuracy    the share of right labels
f1          2 p r / (p + r), precision and recall of class 1
matthews    (tp tn - fp fn) / sqrt((tp + fp) (tp + fn) (tn + fp) (tn + fn))     Matthews 1975
pearson     the correlation of two rows of numbers
spearman    that of their ranks; equal numbers share the mean of theirs
"""

import math
from collections.abc import Callable, Sequence

import numpy as np


def glue_scores(found: Sequence[float], labels: Sequence[float], names: Sequence[str]) -> dict:
    """Some measures by name.

    Args:
        found: What was said of each example: the number of a class, or a number.
        labels: What is right.
        names: Of `"accuracy"`, `"f1"`, `"matthews"`, `"pearson"`, `"spearman"`.

    Returns:
        A dict of floats; where a measure divides by zero it is 0, as in GLUE's program.

    Raises:
        ValueError: The lengths differ, there is no example, or no such measure.

    Example:

    >>> from kblocks.metrics import glue_scores
    >>> glue_scores([1, 1, 0, 0], [1, 0, 0, 0], ["accuracy", "matthews"])["accuracy"]
    0.75
    """
    said, right = np.asarray(found, "float64"), np.asarray(labels, "float64")
    if said.shape != right.shape or said.ndim != 1 or not len(said):
        raise ValueError(
            f"`found` and `labels` must be as many numbers, got {said.shape} and {right.shape}."
        )
    lost = [name for name in names if name not in _MEASURES]
    if lost:
        raise ValueError(f"`names` must be of {tuple(_MEASURES)}, got {lost[0]!r}.")
    return {name: _MEASURES[name](said, right) for name in names}


def _accuracy(said: np.ndarray, right: np.ndarray) -> float:
    return float((said == right).mean())


def _f1(said: np.ndarray, right: np.ndarray) -> float:
    hits = float(((said == 1) & (right == 1)).sum())
    return _ratio(2 * hits, float((said == 1).sum() + (right == 1).sum()))


def _matthews(said: np.ndarray, right: np.ndarray) -> float:
    tp, tn, fp, fn = (
        float(((said == a) & (right == b)).sum()) for a, b in ((1, 1), (0, 0), (1, 0), (0, 1))
    )
    return _ratio(tp * tn - fp * fn, math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)))


def _pearson(said: np.ndarray, right: np.ndarray) -> float:
    x, y = said - said.mean(), right - right.mean()
    return _ratio(float(x @ y), math.sqrt(float(x @ x) * float(y @ y)))


def _spearman(said: np.ndarray, right: np.ndarray) -> float:
    return _pearson(_ranks(said), _ranks(right))


def _ranks(x: np.ndarray) -> np.ndarray:
    _, place, counts = np.unique(x, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[place]


def _ratio(a: float, b: float) -> float:
    return a / b if b else 0.0


_MEASURES: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "accuracy": _accuracy,
    "f1": _f1,
    "matthews": _matthews,
    "pearson": _pearson,
    "spearman": _spearman,
}
