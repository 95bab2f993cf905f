"""Keras recurrent cells and layers that say in one sentence what is wrong with their inputs."""

from typing import Any

import keras

from kblocks.layers.recurrent.checks import checked_input


class CheckedCell(keras.layers.Layer):
    """Stands before Keras' own cell in the bases: the inputs are checked before each call."""

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Check `inputs`, then run the cell."""
        kernel = self.kernel if self.built else None
        inputs = checked_input("inputs", inputs, ("batch",), kernel)
        return super().__call__(inputs, *args, **kwargs)


class CheckedLayer(keras.layers.RNN):
    """Stands before Keras' own layer in the bases: the inputs are checked before each call."""

    def __call__(self, sequences: Any, *args: Any, **kwargs: Any) -> Any:
        """Check `sequences`, then run the layer."""
        kernel = self.cell.kernel if self.built else None
        sequences = checked_input("sequences", sequences, ("batch", "time"), kernel)
        return super().__call__(sequences, *args, **kwargs)
