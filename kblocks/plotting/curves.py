"""The learning curves of a run."""

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from kblocks.plotting.figure import finish


def plot_curves(
    log: str | os.PathLike[str] | Mapping[str, Sequence[float]],
    *,
    metric: str | Sequence[str] | None = None,
    title: str | None = None,
    path: str | os.PathLike[str] | None = None,
) -> Figure:
    """Draw the loss, and beside it metrics of the validation set, over the epochs.

    Args:
        log: A run's `log.csv`, or its columns by name. A column `epoch` counts from 0, as Keras
            counts; without one the rows are the epochs. An empty cell is an epoch without a value.
        metric: The column to draw beside the loss, such as `"val_bleu"`, or several; a column of
            the same name without `val_` is drawn with it. `None` draws the loss alone.
        title: A line over the picture.
        path: Where to write the picture as PNG; missing directories are made.

    Returns:
        The figure.

    Raises:
        ValueError: If the log has no rows, no `loss`, or no column `metric`.

    Example:

    >>> from kblocks.plotting import plot_curves
    >>> figure = plot_curves({"loss": [3.1, 2.2], "val_loss": [3.3, 2.9]})
    >>> [line.get_label() for line in figure.axes[0].get_lines()]
    ['training', 'validation']
    """
    columns = _columns(log)
    metrics = [metric] if isinstance(metric, str) else list(metric or ())
    wanted = ["loss", *metrics]
    for name in wanted:
        if name not in columns:
            raise ValueError(
                f"`log` must have a column {name!r}, and has: {', '.join(columns) or 'none'}."
            )
    epochs = 1 + columns.get("epoch", np.arange(len(columns["loss"]), dtype=float))
    if not epochs.size:
        raise ValueError("`log` must hold at least one epoch, and is empty.")
    figure = Figure(figsize=(5.2 * len(wanted), 3.8), layout="constrained")
    panels = figure.subplots(1, len(wanted), sharex=True, squeeze=False)[0]
    for axes, name in zip(panels, wanted, strict=True):
        _draw(axes, name.removeprefix("val_"), epochs, columns)
    if title:
        figure.suptitle(title, parse_math=False)
    return finish(figure, path)


def _draw(axes: Axes, name: str, epochs: np.ndarray, columns: dict[str, np.ndarray]) -> None:
    """One panel: the quantity in training and in validation, as far as it is there."""
    for column, label, color in (
        (name, "training", "tab:blue"),
        (f"val_{name}", "validation", "tab:orange"),
    ):
        if column in columns:
            known = np.isfinite(columns[column])
            axes.plot(
                epochs[known],
                columns[column][known],
                marker="o",
                markersize=3,
                color=color,
                label=label,
            )
    readable = {"bleu": "BLEU"}.get(name, name.replace("_", " "))
    axes.set(xlabel="epoch", ylabel=readable)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.margins(x=0.03)
    axes.grid(alpha=0.3)
    axes.legend()


def _columns(log: str | os.PathLike[str] | Mapping[str, Sequence[float]]) -> dict[str, np.ndarray]:
    """The log's columns as arrays, NaN where a cell is empty."""
    if isinstance(log, Mapping):
        return {name: np.asarray(values, dtype=float) for name, values in log.items()}
    with Path(log).open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
        names = reader.fieldnames or []
    return {name: np.array([_number(row[name]) for row in rows]) for name in names}


def _number(cell: str | None) -> float:
    """A cell's number, NaN where it holds none."""
    try:
        return float(cell or "nan")
    except ValueError:
        return float("nan")
