"""How the loss of GPT-2 falls with its size: docs/gpt_sizes.png, of results/gpt-size-*.json.

    python -m tools.size_picture

Kaplan et al. 2020 (arXiv:2001.08361), equation 1.1: trained to the end on endless text, the loss
is a power of the number of weights, L = (N_c / N)^alpha, a line on double logarithmic axes. Where
data or training are short it bends, and the picture shows by how much.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from kblocks.plotting.figure import finish
from tools.readme_tables import ROOT, read_results


def power_law(weights: Sequence[float], losses: Sequence[float]) -> tuple[float, float]:
    """N_c and alpha of L = (N_c / N)^alpha, by least squares of the logarithms."""
    slope, offset = np.polyfit(np.log(weights), np.log(losses), 1)
    return float(np.exp(offset / -slope)), float(-slope)


def draw(runs: Sequence[dict[str, Any]], path: Path) -> None:
    """A point for each run, and the power law nearest to them."""
    points = sorted((run["parameters"], run["metrics"]["val_nats"]) for run in runs)
    weights, losses = zip(*points, strict=True)
    N_c, alpha = power_law(weights, losses)
    N = np.geomspace(weights[0] / 1.5, weights[-1] * 1.5)
    figure = Figure(figsize=(6, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.plot(N, (N_c / N) ** alpha, color="#D55E00", ls="--", label=f"(N_c / N)^{alpha:.3f}")
    axes.plot(weights, losses, color="#0072B2", marker="o", ls="", label="GPT-2")
    axes.set(
        title=f"{Path(runs[0]['data']).name}, the same steps for all sizes",
        xlabel="N, weights",
        ylabel="loss on held-out text, nats a character",
    )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_yticks(losses, [f"{loss:.2f}" for loss in losses])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    finish(figure, path)


def main(path: Path = ROOT / "docs" / "gpt_sizes.png") -> None:
    """Draw the picture."""
    draw([run for run in read_results() if run["name"].startswith("gpt-size-")], path)
    print(path, file=sys.stderr)


if __name__ == "__main__":
    main()
