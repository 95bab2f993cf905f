"""`kblocks.layers.LSTM` against `keras.layers.LSTM` and `torch.nn.LSTM`, on the CPU.

Whole sequences out, batch first, in float32; features as many as units, 64 steps. TensorFlow's
layers run in their defaults inside a `tf.function` (`--xla` adds both with `jit_compile=True`),
torch's eagerly, as each is used. A training step is the forward pass and the gradients of all
weights and of the inputs. The mask pads on the right to lengths between half and all steps; torch
gets the lengths by `pack_padded_sequence`.

What was tried on two cores, and what it gave (times as fast as before, or milliseconds):

- Backward by hand, the weights' gradients as one product each after the loop: the largest step,
  1.5 to 4 times as fast a training step as automatic differentiation of Keras' loop. W_h is
  transposed once, before the loop: small products with a transposed factor are 3 to 5 times slower.
- One product per gate against one for all: forward 5.2 ms against 7.3 (batch 32, 128 units), 5.2
  against 8.7 (8, 256); equal at (8, 128); behind at (8, 512), where a training step takes 66 against
  55. In the backward pass, apart from the products, no gradients have to be put side by side: at
  (128, 128) joining them took 14 of 106 ms.
- `BlockLSTMV2` for the forward pass: 0.7 against 1.3 ms at (1, 32), 1.3 against 2.4 at (32, 32),
  even at (8, 128), far behind above. Its own gradient is slower still from 128 units on.
- Four steps to a turn of the `while` loop: 1.05 to 1.15; eight: nothing more.
- Kept steps moved to the front in place of a mask in the loop: a mask costs 0 to 15 %.
- Slopes of all steps at once before the backward loop: better for small steps, worse for large ones
  (100 against 76 ms at (128, 128): the arrays leave the cache). `SigmoidGrad` and `TanhGrad` in
  place of their formulas, and no slice of the states outside the gradient (its own gradient is a
  padded copy: 11 ms at (128, 128)): 1.25 together.
- Transposing floats as integers: oneDNN takes 0.1 ms to set up a transposition, however small.
- Arrays of tensors captured by the gradient, not stacked ones: some 5 % faster, but then no
  SavedModel holds the layer.
- XLA is as fast as anything here for small shapes (0.5 ms at (1, 32)), but compiles anew for each
  shape; it is left to whoever asks for `jit_compile=True`. All steps unrolled: compiles for minutes.
- Contenders always in the same order: whoever comes after torch, whose threads spin on for a while,
  loses up to 30 %. Hence the rotation in `harness.py`.
"""

import argparse
import os
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

import kblocks
from benchmarks import harness

STEPS = 64
SHAPES = [
    (batch, units)
    for batch in (1, 8, 32, 128)
    for units in (32, 128, 256, 512)
    if batch * units <= 128 * 256
]


def tensorflow_call(
    layer: keras.layers.Layer, x: np.ndarray, mask: np.ndarray | None, training: bool, xla: bool
) -> Callable[[], Any]:
    sources = [v.value for v in layer.trainable_variables]
    mask = None if mask is None else tf.constant(mask)

    def forward(x: Any) -> Any:
        return layer(x, mask=mask)

    def step(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(forward(x) * weights)
        return tape.gradient(total, [x, *sources])

    weights = tf.constant(
        np.random.default_rng(1).normal(size=(*x.shape[:2], layer.units)), "float32"
    )
    function = tf.function(step if training else forward, autograph=False, jit_compile=xla or None)
    x = tf.constant(x)
    return lambda: function(x)


def torch_call(
    units: int, x: np.ndarray, lengths: np.ndarray | None, training: bool
) -> Callable[[], Any]:
    import torch
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    layer = torch.nn.LSTM(x.shape[-1], units, batch_first=True)
    x = torch.tensor(x, requires_grad=training)
    lengths = None if lengths is None else torch.tensor(lengths)
    weights = torch.randn(*x.shape[:2], units)
    sources = [x, *layer.parameters()]

    def forward() -> Any:
        if lengths is None:
            return layer(x)[0]
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(layer(packed)[0], batch_first=True, total_length=STEPS)[0]

    def step() -> Any:
        return torch.autograd.grad((forward() * weights).sum(), sources)

    return step if training else torch.no_grad()(forward)


def measure(batch: int, units: int, masked: bool, training: bool, rounds: int, xla: bool) -> dict:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(batch, STEPS, units)).astype("float32")
    lengths = np.linspace(STEPS // 2, STEPS, batch).astype("int64")[::-1].copy()
    mask = np.arange(STEPS) < lengths[:, None] if masked else None
    made = {
        "kblocks": kblocks.layers.LSTM(units, return_sequences=True),
        "keras": keras.layers.LSTM(units, return_sequences=True),
    }
    contenders = {}
    for name, layer in made.items():
        layer.build(x.shape)
        contenders[name] = tensorflow_call(layer, x, mask, training, xla=False)
        if xla:
            contenders[f"{name} xla"] = tensorflow_call(layer, x, mask, training, xla=True)
    contenders["torch"] = torch_call(units, x, lengths if masked else None, training)
    times = harness.interleaved(contenders, rounds)
    return {
        "pass": "training" if training else "forward",
        "mask": "yes" if masked else "no",
        "batch": batch,
        "units": units,
        **{f"{name} ms": ms for name, ms in harness.milliseconds(times).items()},
        "keras / kblocks": harness.speed(times, "kblocks", "keras"),
        "torch / kblocks": harness.speed(times, "kblocks", "torch"),
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lstm", description=__doc__)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--xla", action="store_true", help="time both under XLA as well")
    parser.add_argument("--only", type=int, nargs=2, metavar=("BATCH", "UNITS"))
    parser.add_argument("--dry", action="store_true", help="write no file")
    options = parser.parse_args(arguments)
    rows = []
    for batch, units in [tuple(options.only)] if options.only else SHAPES:
        for masked in (False, True):
            for training in (False, True):
                row = measure(batch, units, masked, training, options.rounds, options.xla)
                rows.append(row)
                print(" ".join(f"{name}={value}" for name, value in row.items()), flush=True)
    rows.sort(key=lambda row: (row["pass"], row["mask"], row["batch"], row["units"]))
    means = {
        f"{kind}, against {peer}": harness.geometric_mean(
            [row[f"{peer} / kblocks"] for row in rows if row["pass"] == kind]
        )
        for kind in ("forward", "training")
        for peer in ("keras", "torch")
    }
    means["slowest entry against keras"] = min(row["keras / kblocks"] for row in rows)
    print(harness.table(rows))
    print(harness.table([means]))
    if not options.dry:
        result = {
            "name": "bench_lstm",
            "command": "make bench",
            "machine": harness.machine(["tensorflow", "keras", "torch"]),
            "rounds": options.rounds,
            "means": means,
            "rows": rows,
        }
        print(f"written to {harness.write('lstm', result)}")


if __name__ == "__main__":
    main()
