"""The Transformer in NumPy float64, sentence by sentence and query by query (Vaswani et al. 2017).

Weights come by path. A source counts up to its first padding; a target position sees those up to
itself, whether padding or not.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Weights = Mapping[str, np.ndarray]

_erf = np.vectorize(math.erf)
ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "gelu": lambda x: x * (1 + _erf(x / math.sqrt(2))) / 2,
}


def _below(weights: Weights, path: str) -> dict[str, np.ndarray]:
    prefix = f"{path}/"
    return {p.removeprefix(prefix): w for p, w in weights.items() if p.startswith(prefix)}


def _position(pos: int, width: int) -> np.ndarray:
    """Section 3.5: sines at even places, cosines at odd ones."""
    pe = np.zeros(width)
    for i in range(0, width, 2):
        pe[i] = math.sin(pos / 10000 ** (i / width))
        if i + 1 < width:
            pe[i + 1] = math.cos(pos / 10000 ** (i / width))
    return pe


def _norm(weights: Weights, x: np.ndarray) -> np.ndarray:
    """Ba et al. 2016 over the features, with Keras' epsilon inside of the root."""
    centred = x - x.mean()
    return weights["gamma"] * centred / np.sqrt((centred**2).mean() + 1e-6) + weights["beta"]


def _attend(
    weights: Weights, q: np.ndarray, seen: np.ndarray
) -> tuple[np.ndarray, list[np.ndarray]]:
    """One query over the rows of `seen`: equation 1 and section 3.2.2."""
    heads, alphas = [], []
    for k in range(weights["W_Q"].shape[1]):
        Q = q @ weights["W_Q"][:, k] + weights["b_Q"][k]
        K = seen @ weights["W_K"][:, k] + weights["b_K"][k]
        V = seen @ weights["W_V"][:, k] + weights["b_V"][k]
        scores = K @ Q / math.sqrt(len(Q))
        alpha = np.exp(scores - scores.max())
        alpha /= alpha.sum()
        alphas.append(alpha)
        heads.append(alpha @ V)
    out = sum(h @ weights["W_O"][k] for k, h in enumerate(heads))
    return out + weights["b_O"], alphas


def _stack(
    weights: Weights, xs: np.ndarray, memory: np.ndarray | None, options: Mapping[str, Any]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """One layer over a sentence: of the encoder, or with a memory of the decoder.

    Returns the outputs, and for each position the mean of the heads' weights over the memory.
    """
    pre = options.get("norm", "post") == "pre"
    activation = ACTIVATIONS[options.get("activation", "relu")]

    def sublayer(name: str, x: np.ndarray, of: Any) -> np.ndarray:
        norm = _below(weights, f"{name}_norm")
        return x + of(_norm(norm, x)) if pre else _norm(norm, x + of(x))

    def feed(x: np.ndarray) -> np.ndarray:
        ffn = _below(weights, "feed_forward")
        inner = activation(x @ ffn["inner/kernel"] + ffn["inner/bias"])
        return inner @ ffn["outer/kernel"] + ffn["outer/bias"]

    self_attention = _below(weights, "self_attention")
    read = xs
    if pre:
        read = np.array([_norm(_below(weights, "self_attention_norm"), x) for x in xs])
    cross = _below(weights, "cross_attention")
    outputs, looked = [], []
    for t, x in enumerate(xs):
        seen = read if memory is None else read[: t + 1]
        h = sublayer("self_attention", x, lambda q, seen=seen: _attend(self_attention, q, seen)[0])
        if memory is not None:
            query = _norm(_below(weights, "cross_attention_norm"), h) if pre else h
            looked.append(np.mean(_attend(cross, query, memory)[1], axis=0))
            h = sublayer("cross_attention", h, lambda q: _attend(cross, q, memory)[0])
        outputs.append(sublayer("feed_forward", h, feed))
    return np.array(outputs), looked


def transformer_translator(
    weights: Weights,
    inputs: Mapping[str, np.ndarray],
    return_attention_scores: bool = False,
    layers: int = 4,
    tie_embeddings: str = "all",
    seen: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
    **options: Any,
) -> Any:
    """The logits (batch, target, vocabulary); asked for it, the last but one layer's alignment.

    `seen`, of a target and its memory, is what the decoder reads beside the target's embeddings.
    """
    pairs = inputs["inputs"]
    E_target = weights["target_embedding/embeddings"]
    E_source = E_target if tie_embeddings == "all" else weights["source_embedding/embeddings"]
    pre = options.get("norm", "post") == "pre"

    def embed(E: np.ndarray, ids: np.ndarray) -> np.ndarray:
        d = E.shape[1]
        return np.array([math.sqrt(d) * E[y] + _position(t, d) for t, y in enumerate(ids)])

    logits, alignments = [], []
    for source, target in zip(pairs["source"], pairs["target"], strict=True):
        memory = embed(E_source, source[source != 0])
        for i in range(layers):
            memory, _ = _stack(_below(weights, f"encoder/{i}"), memory, None, options)
        if pre:
            memory = np.array([_norm(_below(weights, "norms/0"), x) for x in memory])
        h = embed(E_target, target)
        if seen is not None:
            h = h + seen(target, memory)
        for i in range(layers):
            h, looked = _stack(_below(weights, f"decoder/{i}"), h, memory, options)
            if i == max(0, layers - 2):
                aligned = np.zeros((len(target), len(source)))
                aligned[:, : len(memory)] = looked
        if pre:
            h = np.array([_norm(_below(weights, "norms/1"), x) for x in h])
        if tie_embeddings == "none":
            projection = _below(weights, "output_projection")
            logits.append(h @ projection["kernel"] + projection["bias"])
        else:
            logits.append(h @ E_target.T)
        alignments.append(aligned)
    if return_attention_scores:
        return np.array(logits), np.array(alignments)
    return np.array(logits)
