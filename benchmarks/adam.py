"""`FusedAdam` against Keras' AdamW and torch's, on the CPU.

A step alone, with gradients that are given, for the weights of three networks in float32: the GPT
of the recipe `characters`, MiniLM and BERT base. Keras' two inside a `tf.function`; torch in its
defaults, and with `fused=True` beside it. After three steps all weights must agree.
"""

import argparse
import os
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

from benchmarks import harness
from kblocks.models import GPT2, BertEncoder
from kblocks.training import FusedAdam

RATE, DECAY, EPSILON = 1e-3, 0.01, 1e-8
MODELS: dict[str, Callable[[], keras.Model]] = {
    "GPT, 4 x 128": lambda: GPT2(65, 4, 128, 4, max_length=64),
    "MiniLM, 6 x 384": lambda: BertEncoder(layers=6, hidden_dim=384),
    "BERT base, 12 x 768": lambda: BertEncoder.of_size("base"),
}

Contender = tuple[Callable[[], Any], Callable[[], list[np.ndarray]]]


def drawn(shapes: list[tuple[int, ...]], seed: int) -> list[np.ndarray]:
    """Numbers of which none is near zero, where it matters at which place epsilon stands."""
    draw = np.random.default_rng(seed)
    return [
        np.float32(draw.uniform(0.1, 1, shape) * draw.choice((-1, 1), shape)) for shape in shapes
    ]


def keras_contender(adam: Any, values: list[np.ndarray], slopes: list[np.ndarray]) -> Contender:
    variables = [keras.Variable(value) for value in values]
    gradients = [tf.constant(slope) for slope in slopes]
    optimizer = adam(RATE, weight_decay=DECAY, epsilon=EPSILON)
    optimizer.build(variables)
    step = tf.function(lambda: optimizer.apply(gradients, variables), autograph=False)
    return step, lambda: [variable.numpy() for variable in variables]


def torch_contender(fused: bool, values: list[np.ndarray], slopes: list[np.ndarray]) -> Contender:
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    weights = [torch.nn.Parameter(torch.tensor(value)) for value in values]
    for weight, slope in zip(weights, slopes, strict=True):
        weight.grad = torch.tensor(slope)
    optimizer = torch.optim.AdamW(
        weights, RATE, eps=EPSILON, weight_decay=DECAY, fused=fused or None
    )
    return optimizer.step, lambda: [weight.detach().numpy() for weight in weights]


def measure(name: str, rounds: int) -> dict[str, Any]:
    shapes = [tuple(weight.shape) for weight in _built(MODELS[name]()).trainable_variables]
    values, slopes = drawn(shapes, seed=0), drawn(shapes, seed=1)
    found = {
        "kblocks": keras_contender(FusedAdam, values, slopes),
        "keras": keras_contender(keras.optimizers.AdamW, values, slopes),
        "torch": torch_contender(False, values, slopes),
        "torch fused": torch_contender(True, values, slopes),
    }
    for step, _ in found.values():
        for _ in range(3):
            step()
    for peer in ("keras", "torch", "torch fused"):
        for ours, theirs in zip(found["kblocks"][1](), found[peer][1](), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5, err_msg=peer)
    times = harness.interleaved({way: step for way, (step, _) in found.items()}, rounds)
    milliseconds = harness.milliseconds(times)
    return {
        "model": name,
        "parameters": sum(value.size for value in values),
        **{f"{way} ms": milliseconds[way] for way in found},
        **{
            f"{peer} / kblocks": harness.speed(times, "kblocks", peer)
            for peer in found
            if peer != "kblocks"
        },
    }


def _built(model: keras.Model) -> keras.Model:
    model.build()
    return model


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.adam")
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--toy", action="store_true", help="the smallest network alone")
    parser.add_argument("--dry", action="store_true", help="write no file")
    options = parser.parse_args(arguments)
    rows = [measure(name, options.rounds) for name in list(MODELS)[: 1 if options.toy else None]]
    print(harness.table(rows))
    if not options.dry:
        result = {
            "name": "bench_adam",
            "command": "make bench",
            "machine": harness.machine(["tensorflow", "keras", "torch"]),
            "rounds": options.rounds,
            "rows": rows,
        }
        print(f"written to {harness.write('adam', result)}")


if __name__ == "__main__":
    main()
