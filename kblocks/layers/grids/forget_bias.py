"""How the biases of the grids' gates begin."""

from collections.abc import Callable
from typing import Any

from keras import ops


def forget_bias(units: int, forget_gates: int, at_one: bool) -> Callable[..., Any]:
    """An initializer: zeros, but for the forget gates if they begin at 1.

    Args:
        units: The size of a gate.
        forget_gates: How many there are; they follow the input gate.
        at_one: Whether their biases begin at 1, else at 0.
    """

    def first_bias(shape: tuple, dtype: Any = None) -> Any:
        parts = units, forget_gates * units, shape[0] - (1 + forget_gates) * units
        fills = ops.zeros, ops.ones if at_one else ops.zeros, ops.zeros
        return ops.concatenate([fill((n,), dtype) for fill, n in zip(fills, parts, strict=True)])

    return first_bias
