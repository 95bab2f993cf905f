"""All heads of an attention over one sentence, as a grid of small heat maps."""

import os
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from kblocks.plotting.figure import finish, label_ticks

_CELL = 0.115  # inches: room for a label of 6 points
_LABEL = 6  # points
_PANEL = 0.9  # inches, at least


def plot_heads(
    weights: npt.ArrayLike,
    source: Sequence[str],
    target: Sequence[str] | None = None,
    *,
    title: str | None = None,
    path: str | os.PathLike[str] | None = None,
) -> Figure:
    """Draw where each head of each layer looks: a row of pictures a layer, a column a head.

    In a picture a row is the position that looks and a column the one that is looked at. The words
    stand at the left and the top of the grid. The colours go from 0 to 1 in all pictures; they
    spread with the square root of the weight, so that a head that looks at many words can be told
    from one that does not look. Cut padding off before.

    Args:
        weights: The weights of one sentence, `(layers, heads, target, source)`, between 0 and 1.
        source: The pieces that are looked at, along the top.
        target: The pieces that look, from top to bottom; by default those of `source`.
        title: A line over the picture.
        path: Where to write the picture as PNG; missing directories are made.

    Returns:
        The figure. At 40 pieces, eight heads and six layers it is about 40 by 30 inches.

    Raises:
        ValueError: If the weights are not `(layers, heads, len(target), len(source))`.

    Example:

    >>> import numpy as np
    >>> from kblocks.plotting import plot_heads
    >>> figure = plot_heads(np.full((2, 4, 3, 3), 1 / 3), ["Good", "day", "!"])
    >>> [axes.get_title() for axes in figure.axes[:4]]
    ['head 1', 'head 2', 'head 3', 'head 4']
    """
    target = source if target is None else target
    weights = np.asarray(weights, dtype="float32")
    if weights.ndim != 4 or weights.shape[2:] != (len(target), len(source)) or not weights.size:
        raise ValueError(
            "`weights` must have the shape (layers, heads, len(target), len(source)) = (layers, "
            f"heads, {len(target)}, {len(source)}) with no axis empty, and has {weights.shape}."
        )
    layers, heads, rows, columns = weights.shape
    width, height = max(_PANEL, _CELL * columns), max(_PANEL, _CELL * rows)
    figure = Figure(
        figsize=(heads * (width + 0.12) + 2.4, layers * (height + 0.12) + 2.0),
        layout="constrained",
    )
    grid = figure.subplots(layers, heads, squeeze=False)
    for layer, row in enumerate(grid):
        for head, axes in enumerate(row):
            image = axes.imshow(
                weights[layer, head],
                cmap="viridis",
                norm=PowerNorm(0.5, vmin=0.0, vmax=1.0),
                aspect="auto",
                interpolation="nearest",
            )
            axes.set(xticks=[], yticks=[])
    size = 8 + 2 * width  # points, of what stands over a picture
    upright = 0 if max(map(len, source)) == 1 else 90  # degrees; single characters need not lie
    for head, axes in enumerate(grid[0], start=1):
        axes.set_title(f"head {head}", fontsize=size)
        axes.tick_params(length=0, pad=2, labelbottom=False, labeltop=True)
        label_ticks(axes.xaxis, source, fontsize=_LABEL, rotation=upright)
    for layer, (first, last) in enumerate(grid[:, [0, -1]], start=1):
        first.tick_params(length=0, pad=2)
        label_ticks(first.yaxis, target, fontsize=_LABEL)
        last.set_ylabel(f"layer {layer}", fontsize=size)
        last.yaxis.set_label_position("right")
    figure.colorbar(image, ax=grid, label="attention weight", fraction=0.05, pad=0.01, aspect=40)
    if title:
        figure.suptitle(title, parse_math=False)
    return finish(figure, path)
