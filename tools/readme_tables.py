"""Write the README's tables from results/*.json: `make tables`.

A table stands between `<!-- table NAME -->` and `<!-- end NAME -->`; what is between is replaced.
Runs whose names differ only in `-seedN` are one row: the mean, and the range over the seeds.
"""

import json
import re
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from tools.bench_tables import (
    Result,
    adam,
    bert,
    decoding,
    generation,
    graph_lstm,
    lstm,
    lstm_2d,
    markdown,
    transformer_encoder,
    tree_lstm,
)

ROOT = Path(__file__).resolve().parents[1]


def with_tables(readme: str, results: Sequence[Result]) -> str:
    """The README's text with each of its tables made anew."""

    def table(match: re.Match[str]) -> str:
        name = match["name"]
        return f"<!-- table {name} -->\n{TABLES[name](results)}\n<!-- end {name} -->"

    return re.sub(
        r"<!-- table (?P<name>\w+) -->\n.*?<!-- end (?P=name) -->", table, readme, flags=re.DOTALL
    )


def read_results(directory: Path = ROOT / "results") -> list[Result]:
    """All results, by file name."""
    return [
        json.loads(path.read_text(encoding="utf-8")) for path in sorted(directory.glob("*.json"))
    ]


def translation(results: Sequence[Result]) -> str:
    """The translators: BLEU by data and recipe."""
    rows = [
        [
            name,
            _data(seeds[0]),
            _mean(seeds, lambda run: run["metrics"]["val_bleu"]),
            _mean(seeds, lambda run: run["metrics"].get("test_bleu")),
            _mean(seeds, lambda run: run["metrics"].get("val_sentences_per_second"), digits=0),
            *_cost(seeds),
        ]
        for name, seeds in _runs(results, lambda run: "val_bleu" in run["metrics"])
    ]
    header = ["run", "data", "BLEU, validation", "BLEU, test", "sentences/s", *_COST]
    return markdown(header, rows)


def parsing(results: Sequence[Result]) -> str:
    """The parsers: labelled brackets by EVALB's rules."""
    measures = ("f1", "precision", "recall", "complete")
    rows = [
        [
            name,
            *(_mean(seeds, lambda run, m=m: run["metrics"][f"val_{m}"]) for m in measures),  # type: ignore[misc]
            _mean(seeds, lambda run: run["metrics"]["val_sentences_per_second"], digits=0),
            *_cost(seeds),
        ]
        for name, seeds in _runs(results, lambda run: "val_complete" in run["metrics"])
    ]
    header = ["parser", "F1", "precision", "recall", "trees all right, %", "sentences/s", *_COST]
    return markdown(header, rows)


def language(results: Sequence[Result]) -> str:
    """The language models: nats of a token that they are to foretell."""
    rows = [
        [
            name,
            _data(seeds[0]),
            _mean(seeds, lambda run: run["metrics"]["val_nats"], digits=3),
            *_cost(seeds),
        ]
        for name, seeds in _runs(results, lambda run: run.get("recipe") == "characters")
    ]
    return markdown(["run", "data", "nats a character, validation", *_COST], rows)


_TASKS = ("CoLA", "SST-2", "MRPC", "STS-B", "QQP", "QNLI", "RTE", "WNLI")


def glue(results: Sequence[Result]) -> str:
    """Each task of GLUE, from a pre-trained BERT and from random weights: `glue-TASK-BEGIN`."""
    runs = dict(_runs(results, lambda run: run.get("recipe") == "glue"))
    rows = []
    for task in _TASKS:
        begun = [runs.get(f"glue-{task.lower()}-{begin}", []) for begin in ("minilm", "scratch")]
        every = [run for seeds in begun for run in seeds]
        if every:
            measure = next(key for key in every[0]["metrics"] if key != "val_score")
            scores = [
                _mean(seeds, lambda run: 100 * run["metrics"]["val_score"]) for seeds in begun
            ]
            minutes = statistics.mean(run["minutes"] for run in every)
            rows.append([task, measure.removeprefix("val_"), *scores, f"{minutes:.0f}"])
    return markdown(
        ["task", "measure, x 100", "from MiniLM", "from random weights", "minutes"], rows
    )


def pretraining(results: Sequence[Result]) -> str:
    """What BERTs learned from a text, and what comes of them: `NAME`, `glue-sts-b-NAME`."""
    tuned = dict(_runs(results, lambda run: run.get("recipe") == "glue"))

    def transfer(name: str) -> str:
        seeds = tuned.get(f"glue-sts-b-{name}", [])
        return _mean(seeds, lambda run: 100 * run["metrics"]["val_score"])

    rows = [
        [
            name,
            _mean(seeds, lambda run: run["metrics"]["val_masked_nats"], digits=2),
            _mean(seeds, lambda run: 100 * run["metrics"]["val_masked_accuracy"]),
            _mean(seeds, lambda run: _percent(run["metrics"].get("val_next_accuracy"))),
            transfer(name),
            *_cost(seeds),
        ]
        for name, seeds in _runs(results, lambda run: run.get("recipe") == "pretraining")
    ]
    if score := transfer("bert-scratch"):
        rows.append(["bert, from random weights", "", "", "", score, "", "", ""])
    header = ["run", "nats a hidden piece", "pieces right, %", "next sentences right, %"]
    return markdown([*header, "STS-B, pearson x 100", *_COST], rows)


def auxiliary(results: Sequence[Result]) -> str:
    """GPTs fine-tuned with the language model's loss beside the task's, and without."""
    rows = [
        [name, _mean(seeds, lambda run: 100 * run["metrics"]["val_score"]), *_cost(seeds)]
        for name, seeds in _runs(results, lambda run: run.get("recipe") == "glue-gpt")
    ]
    return markdown(["run", "measure, x 100", *_COST], rows)


_MEASURES: dict[str, tuple[str, str, float]] = {  # of each recipe: what, its name, in which unit
    "sentiment": ("roots right, dev, %", "val_root_accuracy", 100),
    "tagging": ("words right, dev, %", "val_accuracy", 100),
    "listops": ("roots right, as deep as trained, test, %", "test_root_accuracy", 100),
    "images": ("images right, test, %", "test_accuracy", 100),
    "pathfinder": ("images right, test, %", "test_accuracy", 100),
    "pixels": ("nats an image, test", "test_nats", 1),
    "segmentation": ("mean IoU, validation, %", "val_mean_iou", 100),
}


def recurrent(results: Sequence[Result]) -> str:
    """Trees, grids, graphs and chains: the measure of each recipe."""
    rows = []
    for name, seeds in _runs(results, lambda run: run.get("recipe") in _MEASURES):
        what, key, unit = _MEASURES[seeds[0]["recipe"]]
        value = _mean(seeds, lambda run, key=key, unit=unit: unit * run["metrics"][key])  # type: ignore[misc]
        rows.append([name, _data(seeds[0]), what, value, *_cost(seeds)])
    return markdown(["run", "data", "measure", "reached", *_COST], rows)


def listops(results: Sequence[Result]) -> str:
    """The share of right roots by depth, in the test of each ListOps run."""
    runs = _runs(results, lambda run: run.get("recipe") == "listops")
    prefix = "test_root_accuracy_depth_"
    depths = sorted({key for _, seeds in runs for key in seeds[0]["metrics"] if prefix in key})
    rows = [
        [name, *(_mean(seeds, lambda run, d=d: 100 * run["metrics"][d]) for d in depths)]  # type: ignore[misc]
        for name, seeds in runs
    ]
    header = ["roots right, %, at depth", *(str(int(d.removeprefix(prefix))) for d in depths)]
    return markdown(header, rows)


_COST = ("parameters", "minutes", "command")


def _cost(seeds: Sequence[Result]) -> list[str]:
    """What a run is made of, and took."""
    count = seeds[0]["parameters"]
    size = f"{count / 1e6:.1f} M" if count >= 1e6 else f"{count / 1e3:.0f} k"
    minutes = statistics.mean(run["minutes"] for run in seeds)
    return [size, f"{minutes:.0f}", f"`{seeds[0]['command']}`"]


def _runs(
    results: Sequence[Result], wanted: Callable[[Result], bool]
) -> list[tuple[str, list[Result]]]:
    """The wanted runs by name, seeds together; runs on the same data stand together."""
    runs = defaultdict(list)
    for result in results:
        if "metrics" in result and wanted(result):
            runs[re.sub(r"-seed\d+$", "", result["name"])].append(result)
    return sorted(runs.items(), key=lambda item: (_data(item[1][0]), item[0]))


def _data(run: Result) -> str:
    """The name of the data, wherever they lay."""
    return Path(run["data"]).name


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _mean(runs: Sequence[Result], value: Callable[[Result], float | None], digits: int = 1) -> str:
    """The mean over the seeds, with their number and range where there are several."""
    values = [v for run in runs if (v := value(run)) is not None]
    if not values:
        return ""
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    least, most = (f"{end:.{digits}f}" for end in (min(values), max(values)))
    return f"{statistics.mean(values):.{digits}f} ({least} to {most}, {len(values)} seeds)"


TABLES: dict[str, Callable[[Sequence[Result]], str]] = {
    "adam": adam,
    "auxiliary": auxiliary,
    "bert": bert,
    "decoding": decoding,
    "generation": generation,
    "glue": glue,
    "graph_lstm": graph_lstm,
    "language": language,
    "listops": listops,
    "lstm": lstm,
    "lstm_2d": lstm_2d,
    "parsing": parsing,
    "pretraining": pretraining,
    "recurrent": recurrent,
    "transformer_encoder": transformer_encoder,
    "translation": translation,
    "tree_lstm": tree_lstm,
}


def main() -> None:
    """Write README.md where it changes."""
    path = ROOT / "README.md"
    before = path.read_text(encoding="utf-8")
    after = with_tables(before, read_results())
    if after != before:
        path.write_text(after, encoding="utf-8")
    print("README.md: " + ("tables written" if after != before else "in step"), file=sys.stderr)


if __name__ == "__main__":
    main()
