"""SQuAD's measures: Rajpurkar et al. 2016 (arXiv:1606.05250), section 5, and 2018 (1806.03822).

As the official program of SQuAD 2.0 counts. Answers are compared in lower case, without
punctuation, without the words a, an and the, and with single spaces:

exact    the share of answers that equal a right one
f1       2 p r / (p + r), precision and recall of the answer's words; the best over the right ones

Where there is no answer the right one is empty: both measures are 1 for an empty answer, else 0.
"""

import re
import string
from collections import Counter
from collections.abc import Sequence

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def squad_scores(found: Sequence[str], right: Sequence[Sequence[str]]) -> dict[str, float]:
    """How well questions were answered.

    Args:
        found: An answer for each question; empty: there is none.
        right: The right answers to each question, perhaps several; none if it has no answer.

    Returns:
        A dict of `exact` and `f1`, in percent.

    Raises:
        ValueError: The lengths differ, or there is no question.

    Example:

    >>> from kblocks.metrics import squad_scores
    >>> squad_scores(["The Seine!", "in 1789", ""], [["the Seine"], ["1789", "July 1789"], []])
    {'exact': 66.66..., 'f1': 88.88...}
    """
    if len(found) != len(right) or not len(found):
        raise ValueError(
            f"`found` and `right` must be as many answers, got {len(found)} and {len(right)}."
        )
    pairs = [(answer, _scored(known)) for answer, known in zip(found, right, strict=True)]
    exact = [max(float(normalised(a) == normalised(b)) for b in known) for a, known in pairs]
    shared = [max(answer_f1(a, b) for b in known) for a, known in pairs]
    return {"exact": 100 * sum(exact) / len(exact), "f1": 100 * sum(shared) / len(shared)}


def _scored(right: Sequence[str]) -> list[str]:
    """The right answers that something is left of, or else the empty one."""
    return [answer for answer in right if normalised(answer)] or [""]


def normalised(answer: str) -> str:
    """An answer as it is compared."""
    return " ".join(_ARTICLES.sub(" ", answer.lower().translate(_NO_PUNCTUATION)).split())


def answer_f1(found: str, right: str) -> float:
    """F1 of the words of two answers, 0 to 1."""
    said, known = normalised(found).split(), normalised(right).split()
    if not said or not known:
        return float(said == known)
    shared = sum((Counter(said) & Counter(known)).values())
    return 2 * shared / (len(said) + len(known))
