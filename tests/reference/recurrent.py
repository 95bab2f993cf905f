"""Recurrent networks in NumPy float64, one sequence and one step at a time, as the papers write it.

Each function takes the weights by path, the inputs (an array, or by name with an initial state) and
the layer's arguments.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Weights = Mapping[str, np.ndarray]


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def _gate(weights: Weights, number: int, units: int) -> tuple[np.ndarray, np.ndarray]:
    """W acting on the column [h; x], and b, of one gate."""
    columns = slice(number * units, (number + 1) * units)
    W = np.concatenate([weights["recurrent_kernel"], weights["kernel"]])[:, columns].T
    return W, weights["bias"][..., columns]


def simple_rnn_step(
    weights: Weights, x: np.ndarray, states: list, units: int, **_: Any
) -> tuple[list, list]:
    """Elman 1990: h_t = tanh(W [h_{t-1}, x_t] + b)."""
    W, b = _gate(weights, 0, units)
    return [np.tanh(W @ np.concatenate([states[0], x]) + b)], []


def lstm_step(
    weights: Weights, x: np.ndarray, states: list, units: int, peepholes: bool = False, **_: Any
) -> tuple[list, list]:
    """Hochreiter and Schmidhuber 1997 with Gers et al. 2000; peepholes: Gers and Schmidhuber."""
    h, c_before = states
    hx = np.concatenate([h, x])
    (W_i, b_i), (W_f, b_f), (W_c, b_c), (W_o, b_o) = (_gate(weights, k, units) for k in range(4))
    p_i, p_f, p_o = weights["peephole_kernel"] if peepholes else np.zeros((3, units))
    i = sigmoid(W_i @ hx + p_i * c_before + b_i)
    f = sigmoid(W_f @ hx + p_f * c_before + b_f)
    g = np.tanh(W_c @ hx + b_c)
    c = f * c_before + i * g
    o = sigmoid(W_o @ hx + p_o * c + b_o)
    return [o * np.tanh(c), c], [i, f, g, o]


def gru_step(
    weights: Weights, x: np.ndarray, states: list, units: int, reset_after: bool = True, **_: Any
) -> tuple[list, list]:
    """Cho et al. 2014, equations 5 to 8; `reset_after` as in cuDNN."""
    (h,) = states
    gates = [_gate(weights, k, units) for k in range(3)]
    if reset_after:
        (z_h, z_x), (r_h, r_x), (g_h, g_x) = [
            (W[:, :units] @ h + b[1], W[:, units:] @ x + b[0]) for W, b in gates
        ]
        z, r = sigmoid(z_h + z_x), sigmoid(r_h + r_x)
        g = np.tanh(g_x + r * g_h)
    else:
        (W_z, b_z), (W_r, b_r), (W_g, b_g) = gates
        z = sigmoid(W_z @ np.concatenate([h, x]) + b_z)
        r = sigmoid(W_r @ np.concatenate([h, x]) + b_r)
        g = np.tanh(W_g @ np.concatenate([r * h, x]) + b_g)
    return [z * h + (1 - z) * g], [z, r, g]


STEPS: dict[str, tuple[Callable, int]] = {
    "simple_rnn": (simple_rnn_step, 1),
    "lstm": (lstm_step, 2),
    "gru": (gru_step, 1),
}


def cell(name: str) -> Callable:
    """The reference of a cell: the new state, and the list of the new states."""
    step, _ = STEPS[name]

    def run(weights: Weights, inputs: Mapping[str, Any], **arguments: Any) -> tuple:
        rows = zip(inputs["inputs"], *inputs["states"], strict=True)
        new = [step(weights, x, states, **arguments)[0] for x, *states in rows]
        states = [np.stack(state) for state in zip(*new, strict=True)]
        return states[0], states

    return run


def layer(name: str) -> Callable:
    """The reference of a layer over sequences, with what it was asked to return."""
    step, number_of_states = STEPS[name]

    def run(
        weights: Weights,
        inputs: Any,
        units: int,
        return_sequences: bool = False,
        return_state: bool = False,
        return_gates: bool = False,
        go_backwards: bool = False,
        **arguments: Any,
    ) -> tuple:
        own = {path.removeprefix("cell/"): value for path, value in weights.items()}
        sequences = inputs["sequences"] if isinstance(inputs, Mapping) else inputs
        zeros = [np.zeros((len(sequences), units))] * number_of_states
        initial = inputs["initial_state"] if isinstance(inputs, Mapping) else zeros
        all_h, all_gates, last = [], [], []
        for sequence, *states in zip(sequences, *initial, strict=True):
            h, gates = [], []
            for x in reversed(sequence) if go_backwards else sequence:
                states, now = step(own, x, states, units=units, **arguments)
                h.append(states[0])
                gates.append(now)
            all_h.append(h)
            all_gates.append(gates)
            last.append(states)
        outputs = [np.array(all_h) if return_sequences else np.array(all_h)[:, -1]]
        if return_state:
            outputs += list(np.moveaxis(np.array(last), 1, 0))
        if return_gates:
            outputs.append(list(np.moveaxis(np.array(all_gates), 2, 0)))
        return tuple(outputs) if len(outputs) > 1 else outputs[0]

    return run
