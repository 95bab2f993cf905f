"""The size of a model that is to have about so many parameters."""

from collections.abc import Callable


def largest(first: int, count: Callable[[int], int], most: int) -> int:
    """The largest number, from `first` on, of which `count` is at most `most`.

    `first` itself is not counted; `count` rises with the number.

    Example:

    >>> from kblocks.recipes.largest import largest
    >>> largest(0, lambda units: units * (units + 1), most=60)
    7
    """
    number = first
    while count(number + 1) <= most:
        number += 1
    return number
