"""Texts of about equal length together, so that little of a batch is padding."""

from collections.abc import Iterator, Sequence


def by_length(texts: Sequence[str], batch_size: int) -> Iterator[list[int]]:
    """The places of texts in batches, the shortest first.

    Example:

    >>> from kblocks.export.by_length import by_length
    >>> list(by_length(["long", "a", "bc"], batch_size=2))
    [[1, 2], [0]]
    """
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    for first in range(0, len(order), batch_size):
        yield order[first : first + batch_size]
