"""The entropy and the distance of all heads, as tables with colours."""

import os
from collections.abc import Mapping
from typing import Protocol

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from kblocks.plotting.figure import finish, label_ticks


class Statistics(Protocol):
    """What is drawn of an attention: `kblocks.metrics.HeadStatistics`."""

    @property
    def entropy(self) -> npt.ArrayLike:
        """Bits, `(layers, heads)`."""
        ...

    @property
    def distance(self) -> npt.ArrayLike:
        """Positions, `(layers, heads)`."""
        ...


_UNITS = {"entropy": "bits", "distance": "positions"}


def plot_head_statistics(
    statistics: Mapping[str, Statistics],
    *,
    title: str | None = None,
    path: str | os.PathLike[str] | None = None,
) -> Figure:
    """Draw how widely (entropy) and how far (distance) each head of each layer looks.

    A row of pictures an attention, entropy at the left, distance at the right; in each a row is a
    layer and a column a head. The colours of a column of pictures have one scale.

    Args:
        statistics: For each name, such as `"encoder"`, what `kblocks.metrics.head_statistics`
            returned: `entropy` and `distance`, `(layers, heads)` each.
        title: A line over the picture.
        path: Where to write the picture as PNG; missing directories are made.

    Returns:
        The figure.

    Raises:
        ValueError: If there are none, or some are not finite numbers `(layers, heads)`.

    Example:

    >>> import numpy as np
    >>> from kblocks.metrics import HeadStatistics
    >>> from kblocks.plotting import plot_head_statistics
    >>> figure = plot_head_statistics({"encoder": HeadStatistics(np.eye(2), np.ones((2, 2)))})
    >>> [axes.get_title(loc="left") for axes in figure.axes[:2]]
    ['encoder: entropy', 'encoder: distance']
    """
    if not statistics:
        raise ValueError("`statistics` must hold at least one attention, and is empty.")
    tables = {
        (name, kind): np.asarray(getattr(values, kind), dtype="float64")
        for name, values in statistics.items()
        for kind in _UNITS
    }
    for (name, kind), values in tables.items():
        if values.ndim != 2 or not values.size or not np.isfinite(values).all():
            raise ValueError(
                f"`statistics[{name!r}].{kind}` must be finite numbers (layers, heads), and has "
                f"the shape {values.shape}" + (" with some not finite." if values.size else ".")
            )
    heads = max(values.shape[1] for values in tables.values())
    layers = [len(tables[name, "entropy"]) for name in statistics]
    width, height = 2 * (max(2.2, 0.46 * heads) + 1.0), sum(0.3 * n + 0.75 for n in layers)
    figure = Figure(figsize=(width, height + 0.4 * bool(title)), layout="constrained")
    grid = figure.subplots(len(layers), 2, squeeze=False, height_ratios=layers)
    for column, (kind, unit) in zip(grid.T, _UNITS.items(), strict=True):
        largest = max(values.max() for (_, k), values in tables.items() if k == kind) or 1.0
        for axes, name in zip(column, statistics, strict=True):
            image = _draw(axes, tables[name, kind], largest)
            axes.set_title(f"{name}: {kind}", fontsize=10, loc="left", parse_math=False)
        column[-1].set_xlabel("head")
        figure.colorbar(
            image, ax=column, label=unit, fraction=0.05, pad=0.02, aspect=14 * len(layers)
        )
    if title:
        figure.suptitle(title, parse_math=False)
    return finish(figure, path)


def _draw(axes: Axes, values: np.ndarray, largest: float) -> AxesImage:
    """One table (layers, heads) with its numbers."""
    image = axes.imshow(values, cmap="cividis", vmin=0.0, vmax=largest, aspect="auto")
    for (layer, head), value in np.ndenumerate(values):
        dark = value < 0.55 * largest
        text = f"{value:.1f}" if value < 100 else f"{value:.0f}"
        axes.text(
            head, layer, text, ha="center", va="center", fontsize=8, color="w" if dark else "k"
        )
    label_ticks(axes.xaxis, [str(n + 1) for n in range(values.shape[1])], fontsize=8)
    label_ticks(axes.yaxis, [str(n + 1) for n in range(values.shape[0])], fontsize=8)
    axes.set_ylabel("layer")
    axes.tick_params(length=0)
    return image
