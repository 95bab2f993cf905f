"""`kblocks.layers.LSTM` against `keras.layers.LSTM` and `torch.nn.LSTM`, on the CPU.

Whole sequences out, batch first, in float32; features as many as units, 64 steps. TensorFlow's
layers run in their defaults inside a `tf.function` (`--xla` adds both with `jit_compile=True`),
torch's eagerly, as each is used. A training step is the forward pass and the gradients of all
weights and of the inputs. The mask pads on the right to lengths between half and all steps; torch
gets the lengths by `pack_padded_sequence`.

What was tried on two cores, and what it gave:

- Backward by hand, the weights' gradients as one product each after the loop: the largest step, a
  training step 1.2 to 4 times as fast as Keras'. W_h is transposed once, before the loop: small
  products with a transposed factor were 3 to 5 times slower from 256 units on.
- One product per gate against one for all, in milliseconds: forward 5.2 against 7.3 at batch 32 and
  128 units, 5.2 against 8.7 at (8, 256); equal at (8, 128); behind at (8, 512), where a training
  step took 66 against 55. With gates apart nothing has to be joined in the backward pass either:
  at (128, 128) that took 14 of 106.
- `BlockLSTMV2` for the forward pass: 0.7 ms against 1.3 at (1, 32), 1.3 against 2.4 at (32, 32),
  even at (8, 128), behind above. Its own gradient took 25 ms against 2.8 at (1, 128).
- Four steps to a turn of the `while` loop: 1.1 to 1.2 times as fast where steps are small; eight
  gave nothing more.
- Kept steps moved to the front, in place of a mask inside the loop: a mask costs up to 30 % where a
  call takes 1 ms, under 10 % from 10 ms on.
- All slopes at once before the backward loop: better for small steps, worse for large ones (100 ms
  against 76 at (128, 128): the arrays leave the cache). `SigmoidGrad` and `TanhGrad` in place of
  their formulas, gates apart, and no slice of the states outside the gradient (whose own gradient
  is a padded copy, 11 ms) took a training step at (128, 128) from 129 ms of processor time to 95.
- Floats transposed as integers: oneDNN takes 0.1 ms to set up a transposition, however small.
- Arrays of tensors captured by the gradient, in place of stacked ones: no SavedModel could hold it.
- XLA is the fastest for small shapes (0.5 ms at (1, 32)), but compiles anew for each shape; it is
  left to whoever asks for `jit_compile=True`.
- Contenders always in one order: whoever came after torch, whose threads spin on for a while, lost
  up to 40 %. Hence the turns in `harness.py`.
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
