"""A stack of `TransformerEncoderLayer` against keras-hub's and torch's, on the CPU.

Four layers, post-norm, ReLU, no dropout, heads of 64 features, a feed-forward network four times as
wide, in float32; batches padded on the right to lengths between half and all of the positions.
TensorFlow's layers run in their defaults inside a `tf.function`, and under XLA beside it
(`jit_compile=True`); torch's eagerly, as each is used: `torch.nn.TransformerEncoder` in `eval` mode
for the forward pass, where it leaves the padding out. A training step is the forward pass and the
gradients of all weights and of the inputs. All have the same weights, and must give the same
outputs and gradients before they are timed.

A large product of matrices is timed in the same turns. "share" is how much of its rate a stack
reaches, counting the products of all positions, padded or not, and three times as many in training.

What is in it, by the operations of the optimised graph of one layer (56 forward, 140 in training;
keras-hub's has 63 and 160):

- Every dense product has the rows of all sequences in one matrix, so that TensorFlow takes its
  `MatMul`, and not the `BatchMatMulV2` of three axes that keras-hub's layer comes to. Its bias is
  added by `keras.ops.add`, whose `BiasAdd` (where `+` is an `AddV2`) the graph's optimiser joins
  with the product, and with the ReLU behind it: six `_FusedMatMul` a layer.
- The heads are transposed once on the way in and once on the way out; the backward pass has as
  many transpositions again. An einsum transposes within each product, and anew in each gradient.
- The mask is added to the scores, one operation, in place of one before and one after the softmax.
- Layer normalisation has its backward pass by hand (`kblocks.backend.normalize_features`).

What is not: one product for query, key and value. It would save an addition of gradients, and cost
a copy of the three matrices side by side in each call, and of the gradients apart. Nor are the
valid rows of a batch packed into one matrix for the dense products, which would save a quarter of
them here, for a gather and a scatter at each attention.
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
from benchmarks.keras_hub_layers import give_weights

LAYERS = 4
HEAD = 64
BATCHES = ((8, 128), (32, 32))
WIDTHS = (128, 256, 512, 768)
EPSILON = 1e-5
LARGE = 2048  # rows and columns of the large product

Arrays = list[np.ndarray]
Call = Callable[[], tuple[Any, list[Any]]]  # the outputs and, in training, the gradients


def floating_operations(batch: int, time: int, width: int, training: bool) -> float:
    """Of the products alone: query, key, value and output; scores and contexts; feed-forward."""
    rows = batch * time
    dense = 2 * rows * width * (4 * width + 2 * 4 * width)
    attention = 2 * 2 * rows * time * width
    return LAYERS * (dense + attention) * (3 if training else 1)


def kblocks_layers(width: int) -> list[keras.layers.Layer]:
    return [
        kblocks.layers.TransformerEncoderLayer(
            width // HEAD, 4 * width, dropout=0.0, epsilon=EPSILON
        )
        for _ in range(LAYERS)
    ]


def keras_hub_layers(width: int) -> list[keras.layers.Layer]:
    import keras_hub

    return [
        keras_hub.layers.TransformerEncoder(4 * width, width // HEAD, layer_norm_epsilon=EPSILON)
        for _ in range(LAYERS)
    ]


def tensorflow_call(
    layers: list[keras.layers.Layer],
    mask_name: str,
    x: np.ndarray,
    mask: np.ndarray,
    wave: np.ndarray | None,
    xla: bool,
) -> Call:
    """With a `wave` a training step on the sum of outputs times wave, else the forward pass."""
    sources = [v.value for layer in layers for v in layer.trainable_variables]

    def forward(x: Any, mask: Any) -> Any:
        for layer in layers:
            x = layer(x, **{mask_name: mask})
        return x

    def step(x: Any, mask: Any) -> Any:
        if wave is None:
            return forward(x, mask), []
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = forward(x, mask)
            total = tf.reduce_sum(y * wave)
        return y, tape.gradient(total, [x, *sources])

    function = tf.function(step, autograph=False, jit_compile=xla or None)
    given = tf.constant(x), tf.constant(mask)
    return lambda: function(*given)


def torch_call(
    weights: list[Arrays], x: np.ndarray, mask: np.ndarray, wave: np.ndarray | None
) -> Call:
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    width = x.shape[-1]
    layer = torch.nn.TransformerEncoderLayer(
        width, width // HEAD, 4 * width, 0.0, "relu", EPSILON, batch_first=True
    )
    stack = torch.nn.TransformerEncoder(layer, LAYERS)
    with torch.no_grad():
        for layer, arrays in zip(stack.layers, weights, strict=True):
            for parameter, array in zip(layer.parameters(), _for_torch(arrays), strict=True):
                parameter.copy_(torch.tensor(array))
    stack.train(wave is not None)
    tensor = torch.tensor(x, requires_grad=wave is not None)
    padding = torch.tensor(~mask)
    sources = [tensor, *stack.parameters()]

    def forward() -> Any:
        return stack(tensor, src_key_padding_mask=padding), []

    if wave is None:
        return torch.no_grad()(forward)
    factors = torch.tensor(wave)

    def step() -> Any:
        y, _ = forward()
        return y.detach(), torch.autograd.grad((y * factors).sum(), sources)

    return step


def _for_torch(arrays: Arrays) -> Arrays:
    """A layer's weights as torch's parameters lie: in-projection, output, two denses, two norms."""
    W_Q, b_Q, W_K, b_K, W_V, b_V, W_O, b_O, gamma_1, beta_1, W_1, b_1, W_2, b_2, *norm_2 = arrays
    width = len(b_O)
    kernels = np.concatenate([W.reshape(width, width) for W in (W_Q, W_K, W_V)], axis=1)
    biases = np.concatenate([b.reshape(width) for b in (b_Q, b_K, b_V)])
    output = W_O.reshape(width, width)
    return [kernels.T, biases, output.T, b_O, W_1.T, b_1, W_2.T, b_2, gamma_1, beta_1, *norm_2]


def drawn_weights(ours: keras.layers.Layer, theirs: keras.layers.Layer, draw: Any) -> Arrays:
    """Draw weights for our layer and give them to keras-hub's; returns them."""
    ours.set_weights([w + 0.02 * draw.normal(size=w.shape) for w in ours.get_weights()])
    return give_weights(ours, theirs)


def check_equal(contenders: dict[str, Call], mask: np.ndarray) -> None:
    """The same outputs where nothing is padded, and the same gradient of the inputs."""
    truth, slopes = contenders["kblocks"]()
    for name, call in contenders.items():
        outputs, gradients = call()
        np.testing.assert_allclose(
            np.asarray(outputs)[mask], np.asarray(truth)[mask], atol=1e-3, err_msg=name
        )
        if len(slopes):
            # On the whole: by rounding a ReLU may be on at a place of one and off in another.
            apart = np.linalg.norm(np.asarray(gradients[0]) - slopes[0])
            assert apart <= 2e-3 * np.linalg.norm(slopes[0]), f"{name}: gradients differ"


def large_product(size: int, dtype: str = "float32") -> Callable[[], Any]:
    draw = np.random.default_rng(1)
    a, b = (tf.cast(draw.normal(size=(size, size)), dtype) for _ in range(2))
    function = tf.function(lambda a, b: tf.matmul(a, b), autograph=False)
    return lambda: function(a, b)


def measure(
    batch: int, time: int, width: int, training: bool, rounds: int, large: int
) -> dict[str, Any]:
    draw = np.random.default_rng(0)
    lengths = np.linspace(time // 2, time, batch).astype(int)[::-1]
    mask = np.arange(time) < lengths[:, None]
    x = draw.normal(size=(batch, time, width)).astype("float32")
    # What is padded has no share in the loss.
    wave = (draw.normal(size=x.shape) * mask[..., None]).astype("float32") if training else None
    ours, hub = kblocks_layers(width), keras_hub_layers(width)
    for layer in [*ours, *hub]:
        layer.build(x.shape)
    weights = [drawn_weights(*pair, draw) for pair in zip(ours, hub, strict=True)]
    contenders: dict[str, Any] = {}
    for name, layers, mask_name in (("kblocks", ours, "mask"), ("keras-hub", hub, "padding_mask")):
        for xla in (False, True):
            call = tensorflow_call(layers, mask_name, x, mask, wave, xla)
            contenders[f"{name} xla" if xla else name] = call
    contenders["torch"] = torch_call(weights, x, mask, wave)
    check_equal(contenders, mask)
    times = harness.interleaved({**contenders, "product": large_product(large)}, rounds)
    rate = 2 * large**3 / min(times["product"])
    operations = floating_operations(batch, time, width, training)
    milliseconds = harness.milliseconds(times)
    shares = {
        f"{name} share": round(operations / (milliseconds[name] / 1000) / rate, 3)
        for name in contenders
    }
    return {
        "pass": "training" if training else "forward",
        "batch": batch,
        "positions": time,
        "width": width,
        **{f"{name} ms": milliseconds[name] for name in contenders},
        **shares,
        "product, GFLOP/s": round(rate / 1e9, 1),
        **{f"{p} / kblocks": harness.speed(times, "kblocks", p) for p in ("keras-hub", "torch")},
        "keras-hub xla / kblocks": harness.speed(times, "kblocks", "keras-hub xla"),
        "keras-hub xla / kblocks xla": harness.speed(times, "kblocks xla", "keras-hub xla"),
    }


def summary(rows: list[dict[str, Any]]) -> dict[str, float]:
    means = {}
    for kind in ("forward", "training"):
        of_kind = [row for row in rows if row["pass"] == kind]
        for ratio in [name for name in rows[0] if " / kblocks" in name]:
            means[f"{kind}, {ratio}"] = harness.geometric_mean([row[ratio] for row in of_kind])
        wide = [row["kblocks share"] for row in of_kind if row["width"] >= 512]
        if wide:
            means[f"{kind}, least share of the product's rate from 512 wide"] = min(wide)
    return means


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.transformer_encoder")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--only", type=int, nargs=3, metavar=("BATCH", "POSITIONS", "WIDTH"))
    parser.add_argument("--large", type=int, default=LARGE, help="size of the large product")
    parser.add_argument("--dry", action="store_true", help="write no file")
    options = parser.parse_args(arguments)
    shapes = [(*shape, width) for shape in BATCHES for width in WIDTHS]
    rows = []
    for shape in [tuple(options.only)] if options.only else shapes:
        for training in (False, True):
            rows.append(measure(*shape, training, options.rounds, options.large))
            print(" ".join(f"{name}={value}" for name, value in rows[-1].items()), flush=True)
    means = summary(rows)
    print(harness.table(rows))
    print(harness.table([means]))
    if not options.dry:
        result = {
            "name": "bench_transformer_encoder",
            "command": "make bench",
            "machine": harness.machine(["tensorflow", "keras", "keras-hub", "torch"]),
            "rounds": options.rounds,
            "means": means,
            "rows": rows,
        }
        print(f"written to {harness.write('transformer_encoder', result)}")


if __name__ == "__main__":
    main()
