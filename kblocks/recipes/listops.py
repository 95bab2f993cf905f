"""ListOps: a Tree-LSTM computes nested operations on digits, also deeper than it was trained on.

    kblocks train listops --set tree=nary --out runs/listops

The expressions are drawn as Nangia and Bowman (2018), arXiv:1804.06028, draw them. Each operator
is the input of an inner node, each digit that of a leaf; every node is labelled with its value.
"""

import dataclasses
from collections import defaultdict
from typing import Any, ClassVar

import numpy as np

from kblocks import data
from kblocks.data import listops
from kblocks.data.tree_batches import LabelOf
from kblocks.recipes.trees import Classes, TreeConfig, TreeRecipe, Trees, TreeSplits


@dataclasses.dataclass
class ListOpsConfig(TreeConfig):
    """The settings of a run; `--set name=value` changes one."""

    data: str = "generated"  # by `kblocks.data.listops`; there is nothing else
    expressions: int = 20_000  # to train on
    held_out: int = 2_000  # to validate on, to test on, and deeper ones
    max_depth: int = 6  # trained on; a digit has depth 1
    test_depth: int = 12  # the deepest expressions of the test
    draw: int = 0  # the seed of the expressions

    max_children: int = 5
    units: int = 128
    embedding: int = 32
    min_count: int = 1
    dropout: float = 0.0
    batch_size: int = 64
    epochs: int = 20


class ListOps(TreeRecipe):
    """The recipe `listops`."""

    name = "listops"
    summary = "Tree-LSTM that computes nested operations on digits"
    facts: ClassVar = {"data": "generated", "size": "0.7 M parameters (nary), 0.1 M (child_sum)"}
    Config = ListOpsConfig

    def read(self, config: ListOpsConfig) -> TreeSplits:
        """Different expressions for each split; the test has the deeper ones, too."""
        if config.data != "generated":
            raise ValueError(f"`data` of listops must be 'generated', got {config.data!r}.")
        few, depth = config.held_out, config.max_depth
        drawn = listops.generate(
            config.expressions + 2 * few, config.draw, max_depth=depth, min_depth=2
        )
        deeper = listops.generate(
            few, config.draw + 1, max_depth=config.test_depth, min_depth=depth + 1
        )
        return TreeSplits(drawn[2 * few :], drawn[:few], drawn[few : 2 * few] + deeper)

    def classes(self, config: ListOpsConfig) -> tuple[LabelOf, list[str]]:
        """The ten digits."""
        return data.digit, [str(value) for value in range(10)]

    def accuracies(
        self, config: Any, trees: Trees, labels: Classes, predictions: Classes
    ) -> dict[str, float]:
        """The accuracy within the trained depth, and at the roots of each depth."""
        depths = [data.tree_depth(tree) for tree in trees]
        within = [i for i, depth in enumerate(depths) if depth <= config.max_depth]
        measured = super().accuracies(
            config, trees, [labels[i] for i in within], [predictions[i] for i in within]
        )
        hits = defaultdict(list)
        for depth, y, p in zip(depths, labels, predictions, strict=True):
            hits[depth].append(y[-1] == p[-1])
        by_depth = {f"root_accuracy_depth_{d:02}": float(np.mean(hits[d])) for d in sorted(hits)}
        return measured | by_depth
