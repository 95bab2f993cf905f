"""Where the positions of a sequence stand."""

from typing import Any

from keras import ops

Tensor = Any


def positions_from(start: Any, inputs: Tensor) -> Tensor:
    """The numbers start, start + 1, ... of the positions of `inputs` (batch, time, features).

    Args:
        start: The number of the first position: an integer, a scalar tensor, or integers (batch,).
        inputs: What stands at the positions.

    Returns:
        Integers (batch or 1, time).
    """
    if len(getattr(start, "shape", ())) > 1:
        raise ValueError(
            f"`start` must be an integer or integers (batch,), got shape {tuple(start.shape)}."
        )
    first = ops.reshape(ops.cast(ops.convert_to_tensor(start), "int32"), (-1, 1))  # (batch or 1, 1)
    return first + ops.arange(ops.shape(inputs)[1], dtype="int32")
