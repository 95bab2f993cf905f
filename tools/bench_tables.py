"""The README's tables of results/bench_*.json, for `tools/readme_tables.py`."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

Result = dict[str, Any]

PASSES = ("forward", "training")


def lstm(results: Sequence[Result]) -> str:
    """The benchmark of the LSTM: the means, then each shape, forward / training step."""
    found = _benchmark(results, "lstm")
    means = found.get("means", {})
    shapes: dict[tuple[Any, ...], dict[str, Result]] = defaultdict(dict)
    for row in found.get("rows", []):
        shapes[row["mask"], row["batch"], row["units"]][row["pass"]] = row
    rows = [
        [
            *map(str, (batch, units, mask)),
            *(
                " / ".join(f"{by_pass[kind][f'{name} ms']:.1f}" for kind in PASSES)
                for name in ("kblocks", "keras", "torch")
            ),
            " / ".join(f"{by_pass[kind]['keras / kblocks']:.2f}" for kind in PASSES),
        ]
        for (mask, batch, units), by_pass in sorted(shapes.items())
    ]
    header = [
        "batch",
        "units",
        "mask",
        "kblocks, ms",
        "Keras, ms",
        "PyTorch, ms",
        "Keras / kblocks",
    ]
    summary = markdown(
        ["times as fast, geometric mean", ""], [[k, str(v)] for k, v in means.items()]
    )
    return f"{summary}\n\n{_folded(markdown(header, rows))}"


def tree_lstm(results: Sequence[Result]) -> str:
    """The benchmark of the Tree-LSTMs: training steps in trees a second."""
    peers = ("recursion tf", "recursion torch", "package")
    rows = [
        [
            {"nary": "N-ary", "child_sum": "Child-Sum"}[row["kind"]],
            str(row["batch"]),
            *(_count(row.get(f"{name} trees/s")) for name in ("kblocks", *peers)),
            *(_times(row.get(f"{peer} / kblocks")) for peer in peers),
        ]
        for row in _benchmark(results, "tree_lstm").get("rows", [])
    ]
    header = [
        "Tree-LSTM",
        "batch",
        "kblocks, trees/s",
        "recursion, TensorFlow",
        "recursion, PyTorch",
        "pytorch-tree-lstm",
        "kblocks is faster than TensorFlow's",
        "PyTorch's",
        "the package",
    ]
    return markdown(header, rows)


def lstm_2d(results: Sequence[Result]) -> str:
    """The benchmark of the 2D LSTM: the means by side, then each shape."""
    return _two_ways(results, "lstm_2d", "side", "double loop")


def graph_lstm(results: Sequence[Result]) -> str:
    """The benchmark of the Graph LSTM: the means by number of nodes, then each shape."""
    return _two_ways(results, "graph_lstm", "nodes", "node by node")


def transformer_encoder(results: Sequence[Result]) -> str:
    """The benchmark of the encoder stack: the means by peer, then each shape."""
    found = _benchmark(results, "transformer_encoder")
    means = found.get("means", {})
    against = {
        "keras-hub": "keras-hub / kblocks",
        "keras-hub under XLA": "keras-hub xla / kblocks",
        "keras-hub, both under XLA": "keras-hub xla / kblocks xla",
        "PyTorch": "torch / kblocks",
    }
    summary = [
        [f"times as fast as {peer}", *(_times(means.get(f"{kind}, {ratio}")) for kind in PASSES)]
        for peer, ratio in against.items()
        if means
    ]
    least = "least share of the product's rate from 512 wide"
    if any(f"{kind}, {least}" in means for kind in PASSES):
        summary.append([least, *(_times(means.get(f"{kind}, {least}")) for kind in PASSES)])
    shapes: dict[tuple[int, ...], dict[str, Result]] = defaultdict(dict)
    for row in found.get("rows", []):
        shapes[row["batch"], row["positions"], row["width"]][row["pass"]] = row
    ways = ("kblocks", "keras-hub", "kblocks xla", "keras-hub xla", "torch")
    rows = [
        [
            *map(str, shape),
            *(" / ".join(f"{by_pass[kind][f'{way} ms']:.0f}" for kind in PASSES) for way in ways),
            " / ".join(_times(by_pass[kind]["kblocks share"]) for kind in PASSES),
        ]
        for shape, by_pass in sorted(shapes.items())
    ]
    names = ("kblocks", "keras-hub", "kblocks, XLA", "keras-hub, XLA", "PyTorch")
    header = ["batch", "positions", "width", *(f"{name}, ms" for name in names), "share"]
    means_table = markdown(["geometric mean", "forward", "training step"], summary)
    return f"{means_table}\n\n{_folded(markdown(header, rows))}"


def bert(results: Sequence[Result]) -> str:
    """The benchmark of BERT's encoder: the means by peer and dtype, then each shape."""
    found = _benchmark(results, "bert")
    means, dtypes = found.get("means", {}), ("float32", "bfloat16")
    against = {
        "keras-hub": "keras-hub / kblocks",
        "keras-hub under XLA": "keras-hub xla / kblocks",
        "keras-hub, both under XLA": "keras-hub xla / kblocks xla",
        "transformers with PyTorch": "torch / kblocks",
    }
    summary = [
        [
            f"times as fast as {peer}",
            *(_times(means.get(f"{d}, {kind}, {ratio}")) for d in dtypes for kind in PASSES),
        ]
        for peer, ratio in against.items()
        if means
    ]
    shapes: dict[tuple[str, ...], dict[str, Result]] = defaultdict(dict)
    for row in found.get("rows", []):
        shapes[row["dtype"], row["encoder"], row["lengths"]][row["pass"]] = row
    ways = ("kblocks", "keras-hub", "kblocks xla", "keras-hub xla", "torch")
    rows = [
        [
            *shape,
            *(" / ".join(f"{by_pass[kind][f'{way} ms']:.0f}" for kind in PASSES) for way in ways),
            " / ".join(_times(by_pass[kind]["kblocks share"]) for kind in PASSES),
        ]
        for shape, by_pass in shapes.items()
    ]
    names = ("kblocks", "keras-hub", "kblocks, XLA", "keras-hub, XLA", "transformers")
    header = ["numbers", "encoder", "lengths", *(f"{name}, ms" for name in names), "share"]
    means_header = [f"{kind}, {d}" for d in dtypes for kind in ("forward", "training step")]
    means_table = markdown(["geometric mean", *means_header], summary)
    return f"{means_table}\n\n{_folded(markdown(header, rows))}"


def adam(results: Sequence[Result]) -> str:
    """The benchmark of a step of Adam."""
    peers = ("keras", "torch", "torch fused")
    rows = [
        [
            f"{row['model']}, {row['parameters'] / 1e6:.1f} M",
            *(f"{row[f'{way} ms']:.1f}" for way in ("kblocks", *peers)),
            *(_times(row[f"{peer} / kblocks"]) for peer in peers),
        ]
        for row in _benchmark(results, "adam").get("rows", [])
    ]
    names = ("Keras", "PyTorch", "PyTorch, fused")
    header = ["weights of", "kblocks, ms", *(f"{n}, ms" for n in names)]
    return markdown([*header, *(f"times as fast as {n}" for n in names)], rows)


def generation(results: Sequence[Result]) -> str:
    """The benchmark of GPT-2: tokens a second that it says, and that a small one learns from."""
    found = _benchmark(results, "generation")
    rows = [
        [
            what,
            f"{row['model']}, {row['parameters'] / 1e6:.1f} M",
            str(row["batch"]),
            *(_count(row[f"{way} tokens/s"]) for way in ("kblocks", "kblocks xla", peer)),
            *(_times(row[f"{peer} / {way}"]) for way in ("kblocks", "kblocks xla")),
        ]
        for what, peer, some in (
            ("generation", "transformers", found.get("rows", [])),
            ("training", "torch", found.get("training", [])),
        )
        for row in some
    ]
    header = [
        "tokens/s",
        "model",
        "batch",
        "kblocks",
        "kblocks, XLA",
        "PyTorch",
        "times as fast",
        "under XLA",
    ]
    return markdown(header, rows)


def decoding(results: Sequence[Result]) -> str:
    """The benchmark of beam search, and of the exported translator."""
    found = _benchmark(results, "decoding")
    ways = ("kblocks", "uncached", "keras-hub", "kblocks xla", "keras-hub xla")
    rows = [
        [
            f"{row['layers']} x {row['width']}, {row['vocabulary']:,} tokens",
            f"{row['batch']} x {row['beam']}",
            *(f"{row[f'{way} ms']:,.0f}" for way in ways),
            *(_times(row[f"{peer} / kblocks"]) for peer in ("uncached", "keras-hub")),
            _times(row["keras-hub xla / kblocks xla"]),
        ]
        for row in found.get("rows", [])
    ]
    header = [
        "model",
        "batch x beam",
        "kblocks, ms",
        "without caches, ms",
        "keras-hub, ms",
        "kblocks, XLA, ms",
        "keras-hub, XLA, ms",
        "times as fast as without caches",
        "as keras-hub",
        "both under XLA",
    ]
    exports = [
        [
            f"{row['layers']} x {row['width']}, {row['vocabulary']:,} tokens",
            str(row["tokens"]),
            *(f"{row[f'{way} ms']:,.1f}" for way in ("in process", "SavedModel")),
            _times(row["SavedModel / in process"]),
        ]
        for row in found.get("exports", [])
    ]
    exports_header = ["exported translator", "tokens said", "in process, ms", "SavedModel, ms"]
    exports_table = markdown([*exports_header, "SavedModel / in process"], exports)
    return f"{markdown(header, rows)}\n\n{exports_table}"


def _two_ways(results: Sequence[Result], name: str, size: str, slow: str) -> str:
    """A layer against its plain form: the means by its size, then each shape."""
    found = _benchmark(results, name)
    shapes: dict[tuple[int, ...], dict[str, Result]] = defaultdict(dict)
    for row in found.get("rows", []):
        shapes[row[size], row["batch"], row["units"]][row["pass"]] = row
    means = found.get("means", {})
    labels = [key.removeprefix("forward, ") for key in means if key.startswith("forward, ")]
    summary = [[label, *(_times(means[f"{kind}, {label}"]) for kind in PASSES)] for label in labels]
    rows = [
        [
            *map(str, shape),
            *(
                " / ".join(f"{by_pass[kind][f'{way} ms']:.1f}" for kind in PASSES)
                for way in ("kblocks", slow)
            ),
            " / ".join(_times(by_pass[kind][f"{slow} / kblocks"]) for kind in PASSES),
        ]
        for shape, by_pass in sorted(shapes.items())
    ]
    header = [size, "batch", "units", "kblocks, ms", f"{slow}, ms", "times as fast"]
    means_table = markdown(["times as fast, geometric mean", "forward", "training step"], summary)
    return f"{means_table}\n\n{_folded(markdown(header, rows))}"


def _benchmark(results: Sequence[Result], name: str) -> Result:
    return next((result for result in results if result["name"] == f"bench_{name}"), {})


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}"


def _count(number: float | None) -> str:
    return "" if number is None else f"{number:,.0f}"


def _folded(table: str) -> str:
    return f"<details><summary>each shape</summary>\n\n{table}\n\n</details>"


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
