"""GPT's input transformations: any task as token sequences, Radford et al. 2018, section 3.3.

one sentence   [start; text; extract]
entailment     [start; premise; delimiter; hypothesis; extract]
similarity     both orders of the two texts, as entailment has them
choices        [start; context; delimiter; answer_k; extract] for each answer k
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kblocks.tokens import NOTHING

Ids = Sequence[int]


class TaskInputs(NamedTuple):
    """The ids of three tokens that a task adds, and the sequences made with them.

    All arrays are int32 and padded with -1 on the right; the last token of each sequence is the
    extract token, of which `GPTClassifier` reads.

    Attributes:
        start: Begins each sequence.
        delimiter: Between two texts.
        extract: Ends each sequence.

    Example:

    >>> from kblocks.models.language import TaskInputs
    >>> task = TaskInputs(start=50, delimiter=51, extract=52)
    >>> task.pairs([[7, 8], [9]], [[3], [4]]).tolist()
    [[50, 7, 8, 51, 3, 52], [50, 9, 51, 4, 52, -1]]
    """

    start: int
    delimiter: int
    extract: int

    def sentences(self, texts: Sequence[Ids]) -> np.ndarray:
        """One sentence an example, (batch, time)."""
        return _padded([[self.start, *text, self.extract] for text in texts])

    def pairs(self, first: Sequence[Ids], second: Sequence[Ids]) -> np.ndarray:
        """Two texts an example whose order counts: premise and hypothesis, (batch, time)."""
        return _padded([self._pair(a, b) for a, b in zip(first, second, strict=True)])

    def similarity(self, first: Sequence[Ids], second: Sequence[Ids]) -> np.ndarray:
        """Two texts an example whose order does not count: both orders, (batch, 2, time)."""
        both = [
            order
            for a, b in zip(first, second, strict=True)
            for order in (self._pair(a, b), self._pair(b, a))
        ]
        return _padded(both).reshape(len(first), 2, -1)

    def choices(self, contexts: Sequence[Ids], answers: Sequence[Sequence[Ids]]) -> np.ndarray:
        """A context and its answers, equally many for each, (batch, answers, time).

        Raises:
            ValueError: The numbers of answers differ.
        """
        counts = {len(some) for some in answers}
        if len(counts) != 1:
            raise ValueError(
                f"`answers` must be equally many for each context, got {sorted(counts)}."
            )
        rows = [
            self._pair(context, answer)
            for context, some in zip(contexts, answers, strict=True)
            for answer in some
        ]
        return _padded(rows).reshape(len(contexts), counts.pop(), -1)

    def _pair(self, first: Ids, second: Ids) -> list[int]:
        return [self.start, *first, self.delimiter, *second, self.extract]


def _padded(rows: list[list[int]]) -> np.ndarray:
    padded = np.full((len(rows), max(map(len, rows), default=0)), NOTHING, "int32")
    for ids, row in zip(padded, rows, strict=True):
        ids[: len(row)] = row
    return padded
