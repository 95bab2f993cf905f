"""The tasks of GLUE (Wang et al. 2019, arXiv:1804.07461) from their TSV files.

Each task is a folder `TASK` with `train.tsv` and `dev.tsv` as https://gluebenchmark.com has them,
or `TASK.train.tsv` and `TASK.dev.tsv` side by side; any of them may end in `.gz`.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from kblocks.data.readers import read_lines
from kblocks.files import find_file


class Task(NamedTuple):
    """Where the columns of a task stand, and what its labels are."""

    columns: tuple[str | int, ...]  # of the first text and perhaps a second one, then the label
    classes: tuple[str, ...]  # as they stand in the file; none: the label is a number
    metrics: tuple[str, ...]  # the first is the one that counts, see `kblocks.metrics.glue_scores`


TASKS = {
    "CoLA": Task((3, 1), ("0", "1"), ("matthews", "accuracy")),
    "SST-2": Task(("sentence", "label"), ("0", "1"), ("accuracy",)),
    "MRPC": Task(("#1 String", "#2 String", "Quality"), ("0", "1"), ("accuracy", "f1")),
    "STS-B": Task(("sentence1", "sentence2", "score"), (), ("pearson", "spearman")),
    "QQP": Task(("question1", "question2", "is_duplicate"), ("0", "1"), ("accuracy", "f1")),
    "QNLI": Task(
        ("question", "sentence", "label"), ("entailment", "not_entailment"), ("accuracy",)
    ),
    "RTE": Task(
        ("sentence1", "sentence2", "label"), ("entailment", "not_entailment"), ("accuracy",)
    ),
    "WNLI": Task(("sentence1", "sentence2", "label"), ("0", "1"), ("accuracy",)),
}


class LabelledTexts(NamedTuple):
    """Texts, or pairs of texts, and what is to be said of each."""

    first: Sequence[str]
    second: Sequence[str] | None
    labels: Sequence[float]  # numbers of classes, or the numbers themselves

    def __len__(self) -> int:
        return len(self.labels)


def read_glue(folder: str | Path, task: str, split: str) -> LabelledTexts:
    """The examples of a split.

    Args:
        folder: With the task's files.
        task: A name of `TASKS`.
        split: `"train"` or `"dev"`.

    Raises:
        FileNotFoundError: The file is missing.
        ValueError: There is no such task, or a row is broken (names file and line).
    """
    if task not in TASKS:
        raise ValueError(f"`task` must be one of {tuple(TASKS)}, got {task!r}.")
    path, (columns, classes, _) = _file(Path(folder), task, split), TASKS[task]
    rows = read_lines(path)
    places = [column for column in columns if isinstance(column, int)]
    if not places:
        _, header = next(rows, (1, ""))
        names = header.split("\t")
        lost = [column for column in columns if column not in names]
        if lost:
            raise ValueError(f"{path}:1: there is no column {lost[0]!r} of {task}.")
        places = [names.index(str(column)) for column in columns]
    texts: list[list[str]] = []
    labels: list[float] = []
    for number, line in rows:
        fields = line.split("\t")
        if len(fields) <= max(places):
            raise ValueError(
                f"{path}:{number}: expected {1 + max(places)} columns or more, got {len(fields)}."
            )
        *row, label = (fields[place] for place in places)
        texts.append(row)
        labels.append(_label(label, classes, f"{path}:{number}"))
    if not labels:
        raise ValueError(f"{path} has no example.")
    first, *second = zip(*texts, strict=True)
    return LabelledTexts(first, second[0] if second else None, labels)


def _file(folder: Path, task: str, split: str) -> Path:
    names = f"{task}/{split}.tsv", f"{task}.{split}.tsv"
    found = [path for name in names if (path := find_file(folder, name))]
    if found:
        return found[0]
    raise FileNotFoundError(f"{folder} has neither {names[0]} nor {names[1]}, nor one with .gz.")


def _label(label: str, classes: tuple[str, ...], where: str) -> float:
    if classes:
        if label not in classes:
            raise ValueError(f"{where}: the label must be one of {classes}, got {label!r}.")
        return classes.index(label)
    try:
        value = float(label)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{where}: the label must be a number, got {label!r}.")
    return value
