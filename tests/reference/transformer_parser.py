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
) -> list[tuple[int, int, int, int]]:
    """Of each position: the innermost open bracket and the one before, its first word, the next."""
    stack, words, found = [(2, 0)], 0, []
    for y in target:
        within, _ = stack[-1]
        if y == word or (first_tag is not None and y >= first_tag):
            words += 1
        elif y == close:
            stack.pop()
        elif y > 3:
            stack.append((y, words))
        opened, first_word = stack[-1]
        found.append((opened, within, first_word, words))
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
    """`transformer_translator` with sqrt(d) (F o + G u) + W [m_a ; m_b] in its decoder's input."""
    F, G = (weights[f"{name}_embedding/embeddings"] for name in ("opened", "within"))
    W = weights["words_projection/kernel"]

    def seen(target: np.ndarray, m: np.ndarray) -> np.ndarray:
        return np.array(
            [
                math.sqrt(F.shape[1]) * (F[o] + G[u])
                + np.concatenate([m[a], m[min(b, len(m) - 1)]]) @ W
                for o, u, a, b in surroundings(target, word, close, first_tag)
            ]
        )

    return transformer_translator(
        weights, inputs, tie_embeddings=tie_embeddings, seen=seen, **options
    )
