"""The share of labelled nodes of trees that are classified as labelled."""

from typing import Any

import keras
from keras import ops

from kblocks.backend import argmax

WHICH = ("all", "root")


@keras.saving.register_keras_serializable("kblocks")
class LabelledAccuracy(keras.metrics.Mean):
    """The share of nodes with a label whose most probable class it is, over batches of any shapes.

    Args:
        which: `"all"` labelled nodes, or `"root"`: the last labelled node of each tree, which is
            its root where children stand before their parents and roots have labels.

    Call arguments:
        y_true: `(batch, nodes)` int labels, -1 where there is none.
        y_pred: `(batch, nodes, classes)` logits or probabilities.

    Raises:
        ValueError: `which` is something else.

    Example:

    >>> import numpy as np
    >>> from kblocks.training import LabelledAccuracy
    >>> metric = LabelledAccuracy()
    >>> metric.update_state(np.array([[1, 2, -1]]), np.eye(3)[[[1, 1, 1]]])
    >>> float(metric.result())
    0.5
    """

    def __init__(self, which: str = "all", name: str = "accuracy", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        if which not in WHICH:
            raise ValueError(f"`which` must be one of {WHICH}, got {which!r}.")
        self.which = which

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        labels = ops.cast(y_true, "int32")
        hit = ops.equal(argmax(y_pred), labels)
        counts = labels >= 0
        if self.which == "root":
            later = ops.flip(ops.cumsum(ops.flip(ops.cast(counts, "int32"), 1), axis=1), 1)
            counts = counts & (later == 1)
        weights = ops.cast(counts, self.dtype)  # (batch, nodes)
        if sample_weight is not None:
            weights = weights * ops.reshape(ops.cast(sample_weight, self.dtype), (-1, 1))
        hits = ops.reshape(ops.cast(hit, self.dtype), (-1,))
        super().update_state(hits, ops.reshape(weights, (-1,)))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "which": self.which}
