"""More trees of the same kind: a constituent in the place of another one.

Shi, Livescu and Gimpel (2021), "Substructure substitution: structured data augmentation for NLP",
arXiv:2101.00411: a subtree gives way to one of the same label from elsewhere in the training data.
Here the label above must be the same, too: a subject takes the place of a subject.
"""

from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from kblocks.data.trees import Tree, postorder

Place = tuple[str | None, str | None]  # the label above, and the node's own


class Substitution:
    """Puts subtrees of a treebank in the places of others.

    Args:
        trees: Where the subtrees are taken from.

    Example:

    >>> import numpy as np
    >>> from kblocks.data import Substitution, parse_tree
    >>> first = parse_tree("(S (NP (NN Rain)) (VBZ falls))")
    >>> second = parse_tree("(S (NP (NN Snow)) (VBZ falls))")
    >>> Substitution([second])(first, np.random.default_rng(0))
    <Tree (S (NP (NN Snow)) (VBZ falls))>
    """

    def __init__(self, trees: Iterable[Tree]) -> None:
        self._found: dict[Place, list[Tree]] = defaultdict(list)
        for tree in trees:
            for parent in postorder(tree):
                for child in parent.children:
                    if child.children:
                        self._found[parent.label, child.label].append(child)

    def __call__(self, tree: Tree, rng: np.random.Generator) -> Tree:
        """A tree like the given one but for one subtree below its root; the same if it has none."""
        places = [
            (parent, number)
            for parent in postorder(tree)
            for number, child in enumerate(parent.children)
            if child.children and (parent.label, child.label) in self._found
        ]
        if not places:
            return tree
        parent, number = places[rng.integers(len(places))]
        others = self._found[parent.label, parent.children[number].label]
        other = others[rng.integers(len(others))]
        children = (*parent.children[:number], other, *parent.children[number + 1 :])
        return _replaced(tree, parent, Tree(parent.label, parent.word, children))


def _replaced(tree: Tree, old: Tree, new: Tree) -> Tree:
    """The tree with `new` in the place of the very node `old`."""
    waiting: list[Tree] = []  # copies whose parent is still to come
    for node in postorder(tree):
        below = tuple(waiting[len(waiting) - len(node.children) :])
        del waiting[len(waiting) - len(node.children) :]
        if node is old:
            waiting.append(new)
        elif all(a is b for a, b in zip(below, node.children, strict=True)):
            waiting.append(node)
        else:
            waiting.append(Tree(node.label, node.word, below))
    return waiting[0]
