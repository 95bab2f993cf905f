"""A tiny parser and two sentences with their trees."""

from typing import Any

import numpy as np

# 4 a word, 5 `)`, 6 and 7 `(A` and `(B`, 8 and 9 words with parts of speech.
PARSER: dict[str, Any] = {
    "source_vocabulary_size": 9,
    "target_vocabulary_size": 10,
    "first_tag": 8,
    "layers": 2,
    "embedding_dim": 6,
    "num_heads": 2,
    "intermediate_dim": 5,
}


def sentences() -> dict[str, np.ndarray]:
    """(A x (B (A x y ) ) x ) and, with padding, (B x )."""
    return {
        "source": np.array([[4, 5, 6, 7, 3], [7, 3, 0, 0, 0]], "int32"),
        "target": np.array(
            [[2, 6, 8, 7, 6, 9, 4, 5, 5, 8, 5], [2, 7, 9, 5, 0, 0, 0, 0, 0, 0, 0]], "int32"
        ),
    }
