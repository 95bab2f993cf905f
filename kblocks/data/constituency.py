"""Constituency trees of a treebank, cleaned as parsers are trained on them and EVALB scores them.

The Penn Treebank (Marcus, Santorini and Marcinkiewicz 1993, Computational Linguistics 19(2)) marks
more than phrases: what was moved or is not said leaves an empty node, `(-NONE- *T*-1)`, and a label
carries functions and indices, `NP-SBJ-1`. Parsers and their score go without:

- empty nodes go, and so does each node that holds nothing else;
- a label ends before its first `-` or `=`; the tags of brackets, `-LRB-` and `-RRB-`, stay;
- a bracket around the whole that has no label or is called TOP, ROOT or S1 goes.

Nothing else changes: words, parts of speech, chains of single children, `ADVP|PRT`.
"""

import os
import re
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from kblocks.data.trees import Tree, postorder, read_trees

EMPTY = "-NONE-"
TOP = "TOP"
_OUTER = (None, "", TOP, "ROOT", "S1")
_FUNCTIONS = re.compile(r"(?<=.)[-=].*")

Item = TypeVar("Item")


def clean_tree(tree: Tree) -> Tree | None:
    """Take empty nodes, functions and indices off a tree; `None` where no word is left.

    A lone word, `(NN dog)`, and several trees in one outer bracket get a node `TOP`, so that every
    tree is one labelled bracket.

    Example:

    >>> from kblocks.data import clean_tree, parse_tree
    >>> clean_tree(parse_tree("( (S (NP-SBJ-1 (-NONE- *)) (VP (VB Go) (PRT (RP on)))) )"))
    <Tree (S (VP (VB Go) (PRT (RP on))))>
    """
    waiting: list[Tree | None] = []  # cleaned nodes whose parent is still to come
    for node in postorder(tree):
        count = len(node.children)
        below = waiting[len(waiting) - count :]
        del waiting[len(waiting) - count :]
        waiting.append(_cleaned(node, tuple(child for child in below if child is not None)))
    root = waiting[0]
    while root is not None and root.label in _OUTER and len(root.children) == 1:
        root = root.children[0]
    if root is None or (root.children and root.label not in _OUTER):
        return root
    return Tree(TOP, None, root.children or (root,))


def _cleaned(node: Tree, children: tuple[Tree, ...]) -> Tree | None:
    if not children and (node.word is None or node.children or node.label == EMPTY):
        return None
    return Tree(category(node.label), None if children else node.word, children)


def category(label: str | None) -> str | None:
    """A label without its functions and indices: `NP` of `NP-SBJ-1`; `-LRB-` stays `-LRB-`."""
    return label if label is None or label.startswith("-") else _FUNCTIONS.sub("", label)


def read_constituency(path: str | os.PathLike[str]) -> list[Tree]:
    """Read a file of a treebank, each tree through `clean_tree`; those without a word are left out.

    Args:
        path: A UTF-8 file of trees in brackets, plain or `.gz`.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The brackets are wrong (see `read_trees`), or no tree has a word.
    """
    trees = [tree for tree in map(clean_tree, read_trees(path)) if tree is not None]
    if not trees:
        raise ValueError(f"{path}: no tree of the file has a word.")
    return trees


def subset(items: Sequence[Item], share: float, seed: int = 0) -> list[Item]:
    """Draw a share of the items, in their order; of the same seed, a larger share holds a smaller.

    Args:
        items: The items, such as the trees to train on.
        share: How many of them, over 0 and at most 1; at least one item comes.
        seed: Of the drawing.

    Raises:
        ValueError: The share is out of range.

    Example:

    >>> from kblocks.data import subset
    >>> set(subset(range(100), 0.25)) <= set(subset(range(100), 0.5))
    True
    """
    if not 0 < share <= 1:
        raise ValueError(f"`share` must be over 0 and at most 1, got {share!r}.")
    order = np.random.default_rng(seed).permutation(len(items))
    return [items[place] for place in sorted(order[: max(1, round(share * len(items)))])]
