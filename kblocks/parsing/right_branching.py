"""Right-branching trees: English puts what is new, and long, behind."""

from collections.abc import Sequence

from kblocks.data.linearise import CLOSE, OPEN, WORD, tree_of
from kblocks.data.trees import Tree


def right_branching(
    words: Sequence[str],
    tags: Sequence[str] | None = None,
    root: str = "S",
    inner: str = "VP",
) -> Tree:
    """Put a bracket around each end of the sentence, from every word but the last one on.

    It looks at nothing. The labels are those that give the highest F1 on the Penn Treebank.

    Args:
        words: The words of the sentence.
        tags: Their parts of speech; each is `XX` if absent.
        root: The label of the root.
        inner: The label of all other brackets.

    Raises:
        ValueError: There are no words, or not as many tags.

    Example:

    >>> from kblocks.parsing import right_branching
    >>> right_branching(["Dogs", "chase", "cats"])
    <Tree (S (XX Dogs) (VP (XX chase) (XX cats)))>
    """
    if not words:
        raise ValueError("`words` must hold at least one word, and is empty.")
    brackets = max(1, len(words) - 1)
    tokens = [OPEN + root, WORD, *[OPEN + inner, WORD] * (brackets - 1)]
    tokens += [WORD] * (len(words) - brackets) + [CLOSE] * brackets
    return tree_of(tokens, words, tags)
