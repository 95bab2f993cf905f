"""What the attention layers demand of their inputs, each demand said in one sentence."""

from typing import Any

import keras


def check_sequence_shape(name: str, shape: tuple, features: int | None = None) -> None:
    """Raise unless `shape` is (batch, time, features), with `features` features where given."""
    if len(shape) != 3:
        raise ValueError(f"`{name}` must have shape (batch, time, features), got {tuple(shape)}.")
    if shape[2] is None:
        raise ValueError(f"`{name}` must have a known last dimension, got {tuple(shape)}.")
    if features is not None and shape[2] != features:
        raise ValueError(
            f"`{name}` must have {features} features in its last dimension, got {tuple(shape)}."
        )


def check_sequence(name: str, tensor: Any, features: int | None = None) -> None:
    """Raise unless `tensor` is a floating-point (batch, time, features)."""
    dtype = keras.backend.standardize_dtype(tensor.dtype)
    if not keras.backend.is_float_dtype(dtype):
        raise ValueError(f"`{name}` must be of a floating-point dtype, got {dtype}.")
    check_sequence_shape(name, tensor.shape, features)


def check_same_length(key_shape: tuple, value_shape: tuple) -> None:
    """Raise unless `key` and `value` have equal time dimensions, as far as these are known."""
    if None not in (key_shape[1], value_shape[1]) and key_shape[1] != value_shape[1]:
        raise ValueError(
            f"`key` must be as long as `value` ({value_shape[1]} positions), "
            f"got {tuple(key_shape)}."
        )


def check_positive(name: str, number: Any, kind: type = int) -> None:
    """Raise unless `number` is a positive integer, or a positive number where `kind` is float."""
    kinds = (int,) if kind is int else (int, float)
    if isinstance(number, bool) or not isinstance(number, kinds) or not number > 0:
        expected = "integer" if kind is int else "number"
        raise ValueError(f"`{name}` must be a positive {expected}, got {number!r}.")


def check_fraction(name: str, number: Any) -> None:
    """Raise unless `number` is a share of what may be dropped: at least 0 and less than 1."""
    if not 0 <= number < 1:
        raise ValueError(f"`{name}` must be at least 0 and less than 1, got {number!r}.")
