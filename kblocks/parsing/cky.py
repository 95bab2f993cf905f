"""The best derivation of a sentence under a grammar, by the algorithm of Cocke, Kasami and Younger.

Younger (1967), doi:10.1016/S0019-9958(67)80007-X. best[l][A, i] is the highest log-probability with
which A makes the l words from i on, joined the same where A has two children:

    joined[l][A, i] = max   log p(A -> B C) + best[k][B, i] + best[l - k][C, i + k]
                     B, C, k
    best[l][A, i] = max(joined[l][A, i],  max  log p(A -> ... -> B) + joined[l][B, i])
                                           B

All spans of a length are filled in at once, all rules over them in arrays. Nothing but the scores
is kept: on the way back from the root, the best rule of the few nodes there are is found anew.
"""

from collections.abc import Iterator

import numpy as np

from kblocks.parsing.grammar import Grammar

Chart = list[np.ndarray]  # of each length l from 1 on: (symbols, n + 1 - l)


def cky(grammar: Grammar, scores: np.ndarray) -> tuple[float, list[tuple[int, int, int]]] | None:
    """Find the best derivation.

    Args:
        grammar: The rules.
        scores: log p(word | symbol) of each word and symbol, `(words, symbols)`; minus infinity
            where a symbol does not make the word.

    Returns:
        Its log-probability, and its symbols with the first word and the one after the last of
        each, parents before their children and these from left to right; `None` where there is no
        derivation.
    """
    joined, best = _fill(grammar, scores)
    log_p = float(best[-1][grammar.root, 0])
    if log_p == -np.inf:
        return None
    return log_p, list(_read(grammar, joined, best))


def _fill(grammar: Grammar, scores: np.ndarray) -> tuple[Chart, Chart]:
    n, symbols = scores.shape
    rules, rule_of = _groups(grammar.parents)
    chains, chain_of = _groups(grammar.tops)
    joined: Chart = []
    best: Chart = []
    for length in range(1, n + 1):
        spans = n + 1 - length
        if length == 1:
            here = np.ascontiguousarray(scores.T, "float32")
        else:
            here = np.full((symbols, spans), -np.inf, "float32")
            pairs = np.full((len(grammar.left), spans), -np.inf, "float32")
            for k in range(1, length):
                left = best[k - 1][:, :spans]  # (symbols, spans)
                right = best[length - k - 1][:, k : k + spans]
                np.maximum(pairs, left[grammar.left] + right[grammar.right], out=pairs)
            totals = pairs[grammar.pairs] + grammar.log_p[:, None]  # (rules, spans)
            here[rule_of] = np.maximum.reduceat(totals, rules)
        joined.append(here)
        above = here[grammar.bottoms] + grammar.chain_log_p[:, None]  # (chains, spans)
        here = here.copy()
        here[chain_of] = np.maximum(here[chain_of], np.maximum.reduceat(above, chains))
        best.append(here)
    return joined, best


def _groups(ordered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each run of equal numbers begins, and its number."""
    values, begins = np.unique(ordered, return_index=True)
    return begins, values


def _read(grammar: Grammar, joined: Chart, best: Chart) -> Iterator[tuple[int, int, int]]:
    """The symbols of the best derivation, from the root on."""
    waiting = [(grammar.root, 0, len(best))]
    while waiting:
        symbol, begin, end = waiting.pop()
        yield symbol, begin, end
        length = end - begin
        here = joined[length - 1][:, begin]
        chains = slice(*np.searchsorted(grammar.tops, (symbol, symbol + 1)))
        totals = grammar.chain_log_p[chains] + here[grammar.bottoms[chains]]
        if len(totals) and totals.max() > here[symbol]:
            bottom = int(grammar.bottoms[chains][totals.argmax()])
            for middle in grammar.between(symbol, bottom):
                yield middle, begin, end
            yield bottom, begin, end
            symbol = bottom
        if length == 1:
            continue
        rules = slice(*np.searchsorted(grammar.parents, (symbol, symbol + 1)))
        pairs = grammar.pairs[rules]
        left, right = grammar.left[pairs], grammar.right[pairs]
        totals = np.stack(
            [
                best[k - 1][left, begin] + best[length - k - 1][right, begin + k]
                for k in range(1, length)
            ]
        )  # (splits, rules)
        split, rule = np.unravel_index((totals + grammar.log_p[rules]).argmax(), totals.shape)
        middle = begin + 1 + int(split)
        waiting += [(int(right[rule]), middle, end), (int(left[rule]), begin, middle)]
