"""`kblocks.layers.LSTM2D` along anti-diagonals against the double loop over rows and columns.

Both on TensorFlow's CPU in a `tf.function`, in float32, one direction, features as many as units.
The double loop is compiled as well: the same cell, a pixel at a time, inside two nested loops of
the graph, with the products of all inputs taken out of them. A training step is the forward pass
and the gradients of all weights and of the inputs.
"""

import argparse
import os
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

import kblocks
from benchmarks import harness
from kblocks.backend import scan

SIDES = (16, 32, 64)
SHAPES = [(1, 64), (8, 16), (8, 64), (32, 64)]  # batch, units


def double_loop(cell: kblocks.layers.LSTM2DCell, x: Any) -> Any:
    """The states h (batch, height, width, units), a pixel at a time."""
    z = tf.transpose(cell.project(x), (1, 2, 0, 3))  # (height, width, batch, 5 * units)
    zeros = tf.zeros((z.shape[1], z.shape[2], cell.units), z.dtype)

    def row(above: list[Any], z: Any) -> tuple[list[Any], Any]:
        def pixel(left: list[Any], x: list[Any]) -> tuple[list[Any], list[Any]]:
            z, h_up, c_up = x
            states, _ = cell.step(z, [h_up, c_up, *left])
            return states, states

        _, states = scan(pixel, [zeros[0], zeros[0]], [z, *above])
        return states, states[0]

    _, h = scan(row, [zeros, zeros], z)
    return tf.transpose(h, (2, 0, 1, 3))


def contender(
    run: Callable[[Any], Any], sources: list[Any], x: Any, weights: Any, training: bool
) -> Callable[[], Any]:
    def step(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(run(x) * weights)
        return tape.gradient(total, [x, *sources])

    function = tf.function(step if training else run, autograph=False)
    return lambda: function(x)


def check(side: int, batch: int, units: int) -> None:
    """Compare them in float64: rounding grows along 127 diagonals (to 6e-3 in float32)."""
    x = tf.constant(np.random.default_rng(0).normal(size=(batch, side, side, units)))
    layer = kblocks.layers.LSTM2D(units, dtype="float64")
    found = layer(x)
    expected = tf.function(lambda x: double_loop(layer.cells[0], x), autograph=False)(x)
    np.testing.assert_allclose(found, expected, atol=1e-8)


def measure(side: int, batch: int, units: int, training: bool, rounds: int) -> dict[str, Any]:
    draw = np.random.default_rng(0)
    x = tf.constant(draw.normal(size=(batch, side, side, units)), "float32")
    weights = tf.constant(draw.normal(size=(batch, side, side, units)), "float32")
    layer = kblocks.layers.LSTM2D(units)
    layer.build(x.shape)
    sources = [v.value for v in layer.trainable_variables]
    runs = {"kblocks": layer, "double loop": lambda x: double_loop(layer.cells[0], x)}
    contenders = {name: contender(run, sources, x, weights, training) for name, run in runs.items()}
    times = harness.interleaved(contenders, rounds)
    return {
        "pass": "training" if training else "forward",
        "side": side,
        "batch": batch,
        "units": units,
        **{f"{name} ms": ms for name, ms in harness.milliseconds(times).items()},
        "double loop / kblocks": harness.speed(times, "kblocks", "double loop"),
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lstm_2d", description=__doc__)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--only", type=int, nargs=3, metavar=("SIDE", "BATCH", "UNITS"))
    parser.add_argument("--dry", action="store_true", help="write no file")
    options = parser.parse_args(arguments)
    shapes = [(side, *shape) for side in SIDES for shape in SHAPES]
    rows = []
    for side, batch, units in [tuple(options.only)] if options.only else shapes:
        check(side, batch, units)
        for training in (False, True):
            row = measure(side, batch, units, training, options.rounds)
            rows.append(row)
            print(" ".join(f"{name}={value}" for name, value in row.items()), flush=True)
    rows.sort(key=lambda row: (row["pass"], row["side"], row["batch"], row["units"]))
    means = {
        f"{kind}, {side} x {side}": harness.geometric_mean(
            [
                row["double loop / kblocks"]
                for row in rows
                if (row["pass"], row["side"]) == (kind, side)
            ]
        )
        for kind in ("forward", "training")
        for side in sorted({row["side"] for row in rows})
    }
    print(harness.table(rows))
    print(harness.table([means]))
    if not options.dry:
        result = {
            "name": "bench_lstm_2d",
            "command": "make bench",
            "machine": harness.machine(["tensorflow", "keras"]),
            "rounds": options.rounds,
            "means": means,
            "rows": rows,
        }
        print(f"written to {harness.write('lstm_2d', result)}")


if __name__ == "__main__":
    main()
