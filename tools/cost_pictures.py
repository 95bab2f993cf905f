"""How the cost of trees, grids and graphs grows: docs/cost.png, of results/bench_*.json.

    python -m tools.cost_pictures

On double logarithmic axes a cost in proportion to the size is a line of slope 1.
"""

import statistics
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kblocks.plotting.figure import finish
from tools.readme_tables import ROOT, read_results

Result = dict[str, Any]


class Curve(NamedTuple):
    """Milliseconds over sizes."""

    label: str
    points: Sequence[tuple[float, float]]


def tree_curves(result: Result) -> list[Curve]:
    """16 trees by their nodes: balanced ones, and chains."""
    labels = {"balanced": "balanced: depth log n", "chain": "chain: depth n"}
    return [
        Curve(
            label, [(r["nodes"], r["kblocks ms"]) for r in result["growth"] if r["trees"] == kind]
        )
        for kind, label in labels.items()
    ]


def two_ways(result: Result, size: str, slow: str) -> list[Curve]:
    """A training step of a layer and of its plain form: the geometric mean over the shapes."""
    curves = []
    for way in ("kblocks", slow):
        by_size: dict[int, list[float]] = defaultdict(list)
        for row in result["rows"]:
            if row["pass"] == "training":
                by_size[row[size]].append(row[f"{way} ms"])
        points = [(n, statistics.geometric_mean(ms)) for n, ms in sorted(by_size.items())]
        curves.append(Curve(way, points))
    return curves


def draw(axes: Axes, title: str, size: str, curves: Sequence[Curve]) -> None:
    """One panel."""
    styles = (("#0072B2", "-", "o"), ("#D55E00", "--", "s"))  # told apart without colours, too
    for (label, points), (colour, line, marker) in zip(curves, styles, strict=True):
        axes.plot(*zip(*points, strict=True), color=colour, ls=line, marker=marker, label=label)
    axes.set(title=title, xlabel=size, ylabel="milliseconds a training step")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    sizes = [n for n, _ in curves[0].points]
    axes.set_xticks(sizes, [str(n) for n in sizes])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)


def main(path: Path = ROOT / "docs" / "cost.png") -> None:
    """Draw the picture."""
    results = {result["name"]: result for result in read_results()}
    figure = Figure(figsize=(15, 4.4), layout="constrained")
    trees, grids, graphs = figure.subplots(1, 3)
    draw(
        trees,
        "N-ary Tree-LSTM, 16 trees",
        "nodes of a tree",
        tree_curves(results["bench_tree_lstm"]),
    )
    grid = two_ways(results["bench_lstm_2d"], "side", "double loop")
    draw(grids, "LSTM2D", "side of the square image, pixels", grid)
    graph = two_ways(results["bench_graph_lstm"], "nodes", "node by node")
    draw(graphs, "Graph LSTM", "nodes of a planar graph", graph)
    finish(figure, path)
    print(path, file=sys.stderr)


if __name__ == "__main__":
    main()
