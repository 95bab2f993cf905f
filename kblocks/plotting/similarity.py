"""How alike texts are, each with each, as a table with colours."""

import os
import textwrap
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from kblocks.plotting.figure import finish, label_ticks

_CELL = 0.52  # inches: room for a number of 8 points
_LINE = 0.15  # inches: a line of a text of 8 points
_LETTERS = 38  # of a text in a line
_LINES = 3  # of a text, at most
_SLACK = 1e-3  # that rounding may take a cosine beyond 1


def plot_similarity(
    similarity: npt.ArrayLike,
    texts: Sequence[str],
    *,
    title: str | None = None,
    path: str | os.PathLike[str] | None = None,
) -> Figure:
    """Draw a matrix of cosines between the embeddings of texts, with its numbers.

    The texts stand at the left, each with a number, and their numbers at the top. A long text is
    broken into lines, and cut after the third. Blue is unlike, white has nothing to do with each
    other, red is alike; the colours always go from -1 to 1, so that pictures can be compared.

    Args:
        similarity: The cosines, `(texts, texts)`, such as `e @ e.T` of normalised embeddings.
        texts: The texts.
        title: A line over the picture.
        path: Where to write the picture as PNG; missing directories are made.

    Returns:
        The figure.

    Raises:
        ValueError: If the matrix is not `(len(texts), len(texts))`, or holds what is no cosine.

    Example:

    >>> from kblocks.plotting import plot_similarity
    >>> figure = plot_similarity([[1, 0.67], [0.67, 1]], ["Lovely weather.", "So sunny!"])
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['1.00', '0.67', '0.67', '1.00']
    """
    values = np.asarray(similarity, dtype="float64")
    if values.shape != (len(texts), len(texts)) or not values.size:
        raise ValueError(
            "`similarity` must have the shape (len(texts), len(texts)) = "
            f"({len(texts)}, {len(texts)}) with no axis empty, and has {values.shape}."
        )
    if not (np.abs(values) <= 1 + _SLACK).all():
        raise ValueError(
            "`similarity` must hold cosines, between -1 and 1: normalise the embeddings; got "
            f"{values.min():.3g} to {values.max():.3g}."
        )
    broken = [
        textwrap.wrap(f"{i}  {text}", _LETTERS, max_lines=_LINES, placeholder=" …")
        for i, text in enumerate(texts, start=1)
    ]
    number, lines = len(texts), max(map(len, broken))
    letters = max(len(line) for label in broken for line in label)
    height = max(_CELL, _LINE * (lines + 0.5))
    figure = Figure(
        figsize=(_CELL * number + 0.075 * letters + 1.4, height * number + 0.9),
        layout="constrained",
    )
    axes = figure.add_subplot()
    image = axes.imshow(
        values, cmap="RdBu_r", vmin=-1.0, vmax=1.0, aspect="auto", interpolation="nearest"
    )
    for (row, column), value in np.ndenumerate(values):
        axes.text(
            column,
            row,
            f"{value:.2f}".replace("-0.00", "0.00"),
            ha="center",
            va="center",
            fontsize=8,
            color="white" if abs(value) > 0.6 else "black",
        )
    axes.tick_params(length=0, labelbottom=False, labeltop=True)
    label_ticks(axes.xaxis, [str(i) for i in range(1, number + 1)], fontsize=8)
    label_ticks(axes.yaxis, ["\n".join(label) for label in broken], fontsize=8)
    figure.colorbar(image, ax=axes, label="cosine", fraction=0.05, pad=0.02)
    if title:
        figure.suptitle(title, parse_math=False)
    return finish(figure, path)
