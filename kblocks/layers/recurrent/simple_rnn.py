"""The sequence layer of the simple recurrent network (Elman 1990); equations in `simple_rnn_cell`."""

from typing import Any

import keras

from kblocks.layers.recurrent.arguments import cell_arguments
from kblocks.layers.recurrent.checks import check_sequences
from kblocks.layers.recurrent.simple_rnn_cell import SimpleRNNCell


@keras.saving.register_keras_serializable("kblocks")
class SimpleRNN(keras.layers.SimpleRNN):
    """Elman's simple recurrent network over sequences.

    Masking: a masked step leaves the state as it was and repeats the output before it (zeros with
    `zero_output_for_mask=True`); left, right and any other padding work. The mask goes on with
    `return_sequences=True`.

    Args:
        units: The size of the state.
        **kwargs: All other arguments of `keras.layers.SimpleRNN`, with the same meaning.

    Call arguments:
        sequences: Floating, (batch, time, features).
        initial_state: One tensor (batch, units), or it in a list; zeros if absent.
        mask: Boolean, (batch, time).
        training: Whether dropout is on.

    Returns:
        The last output (batch, units), or all outputs (batch, time, units) with
        `return_sequences=True`; with `return_state=True` followed by the last state.

    Raises:
        ValueError: If an argument is out of range, or `sequences` has another rank, size or dtype.

    Example:

    >>> import numpy as np
    >>> import kblocks
    >>> layer = kblocks.layers.SimpleRNN(4, return_sequences=True)
    >>> layer(np.ones((2, 5, 3), "float32")).shape
    TensorShape([2, 5, 4])

    References:
        Elman (1990), "Finding Structure in Time".
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        cell = SimpleRNNCell(units, name="simple_rnn_cell", **cell_arguments(kwargs))
        keras.layers.RNN.__init__(self, cell, **kwargs)
        self.input_spec = keras.layers.InputSpec(ndim=3)

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        super().build(sequences_shape, initial_state_shape)
        self._features = sequences_shape[-1]

    def call(
        self,
        sequences: Any,
        initial_state: Any = None,
        mask: Any = None,
        training: bool = False,
    ) -> Any:
        check_sequences(sequences, self._features)
        return super().call(
            sequences, initial_state=initial_state, mask=mask, training=training
        )
