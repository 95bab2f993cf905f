"""The rules that make a tree, each with at most two children.

Klein and Manning (2003), "Accurate unlexicalized parsing", section 2, doi:10.3115/1075096.1075150:
a rule of many children is taken apart child by child. A bracket's symbol remembers its v nearest
labels, its own first, `NP^S`; one between children remembers the h labels just before it:

    NP^S -> DT @NP^S|DT,   @NP^S|DT -> JJ @NP^S|JJ,   @NP^S|JJ -> JJ NN      (v = 2, h = 1)

So rules that were never seen whole can be put together of parts that were.
"""

from collections.abc import Iterator
from typing import NamedTuple

from kblocks.data.trees import Tree


class Symbol(NamedTuple):
    """A symbol of the grammar.

    Attributes:
        name: Tells it from others; of a part of speech, its tag.
        label: The label of its bracket in a tree; `None` where it has none.
        is_tag: Whether it is a part of speech.
    """

    name: str
    label: str | None = None
    is_tag: bool = False


Rule = tuple[Symbol, tuple[Symbol, ...]]

ROOT = Symbol("ROOT")


def rules_of(tree: Tree, horizontal: int, vertical: int) -> Iterator[Rule]:
    """Take a tree apart: parents with one or two children, `ROOT` with the tree first.

    Args:
        tree: A cleaned tree (`kblocks.data.clean_tree`).
        horizontal: h, how many labels a symbol between children remembers.
        vertical: v, how many labels a bracket's symbol has.
    """
    yield ROOT, (_symbol(tree, (), vertical),)
    # With the labels above, nearest first.
    waiting: list[tuple[Tree, tuple[str, ...]]] = [(tree, ())]
    while waiting:
        node, above = waiting.pop()
        around = (str(node.label), *above[: vertical - 1])
        whole = parent = _symbol(node, above, vertical)
        children = [_symbol(child, around, vertical) for child in node.children]
        for place in range(len(children) - 2):
            before = node.children[max(0, place + 1 - horizontal) : place + 1]
            between = Symbol(f"@{whole.name}|{'_'.join(str(child.label) for child in before)}")
            yield parent, (children[place], between)
            parent = between
        yield parent, tuple(children[-2:])
        waiting.extend((child, around) for child in node.children if child.children)


def _symbol(node: Tree, above: tuple[str, ...], vertical: int) -> Symbol:
    if not node.children:
        return Symbol(str(node.label), is_tag=True)
    return Symbol("^".join((str(node.label), *above[: vertical - 1])), label=node.label)
