"""One head over its sentence, as lines between words: Vaswani et al. (2017), figures 3 to 5."""

import os
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from kblocks.plotting.figure import finish

_ROW = 0.19  # inches: room for a word of 9 points
_COLOR = (0.0, 0.27, 0.62)
_LEAST = 0.01  # fainter lines are not seen


def plot_head_lines(
    weights: npt.ArrayLike,
    source: Sequence[str],
    target: Sequence[str] | None = None,
    *,
    labels: tuple[str, str] = ("looks", "is looked at"),
    title: str | None = None,
    path: str | os.PathLike[str] | None = None,
) -> Figure:
    """Draw one head as lines from each word that looks to the words that it looks at.

    The words that look stand at the left, those that are looked at at the right, both from top to
    bottom. A line is the wider and the darker, the greater its weight; one under 0.01 is left out.
    Cut padding off before.

    Args:
        weights: The weights of one head, `(target, source)`, between 0 and 1.
        source: The pieces that are looked at.
        target: The pieces that look; by default those of `source`.
        labels: What stands over the two columns, left and right.
        title: A line over the picture.
        path: Where to write the picture as PNG; missing directories are made.

    Returns:
        The figure.

    Raises:
        ValueError: If the weights are not `(len(target), len(source))`.

    Example:

    >>> from kblocks.plotting import plot_head_lines
    >>> figure = plot_head_lines([[0.0, 1.0], [0.3, 0.7]], ["Good", "day"])
    >>> [line.tolist() for line in figure.axes[0].collections[0].get_segments()]
    [[[0.0, 0.0], [1.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]], [[0.0, 1.0], [1.0, 1.0]]]
    """
    target = source if target is None else target
    weights = np.asarray(weights, dtype="float64")
    if weights.shape != (len(target), len(source)) or not weights.size:
        raise ValueError(
            "`weights` must have the shape (len(target), len(source)) = "
            f"({len(target)}, {len(source)}) with no axis empty, and has {weights.shape}."
        )
    seen = np.argwhere(weights >= _LEAST)  # (lines, 2): who looks, at what
    strength = np.clip(weights[tuple(seen.T)], 0.0, 1.0)
    figure = Figure(
        figsize=(5.2, _ROW * max(weights.shape) + (1.0 if title else 0.7)), layout="constrained"
    )
    axes = figure.add_subplot()
    axes.add_collection(
        LineCollection(
            [((0.0, t), (1.0, s)) for t, s in seen],
            colors=[(*_COLOR, opacity) for opacity in np.sqrt(strength)],
            linewidths=0.4 + 3.0 * strength,
            capstyle="round",
        )
    )
    for words, x, side in ((target, 0.0, "right"), (source, 1.0, "left")):
        away = -6 if side == "right" else 6  # points
        for y, word in enumerate(words):
            axes.annotate(
                word,
                (x, y),
                xytext=(away, 0),
                textcoords="offset points",
                ha=side,
                va="center",
                fontsize=9,
                parse_math=False,
            )
    for label, x, side in zip(labels, (0.0, 1.0), ("right", "left"), strict=True):
        axes.annotate(
            label,
            (x, -1.0),
            xytext=(-6 if side == "right" else 6, 0),
            textcoords="offset points",
            ha=side,
            va="center",
            fontsize=9,
            color="0.4",
            parse_math=False,
        )
    axes.set(xlim=(-0.02, 1.02), ylim=(max(weights.shape) - 0.4, -1.6))
    axes.axis("off")
    if title:
        figure.suptitle(title, parse_math=False)
    return finish(figure, path)
