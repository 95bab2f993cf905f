"""Decoding by definition: hypotheses as lists of ids, over any function from a prefix to log p.

`next_log_p(prefix)` gives log p(y | prefix, source) of all ids, minus infinity where none may be.
"""

from collections.abc import Callable

import numpy as np

NextLogP = Callable[[tuple[int, ...]], np.ndarray]
Ranked = list[tuple[float, tuple[int, ...]]]

END = 3


def length_penalty(length: int, alpha: float) -> float:
    """Wu et al. 2016, equation 14: lp(Y) = (5 + |Y|)^alpha / (5 + 1)^alpha."""
    return (5 + length) ** alpha / (5 + 1) ** alpha


def all_hypotheses(next_log_p: NextLogP, max_length: int, alpha: float) -> Ranked:
    """Every hypothesis that ends or is cut at `max_length`, best first, with its score."""
    found: Ranked = []

    def extend(prefix: tuple[int, ...], log_p: float) -> None:
        if len(prefix) == max_length or prefix[-1:] == (END,):
            found.append((log_p / length_penalty(len(prefix), alpha), prefix))
            return
        following = next_log_p(prefix)
        for y in np.flatnonzero(np.isfinite(following)):
            extend((*prefix, int(y)), log_p + following[y])

    extend((), 0.0)
    return sorted(found, reverse=True)


def beam_search(next_log_p: NextLogP, width: int, max_length: int, alpha: float) -> Ranked:
    """At each step the `width` best of all continuations, ended hypotheses among them."""
    beams: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]  # log p, not yet normalised

    def ended(prefix: tuple[int, ...]) -> bool:
        return len(prefix) == max_length or prefix[-1:] == (END,)

    def score(beam: tuple[float, tuple[int, ...]]) -> float:
        return beam[0] / length_penalty(len(beam[1]), alpha)

    while not all(ended(prefix) for _, prefix in beams):
        continued = []
        for log_p, prefix in beams:
            if ended(prefix):
                continued.append((log_p, prefix))
                continue
            following = next_log_p(prefix)
            for y in np.flatnonzero(np.isfinite(following)):
                continued.append((log_p + following[y], (*prefix, int(y))))
        beams = sorted(continued, key=score, reverse=True)[:width]
    return [(score(beam), beam[1]) for beam in beams]
