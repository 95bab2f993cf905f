"""The best derivation by its definition: every rule at every split, one node after the other.

A grammar is a list of (parent, children, p) with one or two children; a sentence is a list of
{symbol: p(word | symbol)}.
"""

from collections.abc import Sequence
from math import inf, log

Rules = Sequence[tuple[str, tuple[str, ...], float]]


def best_log_p(
    rules: Rules,
    words: Sequence[dict[str, float]],
    symbol: str,
    above: frozenset[str] = frozenset(),
) -> float:
    """max over derivations of log p; `above` are the symbols over the same words, met before."""
    found = log(words[0][symbol]) if len(words) == 1 and symbol in words[0] else -inf
    for parent, children, p in rules:
        if parent != symbol:
            continue
        if len(children) == 1:
            if children[0] not in above:
                below = best_log_p(rules, words, children[0], above | {symbol})
                found = max(found, log(p) + below)
            continue
        for k in range(1, len(words)):
            left = best_log_p(rules, words[:k], children[0])
            if left > -inf:
                right = best_log_p(rules, words[k:], children[1])
                found = max(found, log(p) + left + right)
    return found
