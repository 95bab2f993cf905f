"""Attention in NumPy float64, one query at a time, as the papers write it.

Each function takes the weights by path, the inputs by name (`query`, `value`, and where given `key`
and `attention_mask`), and the layer's arguments.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Weights = Mapping[str, np.ndarray]
Inputs = Mapping[str, Any]


def _each_pair(query: np.ndarray, key: np.ndarray, score: Callable) -> np.ndarray:
    """score(q, k, s) for each query vector, each key vector and its position s."""
    return np.array(
        [
            [[score(q, k, s) for s, k in enumerate(ks)] for q in qs]
            for qs, ks in zip(query, key, strict=True)
        ]
    )


def additive_score(weights: Weights, inputs: Inputs, **_: Any) -> np.ndarray:
    """Bahdanau et al. 2015, A.1.2: v^T tanh(W_q q + W_k k)."""
    W_q, W_k, v = weights["W_q/kernel"], weights["W_k/kernel"], weights["v"]
    return _each_pair(
        inputs["query"], inputs["key"], lambda q, k, s: v @ np.tanh(W_q.T @ q + W_k.T @ k)
    )


def general_score(weights: Weights, inputs: Inputs, **_: Any) -> np.ndarray:
    """Luong et al. 2015: q^T W k, with W^T as the kernel that projects k."""
    W = weights["W/kernel"].T
    return _each_pair(inputs["query"], inputs["key"], lambda q, k, s: q @ W @ k)


def dot_score(weights: Weights, inputs: Inputs, **_: Any) -> np.ndarray:
    """Luong et al. 2015: q^T k."""
    return _each_pair(inputs["query"], inputs["key"], lambda q, k, s: q @ k)


def scaled_dot_score(weights: Weights, inputs: Inputs, **_: Any) -> np.ndarray:
    """Vaswani et al. 2017, equation 1: q^T k / sqrt(d_k)."""
    return _each_pair(inputs["query"], inputs["key"], lambda q, k, s: q @ k / np.sqrt(len(k)))


def location_score(weights: Weights, inputs: Inputs, **_: Any) -> np.ndarray:
    """Luong et al. 2015, equation 8: the s-th entry of W q."""
    W = weights["W"].T
    return _each_pair(inputs["query"], inputs["key"], lambda q, k, s: (W @ q)[s])


def content_score(weights: Weights, inputs: Inputs, **_: Any) -> np.ndarray:
    """Graves et al. 2014, equations 5 and 6: beta times the cosine, beta = exp(b)."""
    beta = np.exp(weights["log_sharpness"])
    return _each_pair(
        inputs["query"],
        inputs["key"],
        lambda q, k, s: beta * (q @ k) / (np.linalg.norm(q) * np.linalg.norm(k)),
    )


SCORES = {
    "additive": additive_score,
    "content": content_score,
    "dot": dot_score,
    "general": general_score,
    "location": location_score,
    "scaled_dot": scaled_dot_score,
}


def _scores(weights: Weights, inputs: Inputs, score: str) -> np.ndarray:
    own = {path.removeprefix("score/"): w for path, w in weights.items()}
    return SCORES[score](own, {"query": inputs["query"], "key": _key(inputs)})


def _key(inputs: Inputs) -> np.ndarray:
    return inputs.get("key", inputs["value"])


def _allowed(inputs: Inputs, shape: tuple) -> np.ndarray:
    mask = np.asarray(inputs.get("attention_mask", True), bool)
    return np.broadcast_to(mask[:, None, :] if mask.ndim == 2 else mask, shape)


def _softmax(scores: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Of one query: a distribution over what is allowed, zeros where nothing is."""
    weights = np.zeros_like(scores)
    if allowed.any():
        e = np.exp(scores[allowed] - scores[allowed].max())
        weights[allowed] = e / e.sum()
    return weights


def alignments(weights: Weights, inputs: Inputs, score: str) -> np.ndarray:
    """Bahdanau et al. 2015, equation 6."""
    scores = _scores(weights, inputs, score)
    allowed = _allowed(inputs, scores.shape)
    return np.array(
        [
            [_softmax(*pair) for pair in zip(*row, strict=True)]
            for row in zip(scores, allowed, strict=True)
        ]
    )


def _result(context: np.ndarray, weights: np.ndarray, return_attention_scores: bool) -> Any:
    return (context, weights) if return_attention_scores else context


def _contexts(a: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Bahdanau et al. 2015, equation 5: c_t = sum_s a_ts v_s."""
    return np.array(
        [
            [sum(w * v for w, v in zip(row, vs, strict=True)) for row in ws]
            for ws, vs in zip(a, value, strict=True)
        ]
    )


def attention(
    weights: Weights,
    inputs: Inputs,
    score: str = "dot",
    return_attention_scores: bool = False,
    **_: Any,
) -> Any:
    """Score, normalise, sum."""
    a = alignments(weights, inputs, score)
    return _result(_contexts(a, inputs["value"]), a, return_attention_scores)


def bahdanau_attention(
    weights: Weights, inputs: Inputs, return_attention_scores: bool = False, **_: Any
) -> Any:
    """Bahdanau et al. 2015: attention with the additive score."""
    return attention(weights, inputs, "additive", return_attention_scores)


def luong_attention(
    weights: Weights,
    inputs: Inputs,
    score: str = "general",
    return_attention_scores: bool = False,
    **_: Any,
) -> Any:
    """Luong et al. 2015, equation 5: h~ = tanh(W_c [c; h])."""
    context, a = attention(weights, inputs, score, return_attention_scores=True)
    W_c = weights["W_c/kernel"].T
    vector = np.array(
        [
            [np.tanh(W_c @ np.concatenate(pair)) for pair in zip(*row, strict=True)]
            for row in zip(context, inputs["query"], strict=True)
        ]
    )
    return _result(vector, a, return_attention_scores)


def local_attention(
    weights: Weights,
    inputs: Inputs,
    window: int = 10,
    alignment: str = "predictive",
    score: str = "general",
    return_attention_scores: bool = False,
    **_: Any,
) -> Any:
    """Luong et al. 2015, section 3.2; positions and lengths count what the mask leaves."""
    scores = _scores(weights, inputs, score)
    allowed = _allowed(inputs, scores.shape)
    a = np.zeros_like(scores)
    for b, t in np.ndindex(scores.shape[:2]):
        places = np.flatnonzero(allowed[b, t])
        S = len(places)
        if alignment == "monotonic":
            p = float(t)
        else:
            h = inputs["query"][b, t]
            p = S / (1 + np.exp(-weights["v_p"] @ np.tanh(weights["W_p/kernel"].T @ h)))
        near = [(s, place) for s, place in enumerate(places) if p - window <= s <= p + window]
        if not near:
            continue
        e = np.exp([scores[b, t, place] for _, place in near])
        for share, (s, place) in zip(e / e.sum(), near, strict=True):
            sigma = window / 2
            gauss = np.exp(-((s - p) ** 2) / (2 * sigma**2))
            a[b, t, place] = share * (gauss if alignment == "predictive" else 1.0)
    return _result(_contexts(a, inputs["value"]), a, return_attention_scores)


def hard_attention(
    weights: Weights,
    inputs: Inputs,
    score: str = "dot",
    return_attention_scores: bool = False,
    return_log_probability: bool = False,
    **_: Any,
) -> Any:
    """Xu et al. 2015, equations 8 and 9, at inference: the most probable position."""
    alpha = alignments(weights, inputs, score)
    a, log_p, entropy = np.zeros_like(alpha), np.zeros(alpha.shape[:2]), np.zeros(alpha.shape[:2])
    for b, t in np.ndindex(alpha.shape[:2]):
        distribution = alpha[b, t]
        if distribution.any():
            best = distribution.argmax()
            a[b, t, best] = 1.0
            log_p[b, t] = np.log(distribution[best])
            positive = distribution[distribution > 0]
            entropy[b, t] = -(positive * np.log(positive)).sum()
    outputs = [_contexts(a, inputs["value"])]
    outputs += [a] if return_attention_scores else []
    outputs += [log_p, entropy] if return_log_probability else []
    return tuple(outputs) if len(outputs) > 1 else outputs[0]
