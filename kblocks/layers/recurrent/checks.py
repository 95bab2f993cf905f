"""What the recurrent layers ask of their arguments and inputs."""

from typing import Any

import keras


def check_cell_arguments(units: int, dropout: float, recurrent_dropout: float) -> None:
    """Raise `ValueError` where `units` or a dropout rate is out of range."""
    if isinstance(units, bool) or not isinstance(units, int) or units <= 0:
        raise ValueError(f"`units` must be a positive integer, got {units!r}.")
    rates = {"dropout": dropout, "recurrent_dropout": recurrent_dropout}
    for name, rate in rates.items():
        if not 0 <= rate < 1:
            raise ValueError(f"`{name}` must be at least 0 and below 1, got {rate!r}.")


def check_sequences(sequences: Any, features: int) -> None:
    """Raise `ValueError` unless `sequences` is floating, (batch, time, features)."""
    dtype = keras.backend.standardize_dtype(sequences.dtype)
    if "float" not in dtype:
        raise ValueError(f"`sequences` must be floating point, got dtype {dtype}.")
    shape = tuple(sequences.shape)
    if len(shape) != 3 or shape[-1] != features:
        raise ValueError(
            f"`sequences` must have shape (batch, time, {features}), got shape {shape}."
        )
