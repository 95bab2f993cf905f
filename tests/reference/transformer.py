"""The Transformer in NumPy float64, one head and one position at a time, as the papers write it.

Each function takes the weights by path, the inputs by name or as one array, and the layer's
arguments.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Array = np.ndarray
Weights = Mapping[str, Array]


def _within(weights: Weights, name: str) -> dict[str, Array]:
    """The weights of one part, by the paths below it."""
    return {p.removeprefix(f"{name}/"): w for p, w in weights.items() if p.startswith(f"{name}/")}


def _attention(q: Array, ks: Array, vs: Array, allowed: Array) -> tuple[Array, Array]:
    """Vaswani et al. 2017, equation 1, of one query: the sum of values, and their weights."""
    weights = np.zeros(len(ks))
    places = np.flatnonzero(allowed)
    if len(places):
        e = np.array([np.exp(q @ ks[s] / math.sqrt(len(q))) for s in places])
        weights[places] = e / e.sum()
    return sum(w * v for w, v in zip(weights, vs, strict=True)), weights


def _may_see(mask: Any, b: int, head: int, t: int, source: int) -> Array:
    """The row of a mask with 2, 3 or 4 axes that counts for one query of one head."""
    if mask is None:
        return np.ones(source, bool)
    mask = np.asarray(mask, bool)
    return mask[b] if mask.ndim == 2 else mask[b, t] if mask.ndim == 3 else mask[b, head, t]


def multi_head_attention(
    weights: Weights,
    inputs: Mapping[str, Any],
    num_heads: int,
    use_causal_mask: bool = False,
    return_attention_scores: bool = False,
    **_: Any,
) -> Any:
    """Vaswani et al. 2017, section 3.2.2: head_i = Attention(Q W_i^Q, ...), then W^O."""
    query, value = inputs["query"], inputs["value"]
    key = inputs.get("key", value)
    W_O = weights["W_O"]
    b_O = weights.get("b_O", np.zeros(W_O.shape[-1]))
    output = np.zeros((*query.shape[:2], W_O.shape[-1]))
    scores = np.zeros((len(query), num_heads, query.shape[1], key.shape[1]))

    def projected(name: str, head: int, x: Array) -> Array:
        y = weights[f"W_{name}"][:, head].T @ x
        return y + weights[f"b_{name}"][head] if f"b_{name}" in weights else y

    for b in range(len(query)):
        for t in range(query.shape[1]):
            heads = []
            for i in range(num_heads):
                q = projected("Q", i, query[b, t])
                ks = np.array([projected("K", i, x) for x in key[b]])
                vs = np.array([projected("V", i, x) for x in value[b]])
                allowed = _may_see(inputs.get("attention_mask"), b, i, t, len(ks))
                if use_causal_mask:
                    allowed = allowed & (np.arange(len(ks)) <= t)
                head, scores[b, i, t] = _attention(q, ks, vs, allowed)
                heads.append(head)
            output[b, t] = np.concatenate(heads) @ W_O.reshape(-1, W_O.shape[-1]) + b_O
    return (output, scores) if return_attention_scores else output


def _gelu(x: float) -> float:
    """Hendrycks and Gimpel 2016: x times the normal distribution function of x."""
    return x * 0.5 * (1 + math.erf(x / math.sqrt(2)))


def _gelu_tanh(x: float) -> float:
    """Hendrycks and Gimpel 2016, section 2, the first approximation."""
    return 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


ACTIVATIONS: dict[str, Callable[[float], float]] = {
    "relu": lambda x: max(x, 0.0),
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
}


def feed_forward(weights: Weights, inputs: Array, activation: str = "relu", **_: Any) -> Array:
    """Vaswani et al. 2017, equation 2, position by position."""
    output = np.zeros_like(inputs)
    for place in np.ndindex(inputs.shape[:2]):
        hidden = weights["inner/kernel"].T @ inputs[place] + weights["inner/bias"]
        hidden = np.array([ACTIVATIONS[activation](x) for x in hidden])
        output[place] = weights["outer/kernel"].T @ hidden + weights["outer/bias"]
    return output


def layer_normalization(weights: Weights, inputs: Array, epsilon: float = 1e-6, **_: Any) -> Array:
    """Ba et al. 2016, equations 3 and 4, position by position."""
    output = np.zeros_like(inputs)
    for place in np.ndindex(inputs.shape[:-1]):
        x = inputs[place]
        mu = sum(x) / len(x)
        variance = sum((x - mu) ** 2) / len(x)
        output[place] = weights["gamma"] * (x - mu) / np.sqrt(variance + epsilon) + weights["beta"]
    return output


def sinusoidal_position_encoding(
    weights: Weights, inputs: Array, max_wavelength: float = 10000.0, start: int = 0, **_: Any
) -> Array:
    """Vaswani et al. 2017, section 3.5, entry by entry."""
    _, time, d_model = inputs.shape
    encoding = np.zeros((time, d_model))
    for t, column in np.ndindex(encoding.shape):
        angle = (start + t) / max_wavelength ** (2 * (column // 2) / d_model)
        encoding[t, column] = math.cos(angle) if column % 2 else math.sin(angle)
    return inputs + encoding


def learned_position_embedding(weights: Weights, inputs: Array, start: int = 0, **_: Any) -> Array:
    """Gehring et al. 2017, section 3.1: a vector of its own for each position."""
    output = inputs.copy()
    for b, t in np.ndindex(inputs.shape[:2]):
        output[b, t] += weights["embeddings"][start + t]
    return output


def _sub_layer(
    weights: Weights, name: str, norm: str, epsilon: float, x: Array, sub_layer: Callable
) -> tuple[Array, list[Array]]:
    """Vaswani et al. 2017, section 3.1: LayerNorm(x + Sublayer(x)); pre-norm: Xiong et al. 2020."""
    own = _within(weights, f"{name}_norm")
    read = layer_normalization(own, x, epsilon) if norm == "pre" else x
    y, *scores = sub_layer(_within(weights, name), read)
    y = x + y
    return (layer_normalization(own, y, epsilon) if norm == "post" else y), scores


def _layer(
    weights: Weights,
    inputs: Mapping[str, Any],
    causal: bool,
    num_heads: int,
    activation: str = "relu",
    norm: str = "post",
    epsilon: float = 1e-6,
    return_attention_scores: bool = False,
    **_: Any,
) -> Any:
    x, all_scores = inputs["inputs"], []

    def attend(memory: Any, mask: str, causal: bool) -> Callable:
        def sub_layer(own: Weights, read: Array) -> Any:
            given = {
                "query": read,
                "value": read if memory is None else memory,
                "attention_mask": inputs.get(mask),
            }
            return multi_head_attention(own, given, num_heads, causal, True)

        return sub_layer

    def add(name: str, sub_layer: Callable) -> None:
        nonlocal x
        x, scores = _sub_layer(weights, name, norm, epsilon, x, sub_layer)
        all_scores.extend(scores)

    add("self_attention", attend(None, "attention_mask", causal))
    if "memory" in inputs:
        add("cross_attention", attend(inputs["memory"], "cross_attention_mask", False))
    add("feed_forward", lambda own, read: (feed_forward(own, read, activation),))
    return (x, *all_scores) if return_attention_scores else x


def transformer_encoder_layer(
    weights: Weights, inputs: Any, causal: bool = False, **arguments: Any
) -> Any:
    """Vaswani et al. 2017, section 3.1, the encoder; causal: Radford et al. 2018, section 3.1."""
    inputs = inputs if isinstance(inputs, Mapping) else {"inputs": inputs}
    return _layer(weights, inputs, causal, **arguments)


def transformer_decoder_layer(weights: Weights, inputs: Mapping[str, Any], **arguments: Any) -> Any:
    """Vaswani et al. 2017, section 3.1, the decoder."""
    return _layer(weights, inputs, True, **arguments)
