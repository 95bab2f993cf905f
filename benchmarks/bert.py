"""`BertEncoder` against keras-hub's `BertBackbone` and transformers' `BertModel`, on the CPU.

Two shapes, four layers of 512 features with 8 heads and MiniLM's six of 384 with 12, with BERT's
vocabulary of 30,522, 512 positions and a pooler; batches of 8 x 128 ids, all of them tokens
("full"), or lengths between 16 and 128, padded ("mixed"). Each library in its defaults, keras-hub
with its approximate GELU: TensorFlow's inside a `tf.function`, and under XLA beside it
(`jit_compile=True`), torch's eagerly, and by `torch.compile` where `--torch-compile` asks for it.
In float32 and, beside it, in bfloat16: Keras' `mixed_bfloat16`, torch's `autocast`.

A training step is the forward pass with dropout of 0.1 in all (of the embeddings, the sub-layers
and the attention's weights, everybody's default), the gradients of a sum over the sequence and what
the pooler gives, and a step of Adam, each library's own (kblocks' is `FusedAdam`). All have the
same weights and as many, and must give the same outputs and, without dropout, the same gradient
before they are timed; keras-hub is compared with ours with the same approximate GELU.

A large product of matrices is timed in the same turns. "share" is how much of its rate an encoder
reaches, counting the products of all positions, padded or not, and three times as many in training.
"""

import argparse
import os
import tempfile
from collections.abc import Callable
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

from benchmarks import harness
from benchmarks.keras_hub_layers import give_weights
from benchmarks.transformer_encoder import large_product
from kblocks.models import BertEncoder
from kblocks.training import FusedAdam

VOCABULARY = 30522
DTYPES = ("float32", "bfloat16")
TOLERANCE = {"float32": 2e-3, "bfloat16": 0.25}  # of normalised states
RATE = 1e-5


class Shape(NamedTuple):
    """An encoder's, and its batch's."""

    name: str
    layers: int
    width: int
    heads: int
    batch: int = 8
    positions: int = 128


SHAPES = (Shape("4 x 512", 4, 512, 8), Shape("MiniLM", 6, 384, 12))
TOY = (Shape("toy", 2, 64, 2, 4, 24),)


class Batch(NamedTuple):
    """Ids, where they are no padding, and what the loss multiplies the states with."""

    tokens: np.ndarray
    segments: np.ndarray
    mask: np.ndarray
    wave: np.ndarray


class Contender(NamedTuple):
    """What is called on a batch: for its outputs, for a gradient without dropout, to learn."""

    forward: Callable[[Batch], Any]
    gradient: Callable[[Batch], Any]
    train: Callable[[Batch], Any]


def draw_batch(shape: Shape, mixed: bool) -> Batch:
    draw = np.random.default_rng(0)
    size = shape.batch, shape.positions
    shortest = shape.positions // 8 if mixed else shape.positions
    lengths = np.linspace(shortest, shape.positions, shape.batch).astype(int)[::-1, None]
    at = np.arange(shape.positions)
    mask = at < lengths
    tokens = np.where(mask, draw.integers(1, VOCABULARY, size), 0).astype("int32")
    segments = np.where(mask, at >= lengths // 2, 0).astype("int32")
    wave = draw.normal(size=(*size, shape.width)) * mask[..., None]
    return Batch(tokens, segments, mask, wave.astype("float32"))


def floating_operations(shape: Shape, training: bool) -> float:
    """Of the products alone: query, key, value and output; scores and contexts; feed-forward."""
    rows, width = shape.batch * shape.positions, shape.width
    dense = 2 * rows * width * (4 * width + 2 * 4 * width)
    attention = 2 * 2 * rows * shape.positions * width
    return shape.layers * (dense + attention) * (3 if training else 1)


def made_by_torch(shape: Shape) -> Any:
    import torch
    import transformers

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=4 * shape.width,
    )
    return transformers.BertModel(config)


def made_by_keras_hub(shape: Shape, ours: BertEncoder, dtype: str) -> keras.Model:
    """keras-hub's with the weights of ours."""
    import keras_hub

    theirs = keras_hub.models.BertBackbone(
        VOCABULARY, shape.layers, shape.heads, shape.width, 4 * shape.width, dtype=dtype
    )
    parts = [
        (ours.token_embedding, theirs.token_embedding),
        (ours.segment_embedding, theirs.segment_embedding),
        (ours.position_embedding, theirs.position_embedding),
        (ours.embedding_norm, theirs.embeddings_layer_norm),
        (ours.pooler, theirs.pooled_dense),
    ]
    for our_part, their_part in parts:
        their_part.set_weights(our_part.get_weights())
    for our_layer, their_layer in zip(ours.encoder, theirs.transformer_layers, strict=True):
        give_weights(our_layer, their_layer)
    return theirs


def keras_contender(model: keras.Model, names: tuple[str, str], xla: bool) -> Contender:
    """`names` are those of the two outputs; the inputs are called after `names`, too."""
    sequence, pooled = names
    adam = FusedAdam if isinstance(model, BertEncoder) else keras.optimizers.Adam
    optimizer = adam(RATE)
    optimizer.build(model.trainable_variables)
    sources = [variable.value for variable in model.trainable_variables]
    embedding = model.token_embedding.embeddings.value

    def inputs(tokens: Any, segments: Any, mask: Any) -> dict[str, Any]:
        if sequence == "sequence":
            return {"tokens": tokens, "segments": segments}
        return {"token_ids": tokens, "segment_ids": segments, "padding_mask": mask}

    def loss(outputs: Any, wave: Any) -> Any:
        total = tf.reduce_sum(tf.cast(outputs[sequence], "float32") * wave)
        return total + tf.reduce_sum(tf.cast(outputs[pooled], "float32"))

    def forward(tokens: Any, segments: Any, mask: Any, wave: Any) -> Any:
        return model(inputs(tokens, segments, mask), training=False)[sequence]

    def gradient(tokens: Any, segments: Any, mask: Any, wave: Any) -> Any:
        with tf.GradientTape() as tape:
            total = loss(model(inputs(tokens, segments, mask), training=False), wave)
        return tf.convert_to_tensor(tape.gradient(total, embedding))

    def train(tokens: Any, segments: Any, mask: Any, wave: Any) -> Any:
        with tf.GradientTape() as tape:
            total = loss(model(inputs(tokens, segments, mask), training=True), wave)
        optimizer.apply(tape.gradient(total, sources), model.trainable_variables)
        return total

    def compiled(step: Callable[..., Any]) -> Callable[[Batch], Any]:
        function = tf.function(step, autograph=False, jit_compile=xla or None)
        return lambda batch: function(*map(tf.constant, batch))

    return Contender(*map(compiled, (forward, gradient, train)))


def torch_contender(model: Any, dtype: str, compiled: bool = False) -> Contender:
    import torch

    optimizer = torch.optim.Adam(model.parameters(), RATE)
    run = torch.compile(model) if compiled else model

    def call(batch: Batch, training: bool) -> Any:
        model.train(training)
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16"):
            return run(
                torch.from_numpy(batch.tokens),
                attention_mask=torch.from_numpy(batch.mask),
                token_type_ids=torch.from_numpy(batch.segments),
            )

    def loss(batch: Batch, training: bool) -> Any:
        outputs = call(batch, training)
        total = (outputs.last_hidden_state.float() * torch.from_numpy(batch.wave)).sum()
        return total + outputs.pooler_output.float().sum()

    @torch.no_grad()
    def forward(batch: Batch) -> Any:
        return call(batch, training=False).last_hidden_state.float()

    def gradient(batch: Batch) -> Any:
        loss(batch, training=False).backward()
        found = model.embeddings.word_embeddings.weight.grad.clone()
        optimizer.zero_grad()
        return found

    def train(batch: Batch) -> Any:
        total = loss(batch, training=True)
        total.backward()
        optimizer.step()
        optimizer.zero_grad()
        return total.detach()

    return Contender(forward, gradient, train)


def check_equal(
    name: str, one: Contender, other: Contender, batch: Batch, tolerance: float
) -> None:
    """The same states where nothing is padded, and the same gradient of the embeddings."""
    states = (np.asarray(c.forward(batch)).astype("float32")[batch.mask] for c in (one, other))
    np.testing.assert_allclose(*states, rtol=0, atol=tolerance, err_msg=name)
    slopes = [np.asarray(c.gradient(batch)).astype("float32") for c in (one, other)]
    scale = np.abs(slopes[1]).max()
    np.testing.assert_allclose(*(s / scale for s in slopes), rtol=0, atol=tolerance, err_msg=name)


def contenders(
    shape: Shape, dtype: str, batches: dict[str, Batch], torch_compile: bool
) -> tuple[dict[str, Contender], int]:
    """All of them, checked against each other, and how many weights each has."""
    policy = "mixed_bfloat16" if dtype == "bfloat16" else dtype
    theirs = made_by_torch(shape)
    with tempfile.TemporaryDirectory() as folder:
        theirs.save_pretrained(folder)
        ours = BertEncoder.from_pretrained(folder, dtype=policy)
        approximate = BertEncoder.from_pretrained(folder, dtype=policy, activation="gelu_tanh")
    hub = made_by_keras_hub(shape, ours, policy)
    number = ours.count_params()
    counts = [hub.count_params(), sum(p.numel() for p in theirs.parameters())]
    if counts != [number, number]:
        raise ValueError(f"the encoders differ in size: {number}, {counts}.")
    names = {"kblocks": ("sequence", "pooled"), "keras-hub": ("sequence_output", "pooled_output")}
    of_name = {"kblocks": ours, "keras-hub": hub}
    found = {
        f"{name} xla" if xla else name: keras_contender(of_name[name], outputs, xla)
        for xla in (False, True)
        for name, outputs in names.items()
    }
    found["torch"] = torch_contender(theirs, dtype)
    if torch_compile:
        found["torch compile"] = torch_contender(theirs, dtype, compiled=True)
    as_theirs = keras_contender(approximate, names["kblocks"], xla=False)
    for batch in batches.values():
        for name, contender in found.items():
            truth = as_theirs if "keras-hub" in name else found["kblocks"]
            check_equal(name, contender, truth, batch, TOLERANCE[dtype])
    return found, number


def measure(shape: Shape, dtype: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    batches = {"full": draw_batch(shape, False), "mixed": draw_batch(shape, True)}
    found, number = contenders(shape, dtype, batches, options.torch_compile)
    rows = []
    for kind in ("forward", "training"):
        for lengths, batch in batches.items():
            calls = {
                name: (c.forward if kind == "forward" else c.train) for name, c in found.items()
            }
            timed = {name: (lambda c=call, b=batch: c(b)) for name, call in calls.items()}
            timed["product"] = large_product(options.large, dtype)
            times = harness.interleaved(timed, options.rounds)
            rate = 2 * options.large**3 / min(times["product"])
            operations = floating_operations(shape, kind == "training")
            milliseconds = harness.milliseconds(times)
            row = {
                "pass": kind,
                "encoder": shape.name,
                "lengths": lengths,
                "dtype": dtype,
                "parameters": number,
                **{f"{name} ms": milliseconds[name] for name in found},
                "kblocks share": round(operations / (milliseconds["kblocks"] / 1000) / rate, 3),
                "product, GFLOP/s": round(rate / 1e9, 1),
                **{
                    f"{peer} / kblocks": harness.speed(times, "kblocks", peer)
                    for peer in found
                    if not peer.startswith("kblocks")
                },
                "keras-hub xla / kblocks xla": harness.speed(times, "kblocks xla", "keras-hub xla"),
            }
            print(" ".join(f"{name}={value}" for name, value in row.items()), flush=True)
            rows.append(row)
    return rows


def summary(rows: list[dict[str, Any]]) -> dict[str, float]:
    means = {}
    for dtype in dict.fromkeys(row["dtype"] for row in rows):
        for kind in ("forward", "training"):
            some = [row for row in rows if (row["dtype"], row["pass"]) == (dtype, kind)]
            for ratio in [name for name in some[0] if " / kblocks" in name]:
                mean = harness.geometric_mean([row[ratio] for row in some])
                means[f"{dtype}, {kind}, {ratio}"] = mean
    return means


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bert")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--dtype", choices=DTYPES, help="this one alone")
    parser.add_argument("--toy", action="store_true", help="a tiny encoder, to try the program")
    parser.add_argument("--torch-compile", action="store_true", help="time torch.compile as well")
    parser.add_argument("--large", type=int, default=2048, help="size of the large product")
    parser.add_argument("--dry", action="store_true", help="write no file")
    options = parser.parse_args(arguments)
    rows = []
    for dtype in (options.dtype,) if options.dtype else DTYPES:
        for shape in TOY if options.toy else SHAPES:
            rows += measure(shape, dtype, options)
    means = summary(rows)
    print(harness.table(rows))
    print(harness.table([means]))
    if not options.dry:
        packages = ["tensorflow", "keras", "keras-hub", "torch", "transformers"]
        result = {
            "name": "bench_bert",
            "command": "make bench",
            "machine": harness.machine(packages),
            "rounds": options.rounds,
            "means": means,
            "rows": rows,
        }
        print(f"written to {harness.write('bert', result)}")


if __name__ == "__main__":
    main()
