"""BERT in NumPy float64, token by token (Devlin et al. 2019; Vaswani et al. 2017 for the layers).

Weights come by path. No token sees padding, id 0; what stands there sees the others as well.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

Weights = Mapping[str, np.ndarray]

_erf = np.vectorize(math.erf)
EPSILON = 1e-12


def below(weights: Weights, path: str) -> dict[str, np.ndarray]:
    prefix = f"{path}/"
    return {p.removeprefix(prefix): w for p, w in weights.items() if p.startswith(prefix)}


def gelu(x: np.ndarray) -> np.ndarray:
    """x P(X <= x), X normal."""
    return x * (1 + _erf(x / math.sqrt(2))) / 2


def norm(weights: Weights, x: np.ndarray) -> np.ndarray:
    centred = x - x.mean()
    return weights["gamma"] * centred / np.sqrt((centred**2).mean() + EPSILON) + weights["beta"]


def dense(weights: Weights, x: np.ndarray) -> np.ndarray:
    return x @ weights["kernel"] + weights["bias"]


def attend(weights: Weights, query: np.ndarray, seen: list[np.ndarray]) -> np.ndarray:
    """One query over all vectors of the text."""
    out = weights["b_O"].copy()
    for k in range(weights["W_Q"].shape[1]):
        Q, K, V = (
            np.array([x @ weights[f"W_{n}"][:, k] + weights[f"b_{n}"][k] for x in xs])
            for n, xs in (("Q", [query]), ("K", seen), ("V", seen))
        )
        scores = np.exp(K @ Q[0] / math.sqrt(K.shape[1]))
        out += (scores / scores.sum()) @ V @ weights["W_O"][k]
    return out


def states(
    weights: Weights, tokens: np.ndarray, segments: np.ndarray, causal: bool = False
) -> list[np.ndarray]:
    """The vectors of one text, above the last layer; if causal none sees those after it."""
    positions = weights["position_embedding/embeddings"]
    xs = [
        norm(
            below(weights, "embedding_norm"),
            weights["token_embedding/embeddings"][w]
            + weights["segment_embedding/embeddings"][s]
            + positions[t],
        )
        for t, (w, s) in enumerate(zip(tokens, segments, strict=True))
    ]
    layers = 1 + max(int(p.split("/")[1]) for p in weights if p.startswith("encoder/"))
    for i in range(layers):
        layer = below(weights, f"encoder/{i}")
        attention, feed = below(layer, "self_attention"), below(layer, "feed_forward")
        ends = range(1, 1 + len(xs)) if causal else [len(xs)] * len(xs)
        seen = [[x for x, w in zip(xs[:end], tokens, strict=False) if w] for end in ends]
        xs = [
            norm(below(layer, "self_attention_norm"), x + attend(attention, x, others))
            for x, others in zip(xs, seen, strict=True)
        ]
        xs = [
            norm(
                below(layer, "feed_forward_norm"),
                x + dense(below(feed, "outer"), gelu(dense(below(feed, "inner"), x))),
            )
            for x in xs
        ]
    return xs


def bert_encoder(
    weights: Weights, inputs: Mapping[str, Any], causal: bool = False, **_: Any
) -> dict[str, np.ndarray]:
    """`sequence` and, where there is a pooler, `pooled`: of the first, if causal of the last."""
    inputs = inputs["inputs"]
    segments = inputs.get("segments", np.zeros_like(inputs["tokens"]))
    sequence = np.array(
        [states(weights, *row, causal) for row in zip(inputs["tokens"], segments, strict=True)]
    )
    if "pooler/kernel" not in weights:
        return {"sequence": sequence}
    of_the_whole = [
        h[np.flatnonzero(w)[-1] if causal else 0]
        for h, w in zip(sequence, inputs["tokens"], strict=True)
    ]
    pooled = np.tanh(dense(below(weights, "pooler"), np.array(of_the_whole)))
    return {"sequence": sequence, "pooled": pooled}


def of_encoder(weights: Weights, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The encoder below a model."""
    return bert_encoder(below(weights, "encoder"), inputs)


def bert_classifier(
    weights: Weights, inputs: Mapping[str, Any], pooling: str = "first", **_: Any
) -> np.ndarray:
    states = of_encoder(weights, inputs)
    c = states["pooled"] if pooling == "first" else means(states["sequence"], inputs)
    return dense(below(weights, "head"), c)


def means(sequence: np.ndarray, inputs: Mapping[str, Any]) -> np.ndarray:
    """Of each row's states, without those of padding."""
    tokens = inputs["inputs"]["tokens"]
    return np.array([h[w != 0].mean(axis=0) for h, w in zip(sequence, tokens, strict=True)])


def bert_tagger(weights: Weights, inputs: Mapping[str, Any], **_: Any) -> np.ndarray:
    return dense(below(weights, "head"), of_encoder(weights, inputs)["sequence"])


def bert_span_classifier(
    weights: Weights, inputs: Mapping[str, Any], **_: Any
) -> dict[str, np.ndarray]:
    logits = bert_tagger(weights, inputs)
    logits[inputs["inputs"]["tokens"] == 0] = -1e9
    return {"start": logits[..., 0], "end": logits[..., 1]}


def bert_sentence_encoder(
    weights: Weights, inputs: Mapping[str, Any], pooling: str = "mean", **_: Any
) -> np.ndarray:
    h = of_encoder(weights, inputs)["sequence"]
    e = means(h, inputs) if pooling == "mean" else h[:, 0]
    return e / np.linalg.norm(e, axis=-1, keepdims=True)


def bert_pretrainer(weights: Weights, inputs: Mapping[str, Any], **_: Any) -> dict[str, np.ndarray]:
    states = of_encoder(weights, inputs)
    E = weights["encoder/token_embedding/embeddings"]
    masked = []
    for h, positions in zip(states["sequence"], inputs["inputs"]["positions"], strict=True):
        transformed = [gelu(dense(below(weights, "transform"), h[t])) for t in positions]
        normed = [norm(below(weights, "transform_norm"), x) for x in transformed]
        masked.append([E @ x + weights["output_bias"] for x in normed])
    outputs = {"masked": np.array(masked)}
    if "next_head/kernel" in weights:
        outputs["next"] = dense(below(weights, "next_head"), states["pooled"])
    return outputs
