"""Metrics over sequences that leave padding out, exact over batches of any lengths."""

from typing import Any

import keras
from keras import ops

from kblocks import tokens
from kblocks.backend import argmax, softmax_crossentropy


@keras.saving.register_keras_serializable("kblocks")
class MaskedAccuracy(keras.metrics.Mean):
    """The share of positions not labelled 0 whose most probable class is the label.

    Call arguments:
        y_true: `(batch, time)` int ids, padded with 0.
        y_pred: `(batch, time, classes)` logits or probabilities.

    Example:

    >>> import numpy as np
    >>> from kblocks.training import MaskedAccuracy
    >>> metric = MaskedAccuracy()
    >>> metric.update_state(np.array([[1, 2, 0]]), np.eye(3)[[[1, 1, 1]]])
    >>> float(metric.result())
    0.5
    """

    def __init__(self, name: str = "accuracy", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        hit = ops.equal(argmax(y_pred), ops.cast(y_true, "int32"))
        weights = _weights(y_true, sample_weight, self.dtype)
        super().update_state(ops.reshape(ops.cast(hit, self.dtype), (-1,)), weights)


@keras.saving.register_keras_serializable("kblocks")
class TokenLoss(keras.metrics.Mean):
    """The mean cross-entropy of a position not labelled 0, in nats; its exponent is the perplexity.

    Call arguments:
        y_true: `(batch, time)` int ids, padded with 0.
        y_pred: `(batch, time, classes)` logits.
    """

    def __init__(self, name: str = "token_loss", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        labels = ops.cast(y_true, "int32")
        nll = softmax_crossentropy(y_pred, labels)
        weights = _weights(y_true, sample_weight, self.dtype)
        super().update_state(ops.reshape(nll, (-1,)), weights)


def _weights(y_true: Any, sample_weight: Any, dtype: Any) -> Any:
    """One weight a position, `(batch * time,)`: Keras would take each sequence's mean first."""
    real = ops.cast(ops.not_equal(y_true, tokens.PADDING), dtype)  # (batch, time)
    if sample_weight is not None:
        real = real * ops.reshape(ops.cast(sample_weight, dtype), (-1, 1))
    return ops.reshape(real, (-1,))
