"""Where the nodes of a drawn tree stand, and how much room they need.

All lengths are in inches.
"""

import functools
import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

if TYPE_CHECKING:
    from kblocks.data.trees import Tree

Label = str | int | None

FONT = 9.0  # points
BOX = 0.08  # what a box adds to the width of its text
GAP = 0.06  # between the boxes of two nodes
_MOST_LYING = 16  # leaves up to which the words lie


class DrawnNode(NamedTuple):
    """What is drawn for a node: its label, the prediction if it is another, and its word."""

    truth: str | None
    prediction: str | None
    word: str | None
    is_leaf: bool

    @classmethod
    def of(cls, node: "Tree", truth: Label, guess: Label) -> "DrawnNode":
        """A node with its label and what was predicted for it; -1 and `None` are no label."""
        true, guessed = (
            None if label is None or label == -1 else str(label) for label in (truth, guess)
        )
        return cls(true, None if guessed == true else guessed, node.word, not node.children)

    @property
    def is_wrong(self) -> bool:
        """Whether something else than the label was predicted."""
        return self.truth is not None and self.prediction is not None

    def boxes(self) -> list[str]:
        """The texts of the boxes, side by side."""
        truth = self.truth
        if self.word is not None and not self.is_leaf:
            truth = self.word if truth is None else f"{self.word} {truth}"
        return [text for text in (truth, self.prediction) if text is not None]

    def width(self) -> float:
        """The room it needs."""
        return sum(text_width(text) + BOX for text in self.boxes()) + GAP


def postorder(tree: "Tree") -> list["Tree"]:
    """As `kblocks.data.postorder`; this room does without TensorFlow."""
    nodes, waiting = [], [tree]
    while waiting:
        node = waiting.pop()
        nodes.append(node)
        waiting.extend(node.children)
    return nodes[::-1]


@functools.cache
def text_width(text: str) -> float:
    """How long a text is, and a little more."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        points, _, _ = text_to_path.get_text_width_height_descent(
            text, FontProperties(size=FONT), ismath=False
        )
    return 1.04 * points / 72 + 0.01


def places(nodes: list["Tree"], drawn: list[DrawnNode]) -> tuple[list[float], list[int], bool]:
    """Where the nodes are: across, and at which level from the root.

    Leaves stand side by side, a parent over the middle of its children. A node's part of the width
    is its leaves'; so boxes of one level never meet if the outer leaves of each node have room
    for half of its box, and the only leaf of a node for all of it.
    """
    is_leaf = [node.is_leaf for node in drawn]
    leaf_of = np.cumsum(is_leaf) - 1
    turned = sum(is_leaf) > _MOST_LYING
    room = np.full(sum(is_leaf), 0.24)
    first: list[int] = []
    waiting: list[int] = []  # nodes whose parent is still to come
    below: list[list[int]] = []
    for number, node in enumerate(nodes):
        count = len(node.children)
        below.append(waiting[len(waiting) - count :])
        del waiting[len(waiting) - count :]
        waiting.append(number)
        first.append(first[below[-1][0]] if count else int(leaf_of[number]))
        last = int(leaf_of[number])
        width = drawn[number].width()
        for leaf in (first[-1], last):
            room[leaf] = max(room[leaf], width if first[-1] == last else width / 2)
        if not count and not turned:
            room[last] = max(room[last], text_width(node.word or "") + 0.1)
    centres = np.cumsum(room) - room / 2
    x: list[float] = []
    for number, children in enumerate(below):
        centre = (x[children[0]] + x[children[-1]]) / 2 if children else centres[leaf_of[number]]
        x.append(float(centre))
    level = [0] * len(nodes)
    for number in reversed(range(len(nodes))):  # parents first
        for child in below[number]:
            level[child] = level[number] + 1
    return x, level, turned
