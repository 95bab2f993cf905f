"""A probabilistic context-free grammar read off a treebank, and the best tree by it.

Charniak (1996), "Tree-bank grammars"; Klein and Manning (2003), doi:10.3115/1075096.1075150.
"""

from collections.abc import Sequence

import numpy as np

from kblocks.data.linearise import CLOSE, OPEN, WORD, tree_of
from kblocks.data.trees import Tree, leaves
from kblocks.parsing.binarise import rules_of
from kblocks.parsing.cky import cky
from kblocks.parsing.grammar import Grammar
from kblocks.parsing.lexicon import Lexicon


class PCFG:
    """A parser that counts: rules and words of the trees it is made from, nothing else.

    Rules are taken apart and remember some of their surroundings (`kblocks.parsing.binarise`);
    unknown words go by their shape and ending (`kblocks.parsing.lexicon`); the best tree is found
    by the algorithm of Cocke, Kasami and Younger (`kblocks.parsing.cky`), in time cubic in the
    number of words. Probabilities are not smoothed but for those of words, so that a sentence may
    have no tree.

    Args:
        trees: Cleaned trees (`kblocks.data.clean_tree`).
        horizontal: How many siblings a rule remembers.
        vertical: How many labels a bracket has in the grammar, its own and those above it.

    Raises:
        ValueError: There are no trees, or an argument is out of range.

    Example:

    >>> from kblocks.data import parse_tree
    >>> from kblocks.parsing import PCFG
    >>> pcfg = PCFG([parse_tree("(S (NP (NNS Dogs)) (VP (VBP chase) (NP (NNS cats))))")])
    >>> pcfg.parse(["Cats", "chase", "mice"])
    <Tree (S (NP (NNS Cats)) (VP (VBP chase) (NP (NNS mice))))>
    """

    def __init__(self, trees: Sequence[Tree], horizontal: int = 2, vertical: int = 2) -> None:
        if not trees:
            raise ValueError("`trees` must hold at least one tree, and is empty.")
        if horizontal < 0:
            raise ValueError(f"`horizontal` must not be negative, got {horizontal!r}.")
        if vertical < 1:
            raise ValueError(f"`vertical` must be at least 1, got {vertical!r}.")
        self.grammar = Grammar(
            rule for tree in trees for rule in rules_of(tree, horizontal, vertical)
        )
        self.lexicon = Lexicon(
            ([str(leaf.word) for leaf in row], [str(leaf.label) for leaf in row])
            for row in map(leaves, trees)
        )
        place = {symbol.name: i for i, symbol in enumerate(self.grammar.symbols) if symbol.is_tag}
        self._tags = np.array([place[tag] for tag in self.lexicon.tags])

    def parse(self, words: Sequence[str]) -> Tree | None:
        """Find the most probable tree of a sentence.

        Args:
            words: The words, as the treebank has them.

        Returns:
            The tree, with parts of speech; `None` where the grammar has none.

        Raises:
            ValueError: There are no words.
        """
        if not words:
            raise ValueError("`words` must hold at least one word, and is empty.")
        symbols = self.grammar.symbols
        scores = np.full((len(words), len(symbols)), -np.inf, "float32")
        scores[:, self._tags] = self.lexicon.scores(words)
        found = cky(self.grammar, scores)
        if found is None:
            return None
        tokens: list[str] = []
        tags: list[str] = []
        open_until: list[int] = []  # the ends of the brackets that are open
        for number, _, end in found[1]:
            symbol = symbols[number]
            if symbol.is_tag:
                tokens.append(WORD)
                tags.append(symbol.name)
                while open_until and open_until[-1] == end:
                    open_until.pop()
                    tokens.append(CLOSE)
            elif symbol.label is not None:
                tokens.append(OPEN + symbol.label)
                open_until.append(end)
        return tree_of(tokens, words, tags)
