"""What a classifier says of texts, as a table: the worst first, to see where it errs."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from kblocks.data import LabelledTexts

_SAFE = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def write_predictions(
    path: Path, texts: LabelledTexts, logits: np.ndarray, classes: Sequence[str]
) -> None:
    """Write a row for each text, the worst said first, as tab-separated values with a header.

    The columns are the right label, the one that was said, the probabilities of both, and the text
    or the two; or, of a model that says a number, the right one, the one said and their difference.
    `write_table` says what stands for a tab within a text.

    Args:
        path: Where; written beside and renamed.
        texts: The texts and their right labels.
        logits: `(texts, classes)`, in their order.
        classes: The labels' names; none for a model that says a number.
    """
    first, second = texts.first, texts.second
    pairs = [(a,) for a in first] if second is None else [*zip(first, second, strict=True)]
    names = ("text",) if second is None else ("text", "second")
    labels = np.asarray(texts.labels)
    if classes:
        wide = np.asarray(logits, "float64")
        p = np.exp(wide - wide.max(-1, keepdims=True))
        p /= p.sum(-1, keepdims=True)
        said, right = p.argmax(-1), labels.astype(int)
        p_right = p[np.arange(len(p)), right]
        worst = np.argsort(p_right, kind="stable")
        header = ("right", "said", "p(right)", "p(said)", *names)
        rows = [
            (classes[right[i]], classes[said[i]], f"{p_right[i]:.4f}", f"{p[i].max():.4f}")
            + pairs[i]
            for i in worst
        ]
    else:
        error = np.asarray(logits, "float64")[:, 0] - labels
        worst = np.argsort(-np.abs(error), kind="stable")
        header = ("right", "said", "error", *names)
        rows = [
            (f"{labels[i]:.4g}", f"{labels[i] + error[i]:.4g}", f"{error[i]:.4g}", *pairs[i])
            for i in worst
        ]
    write_table(path, [header, *rows])


def write_table(path: Path, rows: Iterable[Sequence[str]]) -> None:
    r"""Write rows of cells as tab-separated values, beside and renamed.

    Within a cell `\t`, `\n`, `\r` and `\\` stand for a tab, a line end and a backslash.
    """
    lines = ("\t".join(cell.translate(_SAFE) for cell in row) + "\n" for row in rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(f"{path.suffix}.tmp")
    beside.write_text("".join(lines), encoding="utf-8", newline="\n")
    beside.replace(path)
