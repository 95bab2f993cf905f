"""Cross-entropy over the labelled nodes of trees: Tai, Socher and Manning (2015),
arXiv:1503.00075, section 4.1.

    loss = sum_j [y_j >= 0] -log p(y_j | j)

A tree's sum is the negative log-likelihood of its labels; the mean over the batch is the same on
one device and on several, which a mean over labels is not.
"""

from typing import Any

import keras
from keras import ops

from kblocks.backend import softmax_crossentropy


@keras.saving.register_keras_serializable("kblocks")
class LabelledCrossentropy(keras.losses.Loss):
    """Negative log-likelihood of the labels of each tree, in nats; nodes labelled -1 do not count.

    Call arguments:
        y_true: `(batch, nodes)` int labels, -1 where there is none.
        y_pred: `(batch, nodes, classes)` logits.

    Returns:
        The mean over the batch of the trees' sums (as `reduction` says).

    Example:

    >>> import numpy as np
    >>> from kblocks.training import LabelledCrossentropy
    >>> loss = LabelledCrossentropy()(np.array([[0, -1]]), np.zeros((1, 2, 4), "float32"))
    >>> round(float(loss), 4)  # log 4
    1.3863

    References:
        Tai, Socher and Manning (2015), "Improved Semantic Representations From Tree-Structured
        Long Short-Term Memory Networks", section 4.1.
    """

    def __init__(
        self,
        reduction: str = "sum_over_batch_size",
        name: str = "labelled_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        labels = ops.cast(y_true, "int32")
        labelled = labels >= 0
        nll = softmax_crossentropy(y_pred, ops.where(labelled, labels, 0))  # (batch, nodes)
        return ops.sum(ops.where(labelled, nll, ops.zeros((), nll.dtype)), axis=-1)  # (batch,)
