"""What parsers without a network reach on a treebank, into results/*.json.

    python tools/parse_baselines.py --data ../shared/data/treebank
    python tools/parse_baselines.py --data ../shared/data/treebank --choose

The folder has `train.mrg` and `dev.mrg` (or `.gz`). The second command writes nothing: it prints
the F1 of right-branching and of grammars on trees held out of train, by what a rule remembers.
"""

import argparse
import itertools
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from kblocks.data import Tree, leaves, read_constituency, subset
from kblocks.metrics import bracket_f1
from kblocks.parsing import PCFG, right_branching
from kblocks.recipes.provenance import provenance

SHARES = (0.25, 0.5, 1.0)
ORDERS = [(h, v) for v, h in itertools.product((1, 2), (0, 1, 2))]
LABELS = ("NP", "VP", "S", "PP")
HELD_OUT = 20  # each so-many-th tree of train
LONGEST = 40  # words, of trees held out

Parse = Callable[[list[str]], Tree | None]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="a folder of trees")
    parser.add_argument("--results", type=Path, default=Path("results"), help="where to write")
    parser.add_argument("--choose", action="store_true", help="compare on trees held out of train")
    given = parser.parse_args(arguments)
    train = read_constituency(file_of(given.data, "train"))
    if given.choose:
        choose(train)
        return
    dev = read_constituency(file_of(given.data, "dev"))
    write(given, "right-branching", measure(right_branching, dev), 0.0, 0)
    for share in SHARES:
        began = time.perf_counter()
        pcfg = PCFG(subset(train, share))
        minutes = (time.perf_counter() - began) / 60
        name = f"pcfg-{round(100 * share)}"
        write(given, name, measure(pcfg.parse, dev), minutes, pcfg.grammar.size)


def choose(train: list[Tree]) -> None:
    """Print the F1 on trees held out of train, for each label and each order of the grammar."""
    held = [tree for tree in train[::HELD_OUT] if len(leaves(tree)) <= LONGEST]
    rest = [tree for place, tree in enumerate(train) if place % HELD_OUT]
    for label in LABELS:

        def parse(words: list[str], label: str = label) -> Tree:
            return right_branching(words, inner=label)

        print(f"right-branching, {label}: {measure(parse, held)['val_f1']:.2f}", flush=True)
    for horizontal, vertical in ORDERS:
        f1 = measure(PCFG(rest, horizontal, vertical).parse, held)["val_f1"]
        print(f"horizontal {horizontal}, vertical {vertical}: {f1:.2f}", flush=True)


def measure(parse: Parse, dev: Sequence[Tree]) -> dict[str, float]:
    """Score a parser on raw words; where it has no tree, right-branching stands in."""
    rows = [leaves(tree) for tree in dev]
    began = time.perf_counter()
    found = [parse([str(leaf.word) for leaf in row]) for row in rows]
    seconds = time.perf_counter() - began
    trees = [
        right_branching([str(leaf.word) for leaf in row]) if tree is None else tree
        for tree, row in zip(found, rows, strict=True)
    ]
    scores = bracket_f1(trees, dev)
    return {
        "val_f1": scores.f1,
        "val_precision": scores.precision,
        "val_recall": scores.recall,
        "val_complete": scores.complete,
        "val_sentences_without_tree": sum(tree is None for tree in found),
        "val_sentences_per_second": len(dev) / seconds,
    }


def write(
    given: argparse.Namespace, name: str, metrics: dict[str, float], minutes: float, rules: int
) -> None:
    """Write one result, as `kblocks.recipes.results` has them."""
    origin = provenance()
    result: dict[str, Any] = {
        "name": f"{given.data.name}-{name}",
        "recipe": "parsing",
        **origin,
        "command": f"python tools/{origin['command']}",
        "seed": 0,
        "data": given.data.name,
        "minutes": round(minutes, 2),
        "parameters": rules,
        "metrics": metrics,
        "history": [],
        "notes": "labelled brackets by EVALB's rules; raw words in; parameters are rules",
    }
    given.results.mkdir(parents=True, exist_ok=True)
    path = given.results / f"{result['name']}.json"
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{path}: F1 {metrics['val_f1']:.2f}", flush=True)


def file_of(folder: Path, split: str) -> Path:
    """The trees of a split, plain or `.gz`."""
    plain = folder / f"{split}.mrg"
    return plain if plain.exists() else plain.with_name(f"{split}.mrg.gz")


if __name__ == "__main__":
    main()
