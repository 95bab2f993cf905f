"""Rules with their probabilities, as arrays over numbered symbols.

p(A -> B C) = c(A -> B C) / c(A), read off the trees. Chains of single children, A -> B -> ... -> C,
count with the best of all chains between their ends.
"""

import math
from collections import Counter
from collections.abc import Iterable

import numpy as np

from kblocks.parsing.binarise import ROOT, Rule, Symbol


class Grammar:
    """The rules of a probabilistic context-free grammar.

    Args:
        rules: Each as often as it comes; see `rules_of`.

    Attributes:
        size: The number of different rules.
        symbols: The symbols; they are numbered by their places here.
        root: The number of `ROOT`.
        parents: The parents of rules with two children, sorted: (rules,) int.
        pairs: The number of each rule's children in `left` and `right`.
        log_p: The log-probability of each rule, float32.
        left: The different pairs of children: (pairs,) int.
        right: See `left`.
        tops: The symbols above chains of single children, sorted: (chains,) int.
        bottoms: Those below.
        chain_log_p: The best log-probability of each chain, float32.
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        counts = Counter(rules)
        self.size = len(counts)
        of_parent: Counter[Symbol] = Counter()
        for (parent, _), count in counts.items():
            of_parent[parent] += count
        found = {symbol for parent, children in counts for symbol in (parent, *children)}
        self.symbols = sorted(found, key=lambda symbol: (not symbol.is_tag, symbol.name))
        number = {symbol: place for place, symbol in enumerate(self.symbols)}
        self.root = number[ROOT]

        binary, unary = [], {}
        for (parent, children), count in counts.items():
            log_p = math.log(count / of_parent[parent])
            ids = tuple(number[child] for child in children)
            if len(ids) == 2:
                binary.append((number[parent], *ids, log_p))
            else:
                unary[number[parent], ids[0]] = log_p
        binary.sort()
        self.parents = np.array([rule[0] for rule in binary], int)
        pairs = np.array([rule[1:3] for rule in binary], int).reshape(-1, 2)
        different, self.pairs = np.unique(pairs, axis=0, return_inverse=True)
        self.left, self.right = np.ascontiguousarray(different.T)
        self.log_p = np.array([rule[3] for rule in binary], "float32")
        self._close(unary)

    def _close(self, unary: dict[tuple[int, int], float]) -> None:
        """Find the best chain between any two symbols (Floyd 1962, Algorithm 97)."""
        within = sorted({symbol for rule in unary for symbol in rule})
        place = {symbol: i for i, symbol in enumerate(within)}
        best = np.full((len(within), len(within)), -np.inf)
        via = np.full(best.shape, -1)
        for (parent, child), log_p in unary.items():
            best[place[parent], place[child]] = log_p
        np.fill_diagonal(best, -np.inf)  # a chain that comes back only costs
        for middle in range(len(within)):
            through = best[:, middle, None] + best[middle]
            better = through > best
            np.fill_diagonal(better, False)
            best[better] = through[better]
            via[better] = middle
        tops, bottoms = np.nonzero(np.isfinite(best))
        symbol = np.array(within, int)
        self.tops, self.bottoms = symbol[tops], symbol[bottoms]
        self.chain_log_p = best[tops, bottoms].astype("float32")
        self._via = {
            (within[a], within[b]): within[via[a, b]]
            for a, b in zip(tops.tolist(), bottoms.tolist(), strict=True)
            if via[a, b] >= 0
        }

    def between(self, top: int, bottom: int) -> list[int]:
        """The symbols of the best chain between two, without its ends, from the top."""
        middle = self._via.get((top, bottom))
        if middle is None:
            return []
        return [*self.between(top, middle), middle, *self.between(middle, bottom)]
