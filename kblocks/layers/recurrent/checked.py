"""A Keras recurrent layer that says in one sentence what is wrong with its inputs."""

from typing import Any

import keras
from keras import ops


class CheckedLayer(keras.layers.RNN):
    """Stands before Keras' own layer in the bases: the inputs are checked before each call."""

    def __call__(self, sequences: Any, *args: Any, **kwargs: Any) -> Any:
        """Check `sequences`, then run the layer."""
        if not isinstance(sequences, keras.KerasTensor):
            sequences = ops.convert_to_tensor(sequences)
        dtype = keras.backend.standardize_dtype(sequences.dtype)
        if not keras.backend.is_float_dtype(dtype):
            raise ValueError(f"`sequences` must be of a floating-point dtype, got {dtype}.")
        shape = tuple(sequences.shape)
        features = self.cell.kernel.shape[0] if self.built else None
        if len(shape) != 3 or shape[2] is None or features not in (None, shape[2]):
            raise ValueError(
                f"`sequences` must have shape (batch, time, {features or 'features'}), got {shape}."
            )
        return super().__call__(sequences, *args, **kwargs)
