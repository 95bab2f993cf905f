"""What all pictures share: a figure without pyplot, labels that are text, a file that is whole."""

import os
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure

DPI = 120


def label_ticks(axis: Axis, labels: Sequence[str], **text: float | str) -> None:
    """Put one label at each integer position of an axis, as plain text.

    A dollar sign in a sentence is a dollar sign, not the beginning of a formula.
    """
    axis.set_ticks(np.arange(len(labels)), labels)
    for label in axis.get_ticklabels():
        label.set(parse_math=False, **text)


def rule_cells(axes: Axes, rows: int, columns: int) -> None:
    """Draw thin lines between the cells of a picture of `rows` x `columns`."""
    axes.set_xticks(np.arange(1, columns) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, rows) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=0.4, alpha=0.35)
    axes.tick_params(which="minor", length=0)


def finish(figure: Figure, path: str | os.PathLike[str] | None) -> Figure:
    """Write the figure to `path`, if there is one, whole or not at all, and return it."""
    if path is None:
        return figure
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, beside = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file, warnings.catch_warnings():
            # A sentence may hold letters that the font lacks: they become boxes.
            warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
            figure.savefig(file, format="png", dpi=DPI, metadata={"Software": None})
        Path(beside).chmod(0o666 & ~_umask())
        os.replace(beside, path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
    return figure


def _umask() -> int:
    """The process's umask, which can be read only by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
