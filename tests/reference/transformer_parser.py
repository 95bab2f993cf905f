"""The parser in NumPy float64: `transformer_translator`, and a decoder that reads its surroundings.

A stack of open brackets is kept token by token, as one would by hand.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tests.reference.transformer_translator import Weights, transformer_translator


def surroundings(
    target: Sequence[int], word: int, close: int, first_tag: int | None
) -> list[tuple[int, int, int]]:
    """Of each position: the innermost open bracket, its first word, and the next word."""
    stack, words, found = [(2, 0)], 0, []
    for y in target:
        if y == word or (first_tag is not None and y >= first_tag):
            words += 1
        elif y == close:
            stack.pop()
        elif y > 3:
            stack.append((y, words))
        found.append((*stack[-1], words))
    return found


def transformer_parser(
    weights: Weights,
    inputs: Mapping[str, Any],
    word: int = 4,
    close: int = 5,
    first_tag: int | None = None,
    tie_embeddings: str = "target",
    **options: Any,
) -> Any:
    """`transformer_translator` with sqrt(d) F o + W [m_a ; m_b] in its decoder's input."""
    F, W = weights["opened_embedding/embeddings"], weights["words_projection/kernel"]

    def seen(target: np.ndarray, m: np.ndarray) -> np.ndarray:
        return np.array(
            [
                math.sqrt(F.shape[1]) * F[o] + np.concatenate([m[a], m[min(b, len(m) - 1)]]) @ W
                for o, a, b in surroundings(target, word, close, first_tag)
            ]
        )

    return transformer_translator(
        weights, inputs, tie_embeddings=tie_embeddings, seen=seen, **options
    )
