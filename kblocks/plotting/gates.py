"""The gates of a recurrent layer over a sentence."""

import os
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from kblocks.plotting.figure import finish, label_ticks


def plot_gates(
    gates: Mapping[str, npt.ArrayLike],
    tokens: Sequence[str],
    *,
    title: str | None = None,
    path: str | os.PathLike[str] | None = None,
) -> Figure:
    """Draw the activations of each gate over a sentence: one panel a gate, units x time.

    A gate between 0 and 1 is drawn from dark (closed) to bright (open); one with negative values,
    such as the candidate, from blue (-1) over white (0) to red (1), wider if it exceeds that.

    Args:
        gates: For each gate's name its activations `(time, units)`; a named tuple of gates goes in
            as `gates._asdict()`. Cut padding off before.
        tokens: The tokens of the sentence, one for each time.
        title: A line over the picture.
        path: Where to write the picture as PNG; missing directories are made.

    Returns:
        The figure.

    Raises:
        ValueError: If there is no gate, or one is not `(len(tokens), units)`.

    Example:

    >>> import numpy as np
    >>> from kblocks.plotting import plot_gates
    >>> figure = plot_gates({"forget": np.full((2, 3), 0.5)}, ["Guten", "Tag"])
    >>> figure.axes[0].get_title(loc="left")
    'forget'
    """
    panels = {name: np.asarray(values, dtype="float32") for name, values in gates.items()}
    if not panels:
        raise ValueError("`gates` must hold at least one gate, and is empty.")
    for name, values in panels.items():
        if values.ndim != 2 or len(values) != len(tokens) or not values.size:
            raise ValueError(
                f"`gates[{name!r}]` must have the shape (len(tokens), units) = ({len(tokens)}, "
                f"units) with no axis empty, and has {values.shape}."
            )
    width = max(3.5, 0.27 * len(tokens)) + 2.0
    figure = Figure(figsize=(width, 1.5 * len(panels) + 1.2), layout="constrained")
    column = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, values) in zip(column, panels.items(), strict=True):
        signed = values.min() < 0.0
        limit = max(1.0, float(np.abs(values).max()))
        image = axes.imshow(
            values.T,  # (units, time)
            cmap="RdBu_r" if signed else "viridis",
            vmin=-limit if signed else 0.0,
            vmax=limit,
            aspect="auto",
            interpolation="nearest",
        )
        axes.set_title(name, fontsize=10, loc="left")
        axes.set_ylabel("unit")
        axes.yaxis.get_major_locator().set_params(integer=True, nbins=5)
        figure.colorbar(image, ax=axes, fraction=0.05, pad=0.02)
    label_ticks(
        column[-1].xaxis, tokens, fontsize=8, rotation=60, ha="right", rotation_mode="anchor"
    )
    if title:
        figure.suptitle(title, parse_math=False)
    return finish(figure, path)
