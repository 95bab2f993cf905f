"""GPT and GPT-2 in NumPy float64, from the layers of `tests.reference.transformer`."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from tests.reference.transformer import (
    layer_normalization,
    learned_position_embedding,
    transformer_encoder_layer,
)

Array = np.ndarray
Weights = Mapping[str, Array]


def within(weights: Weights, name: str) -> dict[str, Array]:
    """The weights of one part, by the paths below it."""
    return {p.removeprefix(f"{name}/"): w for p, w in weights.items() if p.startswith(f"{name}/")}


def hidden_states(
    weights: Weights, ids: Array, norm: str, layers: int, num_heads: int, **_: Any
) -> list[Array]:
    """Radford et al. 2018, equation 2: h_0 and what each block gives; 2019: one norm more."""
    W_e = weights["token_embedding/embeddings"]
    u = np.array([[W_e[max(i, 0)] for i in row] for row in ids])
    h = [learned_position_embedding(within(weights, "position_embedding"), u)]
    for number in range(layers):
        block = partial(
            transformer_encoder_layer,
            within(weights, f"decoder/{number}"),
            causal=True,
            num_heads=num_heads,
            activation="gelu_tanh",
            norm=norm,
            epsilon=1e-5,
        )
        h.append(block(h[-1]))
    if norm == "pre":
        h[-1] = layer_normalization(within(weights, "final_norm"), h[-1], 1e-5)
    return h


def gpt(weights: Weights, ids: Array, norm: str = "post", **options: Any) -> Array:
    """Logits: equation 2's softmax(h_n W_e^T) before the softmax."""
    return (
        hidden_states(weights, ids, norm, **options)[-1] @ weights["token_embedding/embeddings"].T
    )


gpt2 = partial(gpt, norm="pre")


def gpt_classifier(weights: Weights, ids: Array, norm: str, **options: Any) -> Array:
    """Equation 3 before the softmax: W_y h + b_y of the last token that is no padding."""
    h = hidden_states(within(weights, "gpt"), ids, norm, **options)[-1]
    last = [row[count - 1] for row, count in zip(h, (ids >= 0).sum(axis=1), strict=True)]
    return np.array(last) @ weights["head/kernel"] + weights["head/bias"]
