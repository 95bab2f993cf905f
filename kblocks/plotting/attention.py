"""The attention of a sentence pair as a heat map."""

import os
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from kblocks.plotting.figure import finish, label_ticks, rule_cells

_CELL = 0.27  # inches: room for a label of 8 points


def plot_attention(
    weights: npt.ArrayLike,
    source: Sequence[str],
    target: Sequence[str],
    *,
    title: str | None = None,
    path: str | os.PathLike[str] | None = None,
) -> Figure:
    """Draw attention weights as a heat map with both sentences as axes.

    A row is one produced piece and shows where in the source it looked. The colours always go
    from 0 to 1, so that pictures can be compared. Cut padding off before: labels and weights must
    have equal lengths.

    Args:
        weights: The weights, `(target, source)`, between 0 and 1.
        source: The pieces of the source sentence, along the top.
        target: The pieces of the produced sentence, from top to bottom.
        title: A line over the picture.
        path: Where to write the picture as PNG; missing directories are made.

    Returns:
        The figure.

    Raises:
        ValueError: If the weights are not `(len(target), len(source))`.

    Example:

    >>> from kblocks.plotting import plot_attention
    >>> figure = plot_attention([[0.9, 0.1], [0.2, 0.8]], ["Good", "day"], ["Guten", "Tag"])
    >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
    ['Guten', 'Tag']
    """
    weights = np.asarray(weights, dtype="float32")
    if weights.shape != (len(target), len(source)) or not weights.size:
        raise ValueError(
            "`weights` must have the shape (len(target), len(source)) = "
            f"({len(target)}, {len(source)}) with no axis empty, and has {weights.shape}."
        )
    rows, columns = weights.shape
    width, height = max(3.0, _CELL * columns) + 2.2, max(1.6, _CELL * rows) + 1.8
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(
        weights, cmap="viridis", vmin=0.0, vmax=1.0, aspect="auto", interpolation="nearest"
    )
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    label_ticks(axes.xaxis, source, fontsize=8, rotation=60, ha="left", rotation_mode="anchor")
    label_ticks(axes.yaxis, target, fontsize=8)
    axes.set(xlabel="source", ylabel="produced")
    rule_cells(axes, rows, columns)
    figure.colorbar(image, ax=axes, label="attention weight", fraction=0.05, pad=0.02)
    if title:
        figure.suptitle(title, parse_math=False)
    return finish(figure, path)
