"""Cross-entropy over sequences, padding left out, with label smoothing.

    q_k  = (1 - eps) [k = y] + eps / V             Szegedy et al. 2016, arXiv:1512.00567, section 7
    loss = sum_t [y_t != 0] sum_k -q_k log p_k

The sum over a sequence is its negative log-likelihood, as the translators' papers maximise it; its
mean over the batch is the same on one device and on several, which a mean over tokens is not.
"""

from typing import Any

import keras
from keras import ops

from kblocks import tokens
from kblocks.backend import softmax_crossentropy


@keras.saving.register_keras_serializable("kblocks")
class MaskedCrossentropy(keras.losses.Loss):
    """Negative log-likelihood of each sequence, in nats; positions labelled 0 do not count.

    Args:
        label_smoothing: eps, in [0, 1): spread over all classes alike.

    Call arguments:
        y_true: `(batch, time)` int ids, padded with 0.
        y_pred: `(batch, time, classes)` logits.

    Returns:
        The mean over the batch of the sequences' sums (as `reduction` says).

    Raises:
        ValueError: `label_smoothing` is out of range.

    Example:

    >>> import numpy as np
    >>> from kblocks.training import MaskedCrossentropy
    >>> loss = MaskedCrossentropy()(np.array([[3, 0]]), np.zeros((1, 2, 4), "float32"))
    >>> round(float(loss), 4)  # log 4
    1.3863

    References:
        Szegedy et al. 2016, "Rethinking the Inception architecture", arXiv:1512.00567, section 7.
    """

    def __init__(
        self,
        label_smoothing: float = 0.0,
        reduction: str = "sum_over_batch_size",
        name: str = "masked_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"`label_smoothing` must be in [0, 1), got {label_smoothing!r}.")
        self.label_smoothing = label_smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        labels = ops.cast(y_true, "int32")
        nll = softmax_crossentropy(y_pred, labels, self.label_smoothing)  # (batch, time)
        real = ops.cast(ops.not_equal(labels, tokens.PADDING), nll.dtype)
        return ops.sum(nll * real, axis=-1)  # (batch,)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "label_smoothing": self.label_smoothing}
