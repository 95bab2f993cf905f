"""Tree-LSTMs against one node at a time, in TensorFlow and in torch, and against a package.

A training step is the forward pass and the gradients of all weights and of the inputs, in float32,
with 300 features and 150 units as in Tai et al. (2015). The trees are the binary ones of the
Stanford Sentiment Treebank where the folder of `KBLOCKS_DATA` has `sst/train.txt.gz`, else drawn
with as many words and cut in two at random; leaves have inputs, inner nodes none.

- "kblocks": the layer in a `tf.function` with free axes, which finds the order of the nodes itself.
- "recursion tf": a `tf.function` whose `while` loop takes one node a turn.
- "recursion torch": a Python function that calls itself for the children, as it is mostly written.
- "package": PyPI `pytorch-tree-lstm` (Child-Sum), where it is installed; the order of its nodes is
  made before the clock starts.

All contenders have the same weights, and must give the same states before they are timed.
"""

import argparse
import gzip
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

import kblocks
from benchmarks import harness

DATA = Path(os.environ.get("KBLOCKS_DATA", Path(__file__).parents[2] / "shared" / "data"))
FEATURES, UNITS = 300, 150
BATCHES = (25, 64, 256)
LAYERS: dict[str, Callable] = {
    "nary": lambda units: kblocks.layers.NaryTreeLSTM(units, max_children=2),
    "child_sum": lambda units: kblocks.layers.ChildSumTreeLSTM(units),
}

Tree = list[tuple[int, ...]]  # the children of each node, children before parents


def drawn_tree(rng: np.random.Generator, words: int) -> Tree:
    """A binary tree over so many words, each span cut at random."""
    tree: Tree = []

    def span(size: int) -> int:
        if size == 1:
            tree.append(())
        else:
            cut = int(rng.integers(1, size))
            tree.append((span(cut), span(size - cut)))
        return len(tree) - 1

    span(words)
    return tree


def bracketed_tree(line: str) -> Tree:
    """The shape of a tree in brackets: "(2 (1 bad) (2 (2 film) (2 .)))"."""
    tree: Tree = []
    open_nodes: list[list[int]] = [[]]
    for sign in line:
        if sign == "(":
            open_nodes.append([])
        elif sign == ")":
            tree.append(tuple(open_nodes.pop()))
            open_nodes[-1].append(len(tree) - 1)
    return tree


def sentiment_trees(rng: np.random.Generator) -> Iterator[Tree]:
    """Trees of the treebank in a random order, or drawn ones of its lengths: 19 words, give 9."""
    path = DATA / "sst" / "train.txt.gz"
    if path.is_file():
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            trees = [bracketed_tree(line) for line in lines if line.strip()]
        while True:
            yield trees[rng.integers(len(trees))]
    while True:
        yield drawn_tree(rng, max(1, round(rng.gamma(4.5, 4.25))))


def batched(trees: list[Tree], features: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Inputs, children and mask, padded."""
    nodes = max(map(len, trees))
    children = np.full((len(trees), nodes, 2), -1, "int32")
    x = np.zeros((len(trees), nodes, features), "float32")
    mask = np.zeros((len(trees), nodes), "bool")
    for b, tree in enumerate(trees):
        mask[b, : len(tree)] = True
        for n, kids in enumerate(tree):
            children[b, n, : len(kids)] = kids
            if not kids:
                x[b, n] = rng.normal(size=features)
    return {"x": x, "children": children, "mask": mask}


def kblocks_call(layer: keras.layers.Layer, batch: dict, wave: np.ndarray) -> Callable[[], Any]:
    sources = [v.value for v in layer.trainable_variables]
    signature = [
        tf.TensorSpec((None, None, batch["x"].shape[-1])),
        tf.TensorSpec((None, None, None), "int32"),
        tf.TensorSpec((None, None), "bool"),
        tf.TensorSpec((None, None, layer.units)),
    ]

    @tf.function(autograph=False, input_signature=signature)
    def step(x: Any, children: Any, mask: Any, wave: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            h = layer(x, children=children, mask=mask)
            total = tf.reduce_sum(h * wave)
        return h, tape.gradient(total, [x, *sources])

    given = [tf.constant(a) for a in (batch["x"], batch["children"], batch["mask"], wave)]
    return lambda: step(*given)


def _gates(kind: str, units: int, matmul: Callable, concat: Callable) -> Callable:
    """z of one node: `gates(x, kids' h)` -> z_i, [z_f of each child], z_u, z_o, as rows."""

    def gates(x: Any, hs: list, W: Any, U: Any, b: Any) -> tuple:
        z = matmul(x, W) + b
        cut = [z[:, k * units : (k + 1) * units] for k in range(4)]
        if not hs:
            return cut[0], [], cut[2], cut[3]
        if kind == "nary":
            r = matmul(concat(hs), U)
            own = [r[:, k * units : (k + 1) * units] for k in range(5)]
            return (
                cut[0] + own[0],
                [cut[1] + own[1], cut[1] + own[2]],
                cut[2] + own[3],
                cut[3] + own[4],
            )
        r = matmul(hs[0] + hs[1], U)
        own = [r[:, k * units : (k + 1) * units] for k in range(4)]
        U_f = U[:, units : 2 * units]
        return (
            cut[0] + own[0],
            [cut[1] + matmul(h, U_f) for h in hs],
            cut[2] + own[2],
            cut[3] + own[3],
        )

    return gates


def tensorflow_recursion(
    kind: str, layer: keras.layers.Layer, batch: dict, wave: np.ndarray
) -> Callable[[], Any]:
    """One node a turn, one tree a call, and the gradients added up; binary trees only.

    All trees in one loop do not end for 256 of them: the gradient
    of each read is a list as long as all states.
    """
    units, sources = layer.units, [v.value for v in layer.trainable_variables]
    gates = _gates(kind, units, tf.matmul, lambda hs: tf.concat(hs, axis=1))
    trees = [
        (tf.constant(x[m]), tf.constant(kids[m]), tf.constant(w[m]))
        for x, kids, m, w in zip(batch["x"], batch["children"], batch["mask"], wave, strict=True)
    ]
    signature = [
        tf.TensorSpec((None, batch["x"].shape[-1])),
        tf.TensorSpec((None, 2), "int32"),
        tf.TensorSpec((None, units)),
    ]

    def states(z_i: Any, z_fs: list, z_u: Any, z_o: Any, cs: list) -> tuple:
        c = tf.sigmoid(z_i) * tf.tanh(z_u)
        c += sum(tf.sigmoid(z) * c_k for z, c_k in zip(z_fs, cs, strict=True))
        return tf.sigmoid(z_o) * tf.tanh(c), c

    @tf.function(autograph=False, input_signature=signature)
    def of_tree(x: Any, kids: Any, wave: Any) -> Any:
        W, U, b = sources
        n = tf.shape(x)[0]
        with tf.GradientTape() as tape:
            tape.watch(x)

            # Read from an array: the gradient of a slice would be as large as x, for each node.
            rows = tf.TensorArray("float32", n, element_shape=(1, x.shape[1]))
            rows = rows.unstack(x[:, None])

            def body(t: Any, hs: Any, cs: Any) -> tuple:
                row = rows.read(t)

                def leaf() -> tuple:
                    return states(*gates(row, [], W, U, b), [])

                def inner() -> tuple:
                    below = [hs.read(kids[t, k]) for k in range(2)]
                    kept = [cs.read(kids[t, k]) for k in range(2)]
                    return states(*gates(row, below, W, U, b), kept)

                h, c = tf.cond(kids[t, 0] < 0, leaf, inner)
                return t + 1, hs.write(t, h), cs.write(t, c)

            room = [
                tf.TensorArray("float32", n, element_shape=(1, units), clear_after_read=False)
                for _ in range(2)
            ]
            _, hs, _ = tf.while_loop(lambda t, *_: t < n, body, (0, *room))
            h = hs.concat()
            total = tf.reduce_sum(h * wave)
        return h, tape.gradient(total, [x, *sources])

    def step() -> Any:
        all_h, gradients = zip(*(of_tree(*tree) for tree in trees), strict=True)
        all_dx, *dW = zip(*gradients, strict=True)
        return tf.concat(all_h, axis=0), [tf.concat(all_dx, axis=0), *map(tf.add_n, dW)]

    return step


def _in_a_row(batch: dict) -> tuple[np.ndarray, np.ndarray, tuple]:
    """All real nodes' inputs, their children's places in the row, and where they came from."""
    where = np.nonzero(batch["mask"])
    first = np.cumsum(batch["mask"].sum(1)) - batch["mask"].sum(1)
    kids = batch["children"][where]
    return batch["x"][where], np.where(kids < 0, -1, kids + first[where[0]][:, None]), where


def torch_recursion(
    kind: str, layer: keras.layers.Layer, batch: dict, wave: np.ndarray
) -> Callable[[], Any]:
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    units = layer.units
    gates = _gates(kind, units, torch.matmul, lambda hs: torch.cat(hs, dim=1))
    flat, kids, where = _in_a_row(batch)
    x = torch.tensor(flat, requires_grad=True)
    weights = [torch.tensor(w, requires_grad=True) for w in layer.get_weights()]
    roots = sorted(set(range(len(kids))) - set(kids[kids >= 0].tolist()))
    wave = torch.tensor(wave[where])

    def step() -> Any:
        all_h: list = [None] * len(kids)

        def visit(n: int) -> tuple:
            below = [visit(k) for k in kids[n] if k >= 0]
            z_i, z_fs, z_u, z_o = gates(x[n : n + 1], [h for h, _ in below], *weights)
            c = torch.sigmoid(z_i) * torch.tanh(z_u)
            for z_f, (_, c_k) in zip(z_fs, below, strict=True):
                c = c + torch.sigmoid(z_f) * c_k
            all_h[n] = torch.sigmoid(z_o) * torch.tanh(c)
            return all_h[n], c

        for root in roots:
            visit(root)
        h = torch.cat(all_h)
        return h.detach(), torch.autograd.grad((h * wave).sum(), [x, *weights])

    return step


def package_call(layer: keras.layers.Layer, batch: dict, wave: np.ndarray) -> Callable[[], Any]:
    """PyPI `pytorch-tree-lstm`; raises ImportError where it is not installed."""
    import torch
    from treelstm import TreeLSTM, calculate_evaluation_orders

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    flat, kids, where = _in_a_row(batch)
    edges = np.array([(p, k) for p, row in enumerate(kids) for k in row if k >= 0])
    node_order, edge_order = calculate_evaluation_orders(edges, len(kids))
    model = TreeLSTM(flat.shape[1], layer.units)
    W, U, b = (torch.tensor(w) for w in layer.get_weights())
    u = layer.units
    # Theirs has input, output, candidate side by side.
    order = [slice(0, u), slice(3 * u, 4 * u), slice(2 * u, 3 * u)]
    with torch.no_grad():
        model.W_iou.weight.copy_(torch.cat([W[:, part] for part in order], dim=1).T)
        model.W_iou.bias.copy_(torch.cat([b[part] for part in order]))
        model.U_iou.weight.copy_(torch.cat([U[:, part] for part in order], dim=1).T)
        model.W_f.weight.copy_(W[:, u : 2 * u].T)
        model.W_f.bias.copy_(b[u : 2 * u])
        model.U_f.weight.copy_(U[:, u : 2 * u].T)
    x = torch.tensor(flat, requires_grad=True)
    orders = [torch.tensor(a, dtype=torch.int64) for a in (node_order, edges, edge_order)]
    wave = torch.tensor(wave[where])

    def step() -> Any:
        h, _ = model(x, *orders)
        return h.detach(), torch.autograd.grad((h * wave).sum(), [x, *model.parameters()])

    return step


def measure(kind: str, size: int, rounds: int, features: int, units: int) -> dict[str, Any]:
    rng = np.random.default_rng(size)
    trees = sentiment_trees(rng)
    batch = batched([next(trees) for _ in range(size)], features, rng)
    wave = rng.normal(size=(*batch["mask"].shape, units)).astype("float32")
    layer = LAYERS[kind](units)
    layer.build((None, None, features))
    contenders = {
        "kblocks": kblocks_call(layer, batch, wave),
        "recursion tf": tensorflow_recursion(kind, layer, batch, wave),
        "recursion torch": torch_recursion(kind, layer, batch, wave),
    }
    if kind == "child_sum":
        try:
            contenders["package"] = package_call(layer, batch, wave)
        except ImportError:
            print("pytorch-tree-lstm is not installed: its column stays empty")
    truth = np.asarray(contenders["kblocks"]()[0])[batch["mask"]]
    for name, call in contenders.items():
        if name != "kblocks":
            np.testing.assert_allclose(np.asarray(call()[0]), truth, atol=1e-4, err_msg=name)
    times = harness.interleaved(contenders, rounds)
    milliseconds = harness.milliseconds(times)
    peers = [name for name in contenders if name != "kblocks"]
    return {
        "kind": kind,
        "batch": size,
        "nodes": int(batch["mask"].sum()),
        **{f"{name} trees/s": round(1000 * size / ms, 1) for name, ms in milliseconds.items()},
        **{f"{peer} / kblocks": harness.speed(times, "kblocks", peer) for peer in peers},
    }


def growth(rounds: int, largest: int, features: int, units: int) -> list[dict[str, Any]]:
    """Milliseconds of a training step of 16 trees: balanced ones of more nodes, deeper chains."""
    rng, rows = np.random.default_rng(0), []
    layer = LAYERS["nary"](units)
    layer.build((None, None, features))

    def balanced(depth: int) -> Tree:
        tree: Tree = []

        def node(level: int) -> int:
            tree.append(() if level == depth else (node(level + 1), node(level + 1)))
            return len(tree) - 1

        node(0)
        return tree

    def chain(depth: int) -> Tree:
        return [()] + [(n,) for n in range(depth)]

    for depth in range(3, largest + 1):
        for shape, tree in (("balanced", balanced(depth)), ("chain", chain(2 ** (depth + 1) - 2))):
            batch = batched([tree] * 16, features, rng)
            wave = rng.normal(size=(*batch["mask"].shape, units)).astype("float32")
            times = harness.interleaved({"kblocks": kblocks_call(layer, batch, wave)}, rounds)
            ms = harness.milliseconds(times)["kblocks"]
            deep = depth if shape == "balanced" else len(tree) - 1
            rows.append({"trees": shape, "nodes": len(tree), "depth": deep, "kblocks ms": ms})
            print(" ".join(f"{name}={value}" for name, value in rows[-1].items()), flush=True)
    return rows


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tree_lstm", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES)
    parser.add_argument("--sizes", type=int, nargs=2, default=(FEATURES, UNITS))
    parser.add_argument("--largest", type=int, default=8, help="the deepest balanced tree")
    parser.add_argument("--dry", action="store_true", help="write no file")
    options = parser.parse_args(arguments)
    rows = []
    for kind in LAYERS:
        for size in options.batches:
            rows.append(measure(kind, size, options.rounds, *options.sizes))
            print(" ".join(f"{name}={value}" for name, value in rows[-1].items()), flush=True)
    grown = growth(options.rounds, options.largest, *options.sizes)
    for kind in LAYERS:
        print(harness.table([row for row in rows if row["kind"] == kind]))
    print(harness.table(grown))
    if not options.dry:
        packages = ["tensorflow", "keras", "torch", "pytorch-tree-lstm"]
        result = {
            "name": "bench_tree_lstm",
            "command": "make bench",
            "machine": harness.machine(packages),
            "data": "sst" if (DATA / "sst" / "train.txt.gz").is_file() else "drawn trees",
            "rounds": options.rounds,
            "rows": rows,
            "growth": grown,
        }
        print(f"written to {harness.write('tree_lstm', result)}")


if __name__ == "__main__":
    main()
