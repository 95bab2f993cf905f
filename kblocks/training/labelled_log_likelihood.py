"""How well labels are foretold: the mean of log p, which is the better the higher it is."""

from typing import Any

import keras
from keras import ops

from kblocks.backend import softmax_crossentropy


@keras.saving.register_keras_serializable("kblocks")
class LabelledLogLikelihood(keras.metrics.Mean):
    """The mean log p of a label that is not -1, in nats, exact over batches of any shapes.

    Its negative is a language model's cross-entropy, the exponent of that the perplexity.

    Call arguments:
        y_true: `(batch, time)` int labels, -1 where there is none.
        y_pred: `(batch, time, classes)` logits.

    Example:

    >>> import numpy as np
    >>> from kblocks.training import LabelledLogLikelihood
    >>> metric = LabelledLogLikelihood()
    >>> metric.update_state(np.array([[0, 2, -1]]), np.zeros((1, 3, 4), "float32"))
    >>> round(float(metric.result()), 4)  # log 1/4
    -1.3863
    """

    def __init__(self, name: str = "log_likelihood", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        labels = ops.cast(y_true, "int32")
        counts = labels >= 0
        log_p = -softmax_crossentropy(y_pred, ops.where(counts, labels, 0))  # (batch, time)
        weights = ops.cast(counts, self.dtype)
        if sample_weight is not None:
            weights = weights * ops.reshape(ops.cast(sample_weight, self.dtype), (-1, 1))
        super().update_state(ops.reshape(log_p, (-1,)), ops.reshape(weights, (-1,)))
