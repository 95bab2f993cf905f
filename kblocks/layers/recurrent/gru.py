"""The sequence layer of the gated recurrent unit; equations and papers in `gru_cell`."""

from typing import Any

import keras

from kblocks.layers.recurrent.arguments import cell_arguments
from kblocks.layers.recurrent.gated import GatedLayer
from kblocks.layers.recurrent.gru_cell import GRUCell, GRUGates


@keras.saving.register_keras_serializable("kblocks")
class GRU(GatedLayer, keras.layers.GRU):
    """A gated recurrent unit over sequences.

    Masking: a masked step leaves the state as it was and repeats the output before it (zeros with
    `zero_output_for_mask=True`); left, right and any other padding work. The mask goes on with
    `return_sequences=True`.

    Args:
        units: The size of the state.
        reset_after: Whether the reset gate acts after the product with `W_h` (cuDNN) or before it
            (the paper).
        return_gates: Whether the gates come back as well; the output is the same.
        use_cudnn: Whether Keras may take cuDNN on a GPU; never with `return_gates`.
        **kwargs: All other arguments of `keras.layers.GRU`, with the same meaning.

    Call arguments:
        sequences: Floating, (batch, time, features).
        initial_state: One tensor (batch, units), or it in a list; zeros if absent.
        mask: Boolean, (batch, time).
        training: Whether dropout is on.

    Returns:
        The last output (batch, units), or all outputs (batch, time, units) with
        `return_sequences=True`; with `return_state=True` followed by the last state; with
        `return_gates=True` followed by `GRUGates(update, reset, candidate)`, each
        (batch, time, units), in the order of the steps taken, zero where a step was masked.

    Raises:
        ValueError: If an argument is out of range, if `sequences` has another rank, size or dtype,
            or if a layer with `return_gates=True` is put into `Bidirectional`.

    Example:

    >>> import numpy as np
    >>> import kblocks
    >>> layer = kblocks.layers.GRU(4, return_gates=True)
    >>> output, gates = layer(np.ones((2, 5, 3), "float32"))
    >>> tuple(output.shape), tuple(gates.update.shape)
    ((2, 4), (2, 5, 4))

    References:
        Cho et al. (2014), "Learning Phrase Representations using RNN Encoder-Decoder for
        Statistical Machine Translation".
    """

    gates_type = GRUGates

    def __init__(
        self,
        units: int,
        reset_after: bool = True,
        return_gates: bool = False,
        use_cudnn: bool | str = "auto",
        **kwargs: Any,
    ) -> None:
        cell = GRUCell(units, reset_after, name="gru_cell", **cell_arguments(kwargs))
        keras.layers.RNN.__init__(self, cell, **kwargs)
        self._set_up_gates(return_gates, use_cudnn, cudnn_can=True)
