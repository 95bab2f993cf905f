"""First values of weights that belong together."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops


def fresh(initializer: Any) -> Any:
    """A copy that draws anew: one initializer gives the same numbers each time it is asked."""
    return initializer.clone() if isinstance(initializer, keras.Initializer) else initializer


def of_matrix(initializer: Any, rows: int, columns: int) -> Callable[..., Any]:
    """Draw the (rows, columns) matrix that a weight of more axes stands for.

    The heads' projections stand side by side in one matrix. Of a weight with three axes Glorot's
    initializer would take the first for that of a convolution, and draw much too small numbers.
    """
    draw = fresh(initializer)

    def initial(shape: tuple, dtype: Any = None) -> Any:
        return ops.reshape(draw((rows, columns), dtype=dtype), shape)

    return initial
