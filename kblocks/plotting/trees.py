"""A tree with labels and predictions on its nodes."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from kblocks.plotting.figure import finish
from kblocks.plotting.tree_layout import (
    BOX,
    FONT,
    GAP,
    DrawnNode,
    Label,
    places,
    postorder,
    text_width,
)

if TYPE_CHECKING:
    from kblocks.data.trees import Tree

SENTIMENT = ("very negative", "negative", "neutral", "positive", "very positive")

# All lengths are in inches; so are the coordinates of the axes.
_TITLE_FONT = 11.0  # points
_LEVEL = 0.42
_HALF_BOX = 0.1  # of its height
_MARGIN = 0.25
_LARGEST = 4000.0  # square inches

_WHITE = (1.0, 1.0, 1.0, 1.0)


def plot_tree(
    tree: "Tree",
    labels: Sequence[Label] | npt.NDArray[np.integer] | None = None,
    predictions: Sequence[Label] | npt.NDArray[np.integer] | None = None,
    *,
    classes: Sequence[str] | None = None,
    title: str | None = None,
    path: str | os.PathLike[str] | None = None,
) -> Figure:
    """Draw a tree, its root on top and the words along the bottom.

    Each node is a box with its label. Where the prediction is another, it stands right beside in a
    box with a thick edge; a prediction for a node without a label has a dashed edge. Labels that
    are numbers from 0 have colours: with up to five classes from red (0) over white to blue, so
    that the middle class of sentiment is neutral, with up to ten from dark to bright. All of them
    can be told apart by the colour-blind. The picture grows with the tree.

    Args:
        tree: The tree.
        labels: A label for each node in post-order, -1 or `None` for no label; the labels of the
            tree itself if absent.
        predictions: What was predicted for each node, in the same order.
        classes: The names of the classes, for the legend; `SENTIMENT` in this module has those of
            the Stanford Sentiment Treebank.
        title: A line over the picture.
        path: Where to write the picture as PNG; missing directories are made.

    Returns:
        The figure.

    Raises:
        ValueError: If there are not as many labels, or predictions, as nodes, if `classes` has no
            name for a label, or if the tree is too large for a picture.

    Example:

    >>> from kblocks.data import parse_tree
    >>> from kblocks.plotting import plot_tree
    >>> tree = parse_tree("(4 (4 lovely) (2 film))")
    >>> figure = plot_tree(tree, predictions=[3, 2, 4])
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['4', '3', 'lovely', '2', 'film', '4']
    """
    nodes = postorder(tree)
    truths = [node.label for node in nodes] if labels is None else list(labels)
    guesses = [None] * len(nodes) if predictions is None else list(predictions)
    for name, given in (("labels", truths), ("predictions", guesses)):
        if len(given) != len(nodes):
            raise ValueError(
                f"`{name}` must hold one for each of the {len(nodes)} nodes, got {len(given)}."
            )
    drawn = [DrawnNode.of(*each) for each in zip(nodes, truths, guesses, strict=True)]
    colours = _colours(drawn, classes)
    x, level, turned = places(nodes, drawn)

    handles = _handles(colours, classes, any(node.is_wrong for node in drawn))
    depth = max(level)
    title_width = text_width(title or "") * _TITLE_FONT / FONT
    width = max(3.6, title_width + _MARGIN, max(x) + min(x) + 2 * _MARGIN)
    widest = max(map(text_width, classes or ("0",)))
    columns = max(1, min(len(handles), int(width / (0.6 + widest))))
    longest = max(text_width(node.word or "") for node in drawn if node.is_leaf)
    below = (longest if turned else 0.15) + 0.2 + 0.2 * -(-len(handles) // columns)
    height = below + depth * _LEVEL + 2 * _MARGIN + (0.3 if title else 0.0)
    if width * height > _LARGEST:
        raise ValueError(
            f"`tree` has {sum(node.is_leaf for node in drawn)} leaves and {depth + 1} levels, too "
            "many for a picture: draw a part of it."
        )
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(0, height))
    axes.axis("off")
    left = (width - max(x) - min(x)) / 2
    x = [left + place for place in x]
    y = [below + _MARGIN + (depth - down) * _LEVEL for down in level]

    _draw_edges(axes, nodes, x, y, below)
    for node, place, up in zip(drawn, x, y, strict=True):
        _draw_boxes(axes, node, place, up, colours)
        if node.is_leaf and node.word is not None:
            axes.text(
                place,
                below - 0.06,
                node.word,
                fontsize=FONT,
                rotation=90 if turned else 0,
                ha="center",
                va="top",
                parse_math=False,
            )
    if handles:
        figure.legend(
            handles=handles,
            loc="lower center",
            ncols=columns,
            fontsize=FONT - 1,
            frameon=False,
            handlelength=1.4,
            columnspacing=1.2,
        )
    if title:
        figure.suptitle(
            title, y=1 - 0.12 / height, va="top", fontsize=_TITLE_FONT, parse_math=False
        )
    return finish(figure, path)


def _draw_edges(
    axes: Axes, nodes: list["Tree"], x: list[float], y: list[float], low: float
) -> None:
    """Lines from parents to children, and dotted ones from leaves down to their words."""
    edges, dotted, waiting = [], [], list[int]()
    for number, node in enumerate(nodes):
        if node.children:
            children = waiting[-len(node.children) :]
            del waiting[-len(node.children) :]
            above = x[number], y[number]
            edges += [[above, (x[child], y[child] + _HALF_BOX)] for child in children]
        elif node.word is not None:
            dotted.append([(x[number], y[number]), (x[number], low - 0.02)])
        waiting.append(number)
    axes.add_collection(LineCollection(edges, colors="0.45", linewidths=0.9, zorder=1))
    axes.add_collection(
        LineCollection(dotted, colors="0.6", linewidths=0.7, linestyles="dotted", zorder=1)
    )


def _draw_boxes(axes: Axes, node: DrawnNode, x: float, y: float, colours: list[tuple]) -> None:
    texts = node.boxes()
    if not texts:
        axes.plot([x], [y], marker="o", markersize=3, color="0.45", zorder=2)
    left = x - (node.width() - GAP) / 2
    for number, text in enumerate(texts):
        is_prediction = node.prediction is not None and number == len(texts) - 1
        fill = _colour_of(node.prediction if is_prediction else node.truth, colours)
        dark = np.dot(fill[:3], (0.299, 0.587, 0.114)) < 0.5
        wide = text_width(text) + BOX
        axes.text(
            left + wide / 2,
            y,
            text,
            fontsize=FONT,
            color="white" if dark else "black",
            ha="center",
            va="center",
            zorder=3,
            parse_math=False,
            bbox={
                "boxstyle": "round,pad=0.25",
                "facecolor": fill,
                "edgecolor": "black" if is_prediction else "0.45",
                "linewidth": 2.0 if is_prediction and node.is_wrong else 0.7,
                "linestyle": "--" if is_prediction and not node.is_wrong else "-",
            },
        )
        left += wide


def _colours(drawn: list[DrawnNode], classes: Sequence[str] | None) -> list[tuple]:
    """A colour for each class; none where labels are not numbers from 0 to 9."""
    texts = {text for node in drawn for text in (node.truth, node.prediction) if text is not None}
    numbers = all(text.isdecimal() and int(text) < 10 for text in texts)
    if classes is not None:
        for text in sorted(texts):
            if not text.isdecimal() or int(text) >= len(classes):
                raise ValueError(
                    f"`classes` must name every label, and has {len(classes)} names; a label is "
                    f"{text!r}."
                )
        count = len(classes)
    elif numbers and texts:
        count = 5 if max(map(int, texts)) < 5 else 10
    else:
        return []
    scale = matplotlib.colormaps["RdBu" if count <= 5 else "viridis"]
    return [tuple(scale(share)) for share in np.linspace(0.1, 0.9, count)]


def _colour_of(text: str | None, colours: list[tuple]) -> tuple:
    return colours[int(text)] if colours and text is not None else _WHITE


def _handles(colours: list[tuple], classes: Sequence[str] | None, wrong: bool) -> list[Patch]:
    """What the legend shows."""
    names = [str(k) for k in range(len(colours))]
    if classes is not None and list(classes[: len(names)]) != names:
        names = [f"{k} {classes[k]}" for k in range(len(colours))]
    handles = [
        Patch(facecolor=colour, edgecolor="0.45", label=name)
        for colour, name in zip(colours, names, strict=True)
    ]
    if wrong:
        handles.append(Patch(facecolor="white", edgecolor="black", linewidth=2, label="predicted"))
    return handles
