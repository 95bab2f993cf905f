"""Products with a matrix that XLA can differentiate inside a loop."""

from collections.abc import Callable
from typing import Any

from keras import ops

Tensor = Any


def by_rows(product: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Apply `product`, from (rows, features) to (rows, units), along the last axis of `x`.

    On TensorFlow Keras takes a tensordot where `x` has more than two axes. It computes which axes
    to swap, and where sizes are free XLA cannot differentiate that inside a decoder's loop.

    Args:
        product: A dense layer, or a function that multiplies with a matrix.
        x: Floats (..., features).

    Returns:
        Floats (..., units).
    """
    rows = product(ops.reshape(x, (-1, x.shape[-1])))
    return ops.reshape(rows, (*ops.shape(x)[:-1], rows.shape[-1]))
