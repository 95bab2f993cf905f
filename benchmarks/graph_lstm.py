"""`kblocks.layers.GraphLSTM` wave by wave against one node of every graph at a time.

Both on TensorFlow's CPU in a `tf.function` with free axes, in float32, features as many as units.
The graphs are triangulated grids, planar as those of superpixels are, with six neighbours to an
inner node; the confidences are drawn. Node by node is the layer's own path under XLA and on JAX and
PyTorch, here without XLA. A training step is the forward pass and the gradients of all weights and
of the inputs.
"""

import argparse
import os
from collections.abc import Callable
from typing import Any
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

import kblocks
from benchmarks import harness

SIDES = (5, 10, 20, 35)  # of the grids: 25 to 1225 nodes
SHAPES = [(1, 64), (8, 32), (8, 64)]  # batch, units
PATH = "kblocks.layers.graphs.graph_lstm.graph_lstm_is_available"


def triangulated_grid(rng: np.random.Generator, side: int) -> np.ndarray:
    """The neighbours (nodes, most) of the nodes of a grid, each square with one diagonal."""
    around: list[list[int]] = [[] for _ in range(side * side)]

    def join(i: int, j: int) -> None:
        around[i].append(j)
        around[j].append(i)

    for row in range(side):
        for column in range(side):
            i = row * side + column
            if column + 1 < side:
                join(i, i + 1)
            if row + 1 < side:
                join(i, i + side)
            if column + 1 < side and row + 1 < side:
                join(*((i, i + side + 1) if rng.random() < 0.5 else (i + 1, i + side)))
    neighbours = np.full((side * side, max(map(len, around))), -1, "int32")
    for i, js in enumerate(around):
        neighbours[i, : len(js)] = js
    return neighbours


def waves(neighbours: np.ndarray, confidence: np.ndarray) -> int:
    """How many waves the most confident nodes and those after them make, in one graph."""
    wave: dict[int, int] = {}
    for i in np.argsort(-confidence, kind="stable"):
        wave[int(i)] = 1 + max((wave[j] for j in neighbours[i].tolist() if j in wave), default=0)
    return max(wave.values())


def batched(rng: np.random.Generator, side: int, batch: int, units: int) -> list[np.ndarray]:
    """Inputs, neighbours and confidences of a batch."""
    graphs = [triangulated_grid(rng, side) for _ in range(batch)]
    most = max(graph.shape[1] for graph in graphs)
    pads = [((0, 0), (0, most - graph.shape[1])) for graph in graphs]
    padded = [
        np.pad(graph, pad, constant_values=-1) for graph, pad in zip(graphs, pads, strict=True)
    ]
    x = rng.normal(size=(batch, side * side, units)).astype("float32")
    return [x, np.stack(padded), rng.random((batch, side * side)).astype("float32")]


def contender(
    layer: kblocks.layers.GraphLSTM, given: list[Any], weights: Any, training: bool, by_waves: bool
) -> Callable[[], Any]:
    sources = [v.value for v in layer.trainable_variables]
    signature = [
        tf.TensorSpec((None, None, layer.units)),
        tf.TensorSpec((None, None, None), "int32"),
        tf.TensorSpec((None, None)),
    ]

    def forward(x: Any, neighbours: Any, confidence: Any) -> Any:
        return layer(x, neighbours=neighbours, confidence=confidence)

    def step(x: Any, neighbours: Any, confidence: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(forward(x, neighbours, confidence) * weights)
        return tape.gradient(total, [x, *sources])

    function = tf.function(
        step if training else forward, autograph=False, input_signature=signature
    )
    if by_waves:
        function.get_concrete_function()
    else:
        with mock.patch(PATH, return_value=False):
            function.get_concrete_function()
    return lambda: function(*given)


def measure(side: int, batch: int, units: int, training: bool, rounds: int) -> dict[str, Any]:
    rng = np.random.default_rng(side)
    x, neighbours, confidence = batched(rng, side, batch, units)
    given = [tf.constant(a) for a in (x, neighbours, confidence)]
    weights = tf.constant(rng.normal(size=(batch, side * side, units)), "float32")
    layer = kblocks.layers.GraphLSTM(units)
    layer.build(x.shape)
    contenders = {
        name: contender(layer, given, weights, training, by_waves)
        for name, by_waves in (("kblocks", True), ("node by node", False))
    }
    results = [tf.nest.flatten(call()) for call in contenders.values()]
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4 * max(1, np.abs(b).max()))
    times = harness.interleaved(contenders, rounds)
    return {
        "pass": "training" if training else "forward",
        "nodes": side * side,
        "batch": batch,
        "units": units,
        "waves": max(map(waves, neighbours, confidence)),
        **{f"{name} ms": ms for name, ms in harness.milliseconds(times).items()},
        "node by node / kblocks": harness.speed(times, "kblocks", "node by node"),
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.graph_lstm", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", type=int, nargs=3, metavar=("SIDE", "BATCH", "UNITS"))
    parser.add_argument("--dry", action="store_true", help="write no file")
    options = parser.parse_args(arguments)
    shapes = [(side, *shape) for side in SIDES for shape in SHAPES]
    rows = []
    for side, batch, units in [tuple(options.only)] if options.only else shapes:
        for training in (False, True):
            row = measure(side, batch, units, training, options.rounds)
            rows.append(row)
            print(" ".join(f"{name}={value}" for name, value in row.items()), flush=True)
    rows.sort(key=lambda row: (row["pass"], row["batch"], row["units"], row["nodes"]))
    means = {
        f"{kind}, {nodes} nodes": harness.geometric_mean(
            [
                row["node by node / kblocks"]
                for row in rows
                if (row["pass"], row["nodes"]) == (kind, nodes)
            ]
        )
        for kind in ("forward", "training")
        for nodes in sorted({row["nodes"] for row in rows})
    }
    print(harness.table(rows))
    print(harness.table([means]))
    if not options.dry:
        result = {
            "name": "bench_graph_lstm",
            "command": "make bench",
            "machine": harness.machine(["tensorflow", "keras"]),
            "rounds": options.rounds,
            "means": means,
            "rows": rows,
        }
        print(f"written to {harness.write('graph_lstm', result)}")


if __name__ == "__main__":
    main()
