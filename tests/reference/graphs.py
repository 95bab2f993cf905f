"""The Graph LSTM in NumPy float64, one node after another, as Liang et al. (2016) write it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tests.reference.recurrent import sigmoid

Weights = Mapping[str, np.ndarray]

KERNELS = ("kernel", "recurrent_kernel", "neighbour_kernel", "bias")


def _four(weight: np.ndarray, units: int) -> list[np.ndarray]:
    """The weights of the input gate, the candidate, the output gate and the forget gates."""
    return [weight[..., k * units : (k + 1) * units].T for k in range(4)]


def graph_lstm(
    weights: Weights,
    inputs: Mapping[str, Any],
    units: int,
    neighbour_gate: str = "updated",
    return_state: bool = False,
    return_gates: bool = False,
    use_bias: bool = True,
    **_: Any,
) -> Any:
    """Equations 1 and 2 of section 3.3, in the order of section 3.2."""
    Wu, Wc, Wo, Wf = _four(weights["kernel"], units)
    Uu, Uc, Uo, Uf = _four(weights["recurrent_kernel"], units)
    Uun, Ucn, Uon, Ufn = _four(weights["neighbour_kernel"], units)
    bu, bc, bo, bf = _four(weights["bias"] if use_bias else np.zeros(4 * units), units)
    batch, nodes, places = inputs["neighbours"].shape
    h_all, m_all = np.zeros((2, batch, nodes, units))
    gates = [np.zeros((batch, nodes, units)) for _ in range(4)]
    gates.insert(1, np.zeros((batch, nodes, places, units)))
    for b in range(batch):
        f = inputs["inputs"][b]
        h_before, m_before = np.zeros((2, nodes, units))
        if "initial_state" in inputs:
            h_before, m_before = (state[b] for state in inputs["initial_state"])
        h, m, visited = {}, {}, set()
        confidence = inputs["confidence"][b] if "confidence" in inputs else np.zeros(nodes)
        for i in sorted(range(nodes), key=lambda i: (-confidence[i], i)):
            around = [(k, j) for k, j in enumerate(inputs["neighbours"][b, i]) if j >= 0]
            h_bar, m_bar = np.zeros((2, units))
            for k, j in around:
                q_j = j in visited
                h_j = h[j] if q_j else h_before[j]
                m_j = m[j] if q_j else m_before[j]
                seen = h_j if neighbour_gate == "updated" else h_before[j]
                g_f_ij = sigmoid(Wf @ f[i] + Ufn @ seen + bf)
                gates[1][b, i, k] = g_f_ij
                h_bar += h_j / len(around)
                m_bar += g_f_ij * m_j / len(around)
            g_u = sigmoid(Wu @ f[i] + Uu @ h_before[i] + Uun @ h_bar + bu)
            g_f = sigmoid(Wf @ f[i] + Uf @ h_before[i] + bf)
            g_o = sigmoid(Wo @ f[i] + Uo @ h_before[i] + Uon @ h_bar + bo)
            g_c = np.tanh(Wc @ f[i] + Uc @ h_before[i] + Ucn @ h_bar + bc)
            m[i] = m_bar + g_f * m_before[i] + g_u * g_c
            h[i] = np.tanh(g_o * m[i])
            visited.add(i)
            h_all[b, i], m_all[b, i] = h[i], m[i]
            for gate, value in zip((0, 2, 3, 4), (g_u, g_f, g_c, g_o), strict=True):
                gates[gate][b, i] = value
    outputs = [h_all]
    outputs += [h_all, m_all] if return_state else []
    outputs += [tuple(gates)] if return_gates else []
    return tuple(outputs) if len(outputs) > 1 else h_all


def convolution(
    x: np.ndarray, kernel: np.ndarray, stride: int = 1, dilation: int = 1, bias: Any = 0.0
) -> np.ndarray:
    """Of one image (height, width, channels), padded so that ceil(size / stride) places remain."""
    size = (kernel.shape[0] - 1) * dilation + 1
    places = [-(-n // stride) for n in x.shape[:2]]
    pads = [max((m - 1) * stride + size - n, 0) for m, n in zip(places, x.shape[:2], strict=True)]
    x = np.pad(x, [*((pad // 2, pad - pad // 2) for pad in pads), (0, 0)])
    y = np.zeros((*places, kernel.shape[3]))
    for v, u in np.ndindex(*places):
        for j, i in np.ndindex(*kernel.shape[:2]):
            y[v, u] += x[v * stride + j * dilation, u * stride + i * dilation] @ kernel[j, i]
    return y + bias


def group_norm(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, groups: int = 4) -> np.ndarray:
    """Wu and He (2018): each group of channels of one image to mean 0 and variance 1."""
    parts = np.split(x, groups, axis=-1)
    parts = [(part - part.mean()) / np.sqrt(part.var() + 1e-3) for part in parts]
    return np.concatenate(parts, axis=-1) * gamma + beta


def layer_norm(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """Ba et al. (2016): the features of one place to mean 0 and variance 1."""
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt(x.var(-1, keepdims=True) + 1e-3) * gamma + beta


def bilinear(x: np.ndarray, height: int, width: int) -> np.ndarray:
    """(h, w, features) to pixels of a quarter of a cell, cut to (height, width)."""
    y = np.zeros((height, width, x.shape[2]))
    for v, u in np.ndindex(height, width):
        corners = []
        for pixel, size in ((v, x.shape[0]), (u, x.shape[1])):
            place = min(max((pixel + 0.5) / 4 - 0.5, 0), size - 1)
            low = int(place)
            corners.append([(low, 1 - place + low), (min(low + 1, size - 1), place - low)])
        for j, share_j in corners[0]:
            for i, share_i in corners[1]:
                y[v, u] += share_j * share_i * x[j, i]
    return y


def graph_lstm_segmenter(
    weights: Weights,
    inputs: Mapping[str, Any],
    num_classes: int,
    units: int,
    blocks: int,
    graph_layers: int,
    graph: bool = True,
    **_: Any,
) -> dict[str, np.ndarray]:
    """Section 3.1, an image, a superpixel and a pixel at a time."""
    found: dict[str, list] = {"confidence": [], "logits": []}
    rows = (inputs["inputs"][name] for name in ("image", "superpixels", "neighbours"))
    for image, superpixels, neighbours in zip(*rows, strict=True):
        confidence, logits = _segment(
            weights, image, superpixels, neighbours, units, blocks, graph_layers, graph
        )
        found["confidence"].append(confidence)
        found["logits"].append(logits)
    return {name: np.stack(arrays) for name, arrays in found.items()}


def _segment(
    weights: Weights,
    image: np.ndarray,
    superpixels: np.ndarray,
    neighbours: np.ndarray,
    units: int,
    blocks: int,
    graph_layers: int,
    graph: bool,
) -> tuple[np.ndarray, np.ndarray]:
    height, width = superpixels.shape

    def layer(k: int, x: np.ndarray, stride: int = 1, dilation: int = 1) -> np.ndarray:
        y = convolution(x, weights[f"convolutions/{k}/kernel"], stride, dilation)
        return group_norm(y, weights[f"norms/{k}/gamma"], weights[f"norms/{k}/beta"])

    def one_by_one(name: str, x: np.ndarray) -> np.ndarray:
        return x @ weights[f"{name}/kernel"][0, 0] + weights[f"{name}/bias"]

    def graph_norm(k: int, x: np.ndarray) -> np.ndarray:
        return layer_norm(x, *(weights[f"graph_norms/{k}/{n}"] for n in ("gamma", "beta")))

    x = image / 127.5 - 1
    for k in range(2):
        x = np.maximum(layer(k, x, stride=2), 0)
    for block in range(blocks):
        dilation = min(2**block, 4)
        y = np.maximum(layer(2 + 2 * block, x, dilation=dilation), 0)
        x = np.maximum(x + layer(3 + 2 * block, y, dilation=dilation), 0)
    initial = one_by_one("confidence", x)
    if not graph:
        refined = x
        for k in range(0, 4 * graph_layers, 4):
            y = graph_norm(k // 4, refined)
            for part in range(4):
                y = y if part == 0 else np.maximum(y, 0)
                name = f"refinements/{k + part}"
                y = convolution(y, weights[f"{name}/kernel"], bias=weights[f"{name}/bias"])
            refined = refined + y
        logits = one_by_one("classify", x + refined)
        return bilinear(initial, height, width), bilinear(logits, height, width)
    p = np.exp(initial) / np.exp(initial).sum(-1, keepdims=True)
    # Superpixels without pixels are padding: they come last and stay zero.
    present = [s for s in range(len(neighbours)) if (superpixels == s).any()]
    f, c = np.zeros((len(neighbours), units)), np.full(len(neighbours), -np.inf)
    for s in present:
        pixels = np.argwhere(superpixels == s) // 4
        f[s] = np.mean([x[v, u] for v, u in pixels], axis=0)
        c[s] = np.mean([p[v, u] for v, u in pixels], axis=0).max()
    edges = [
        [j if i in present and j in present else -1 for j in row]
        for i, row in enumerate(neighbours)
    ]
    states = [np.zeros((1, len(f), units))] * 2
    for k in range(graph_layers):
        own = {n: weights[f"recurrences/{k}/{n}"] for n in KERNELS}
        given = {
            "inputs": graph_norm(k, f)[None],
            "neighbours": np.array([edges]),
            "confidence": c[None],
        }
        h, *states = graph_lstm(own, {**given, "initial_state": states}, units, return_state=True)
        h[:, [s not in present for s in range(len(f))]] = 0
        f = f + h[0]
    logits = bilinear(one_by_one("classify", x), height, width)
    for v, u in np.ndindex(height, width):
        logits[v, u] += f[superpixels[v, u]] @ weights["classify/kernel"][0, 0]
    return bilinear(initial, height, width), logits
