"""The translators in NumPy float64, one sentence and one token at a time, as the papers write them.

Weights come by path. A source counts up to its first padding; what is beyond gets no alignment.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tests.reference import attention as reads

Weights = Mapping[str, np.ndarray]
States = tuple[np.ndarray, ...]


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _gru(weights: Weights, x: np.ndarray, states: States) -> States:
    """Cho et al. 2014, equations 5 to 8; the reset gate after the product, which has a bias."""
    (h,) = states
    W, U = np.split(weights["kernel"], 3, 1), np.split(weights["recurrent_kernel"], 3, 1)
    b, b_h = (np.split(bias, 3) for bias in weights["bias"])
    z = _sigmoid(x @ W[0] + b[0] + h @ U[0] + b_h[0])
    r = _sigmoid(x @ W[1] + b[1] + h @ U[1] + b_h[1])
    candidate = np.tanh(x @ W[2] + b[2] + r * (h @ U[2] + b_h[2]))
    return (z * h + (1 - z) * candidate,)


def _lstm(weights: Weights, x: np.ndarray, states: States) -> States:
    """Gers et al. 2000: gates i, f, candidate, o."""
    h, c = states
    W, U = np.split(weights["kernel"], 4, 1), np.split(weights["recurrent_kernel"], 4, 1)
    a_i, a_f, a_c, a_o = (
        x @ w + h @ u + b for w, u, b in zip(W, U, np.split(weights["bias"], 4), strict=True)
    )
    c = _sigmoid(a_f) * c + _sigmoid(a_i) * np.tanh(a_c)
    return _sigmoid(a_o) * np.tanh(c), c


STEPS = {"gru": (_gru, 1), "lstm": (_lstm, 2)}


def _below(weights: Weights, path: str) -> dict[str, np.ndarray]:
    prefix = f"{path}/"
    return {p.removeprefix(prefix): w for p, w in weights.items() if p.startswith(prefix)}


def _read(weights: Weights, cell: str, xs: np.ndarray) -> tuple[np.ndarray, States]:
    """A recurrent layer over one sequence from zeros: all outputs and the last states."""
    step, count = STEPS[cell]
    states: States = (np.zeros(len(weights["recurrent_kernel"])),) * count
    outputs = []
    for x in xs:
        states = step(weights, x, states)
        outputs.append(states[0])
    return np.array(outputs), states


def _read_both_ways(
    weights: Weights, cell: str, xs: np.ndarray
) -> tuple[np.ndarray, States, States]:
    """h_j = [forward h_j; backward h_j], and the last states of each."""
    forward, last = _read(_below(weights, "forward_layer/cell"), cell, xs)
    backward, first = _read(_below(weights, "backward_layer/cell"), cell, xs[::-1])
    return np.concatenate([forward, backward[::-1]], 1), last, first


def _embedded(weights: Weights, source: np.ndarray) -> np.ndarray:
    table = weights.get("source_embedding/embeddings", weights["target_embedding/embeddings"])
    return table[source[source != 0]]


def _logits(weights: Weights, t: np.ndarray) -> np.ndarray:
    """W_o t + b, where W_o may be the embedding (Press and Wolf 2017)."""
    if "output_projection/kernel" in weights:
        return t @ weights["output_projection/kernel"] + weights["output_projection/bias"]
    return weights["target_embedding/embeddings"] @ t + weights["bias"]


def _one_query(read: Any, weights: Weights, q: np.ndarray, h: np.ndarray, **arguments: Any) -> Any:
    inputs = {"query": q[None, None], "value": h[None]}
    output, a = read(weights, inputs, return_attention_scores=True, **arguments)
    return output[0, 0], a[0, 0]


def _batch(translate: Any, inputs: Mapping[str, np.ndarray], with_scores: bool) -> Any:
    """Each pair alone; the alignments padded to the source's length."""
    logits, alignments = [], []
    for source, target in zip(inputs["source"], inputs["target"], strict=True):
        rows = [*translate(source, target)]
        logits.append([row for row, _ in rows])
        alignments.append([np.pad(a, (0, len(source) - len(a))) for _, a in rows])
    return (np.array(logits), np.array(alignments)) if with_scores else np.array(logits)


def bahdanau_translator(
    weights: Weights,
    inputs: Mapping[str, np.ndarray],
    embedding_dim: int,
    cell: str = "gru",
    attention: str | None = "additive",
    readout: str = "maxout",
    return_attention_scores: bool = False,
    **_: Any,
) -> Any:
    """Bahdanau et al. 2015, sections 3.1, 3.2 and A.2.2; without attention Cho et al. 2014."""
    step, count = STEPS[cell]
    E = weights["target_embedding/embeddings"]

    def translate(source: np.ndarray, target: np.ndarray) -> Any:
        x = _embedded(weights, source)
        h, forward, backward = _read_both_ways(_below(weights, "encoder"), cell, x)
        W_s, b_s = weights["initial_state/kernel"], weights["initial_state/bias"]
        s = np.tanh(backward[0] @ W_s + b_s)  # backward h_1 has read all
        states: States = (s, *[np.zeros_like(s)] * (count - 1))
        for y in target:
            if attention:
                own = _below(weights, "attention")
                c, a = _one_query(reads.bahdanau_attention, own, states[0], h)
            else:
                c, a = np.concatenate([forward[0], backward[0]]), np.zeros(len(h))
            states = step(_below(weights, "cell"), np.concatenate([E[y], c]), states)
            t = np.concatenate([states[0], c, E[y]]) @ weights["hidden/kernel"]
            t = t + weights["hidden/bias"]
            if readout == "maxout":
                t = np.array([max(t[k], t[k + embedding_dim]) for k in range(embedding_dim)])
            else:
                t = np.tanh(t)
            yield _logits(weights, t), a

    return _batch(translate, inputs["inputs"], return_attention_scores)


def luong_translator(
    weights: Weights,
    inputs: Mapping[str, np.ndarray],
    units: int,
    layers: int = 2,
    attention: str | None = "general",
    input_feeding: bool = True,
    bidirectional: bool = False,
    return_attention_scores: bool = False,
    **_: Any,
) -> Any:
    """Luong et al. 2015, sections 2, 3.1 and 3.3; without attention Sutskever et al. 2014."""
    E = weights["target_embedding/embeddings"]

    def translate(source: np.ndarray, target: np.ndarray) -> Any:
        h, states = _embedded(weights, source), []
        for layer in range(layers):
            own = _below(weights, f"encoder/{layer}")
            if bidirectional:
                h, last, first = _read_both_ways(own, "lstm", h)
                states.append(tuple(map(np.concatenate, zip(last, first, strict=True))))
            else:
                h, last = _read(_below(own, "cell"), "lstm", h)
                states.append(last)
        fed, a = np.zeros(units), np.zeros(len(h))
        for y in target:
            x = np.concatenate([E[y], fed]) if input_feeding else E[y]
            for layer in range(layers):
                states[layer] = _lstm(_below(weights, f"cells/{layer}"), x, states[layer])
                x = states[layer][0]
            if attention:
                own = _below(weights, "attention")
                x, a = _one_query(reads.luong_attention, own, x, h, score=attention)
            fed = x
            yield _logits(weights, x), a

    return _batch(translate, inputs["inputs"], return_attention_scores)
