"""Where the heads of an attention look: how widely, and how far.

With a_ts the weight that position t puts on position s, sum_s a_ts = 1:

    H_t = -sum_s a_ts log2 a_ts        the entropy, in bits: 2^H_t positions, if evenly
    D_t = sum_s a_ts |t - s|           the distance, in positions

and their means over all t (Vig and Belinkov 2019, arXiv:1906.04284).
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class HeadStatistics(NamedTuple):
    """What `head_statistics` measures, each `(layers, heads)` float64.

    Attributes:
        entropy: Bits, from 0 (each position looks at one) to log2 of the source's length.
        distance: Positions between where a head stands and where it looks, on average.
    """

    entropy: np.ndarray
    distance: np.ndarray


def head_statistics(weights: npt.ArrayLike, mask: npt.ArrayLike | None = None) -> HeadStatistics:
    """The mean entropy and the mean distance of attention weights, for each layer and head.

    A mean is over all target positions of all sentences that count: those that `mask` has, and that
    look anywhere at all. A head of which no position counts has zeros.

    Args:
        weights: Numbers `(batch, layers, heads, target, source)`, as
            `kblocks.models.TransformerTranslator.heads` gives them; none on padded sources.
        mask: Booleans `(batch, target)`, true where the target is no padding; by default all.

    Returns:
        `HeadStatistics`. The distance says most where target and source are the same sentence.

    Raises:
        ValueError: The weights have another rank or are negative or no numbers, or the mask does
            not fit them.

    Example:

    >>> import numpy as np
    >>> from kblocks.metrics import head_statistics
    >>> itself, evenly = np.eye(4), np.full((4, 4), 0.25)
    >>> entropy, distance = head_statistics(np.stack([itself, evenly])[None, None])
    >>> entropy.tolist(), distance.tolist()
    ([[0.0, 2.0]], [[0.0, 1.25]])

    References:
        Vig and Belinkov 2019, "Analyzing the structure of attention in a Transformer language
        model", arXiv:1906.04284.
    """
    weights = np.asarray(weights, dtype="float64")
    if weights.ndim != 5:
        raise ValueError(
            "`weights` must have the shape (batch, layers, heads, target, source), and has "
            f"{weights.shape}."
        )
    if not (weights >= 0).all():
        raise ValueError("`weights` must be numbers of at least 0, and some are not.")
    batch, target, source = weights.shape[0], *weights.shape[-2:]
    mask = np.ones((batch, target), bool) if mask is None else np.asarray(mask, dtype=bool)
    if mask.shape != (batch, target):
        raise ValueError(
            f"`mask` must have the shape (batch, target) = ({batch}, {target}), and has "
            f"{mask.shape}."
        )
    total = weights.sum(axis=-1, keepdims=True)
    counts = mask[:, None, None, :] & (total[..., 0] > 0)  # (batch, layers, heads, target)
    a = weights / np.where(total > 0, total, 1.0)
    entropy = -np.sum(a * np.log2(np.where(a > 0, a, 1.0)), axis=-1)
    apart = np.abs(np.arange(target)[:, None] - np.arange(source))  # (target, source)
    distance = np.sum(a * apart, axis=-1)
    return HeadStatistics(_mean(entropy, counts), _mean(distance, counts))


def _mean(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Over batch and target, where it counts: `(layers, heads)`."""
    number = counts.sum(axis=(0, 3))
    # Adding 0 makes a 0 of the -0 that the entropy of one position is.
    return np.where(counts, values, 0.0).sum(axis=(0, 3)) / np.maximum(number, 1) + 0.0
