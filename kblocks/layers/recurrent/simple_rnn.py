"""The sequence layer of the simple recurrent network; equation and paper in `simple_rnn_cell`."""

from typing import Any

import keras

from kblocks.layers.recurrent.arguments import cell_arguments
from kblocks.layers.recurrent.checked import CheckedLayer
from kblocks.layers.recurrent.simple_rnn_cell import SimpleRNNCell


@keras.saving.register_keras_serializable("kblocks")
class SimpleRNN(CheckedLayer, keras.layers.SimpleRNN):
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
    >>> tuple(layer(np.ones((2, 5, 3), "float32")).shape)
    (2, 5, 4)

    References:
        Elman (1990), "Finding Structure in Time".
    """

    def __init__(self, units: int, **kwargs: Any) -> None:
        cell = SimpleRNNCell(units, name="simple_rnn_cell", **cell_arguments(kwargs))
        keras.layers.RNN.__init__(self, cell, **kwargs)
