"""What the recurrent cells and layers ask of their arguments and inputs, each in one sentence."""

from typing import Any

import keras
from keras import ops


def check_cell_arguments(units: int, dropout: float, recurrent_dropout: float) -> None:
    """Raise `ValueError` where `units` or a dropout rate is out of range."""
    if isinstance(units, bool) or not isinstance(units, int) or units <= 0:
        raise ValueError(f"`units` must be a positive integer, got {units!r}.")
    rates = {"dropout": dropout, "recurrent_dropout": recurrent_dropout}
    for name, rate in rates.items():
        if not 0 <= rate < 1:
            raise ValueError(f"`{name}` must be at least 0 and below 1, got {rate!r}.")


def checked_input(name: str, tensor: Any, axes: tuple[str, ...], kernel: Any) -> Any:
    """The input as a tensor, if it is floating with these axes and the features of `kernel`."""
    if not isinstance(tensor, keras.KerasTensor):
        tensor = ops.convert_to_tensor(tensor)
    dtype = keras.backend.standardize_dtype(tensor.dtype)
    if not keras.backend.is_float_dtype(dtype):
        raise ValueError(f"`{name}` must be of a floating-point dtype, got {dtype}.")
    shape = tuple(tensor.shape)
    features = None if kernel is None else kernel.shape[0]
    if len(shape) != len(axes) + 1 or shape[-1] is None or features not in (None, shape[-1]):
        wanted = ", ".join([*axes, str(features or "features")])
        raise ValueError(f"`{name}` must have shape ({wanted}), got {shape}.")
    return tensor
