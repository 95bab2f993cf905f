"""BERT that answers by a span of the text: Devlin et al. 2019, section 4.2.

p(start = t) = softmax_t(S h_t)            p(end = t) = softmax_t(E h_t)
the answer: the span t <= t' of the second segment with the largest S h_t + E h_t'
"""

from typing import Any

import keras
from keras import ops

from kblocks.backend import argmax
from kblocks.models.language.bert_encoder import BertEncoder
from kblocks.models.language.bert_model import BertModel
from kblocks.models.wide import wide

Tensor = Any


@keras.saving.register_keras_serializable("kblocks")
class BertSpanClassifier(BertModel):
    """Where the answer to a question begins and ends in a text.

    The question is segment 0, the text segment 1. No span begins or ends in padding.

    Args:
        encoder: A `BertEncoder`; it is trained as well.
        dropout: Fraction dropped of the states, while training; none in the paper.

    Call arguments:
        inputs: As `BertEncoder` takes them.
        training: Whether dropout is on.

    Returns:
        A dict of logits over the positions, float32 or wider: `start` and `end`, (batch, time),
        -1e9 at padding.

    Raises:
        ValueError: An argument is out of its range, or an input has another shape.

    Example:

    >>> import numpy as np
    >>> from kblocks.models import BertEncoder, BertSpanClassifier
    >>> encoder = BertEncoder(50, layers=2, hidden_dim=8, num_heads=2, pooler=False)
    >>> model = BertSpanClassifier(encoder)
    >>> x = {"tokens": np.array([[2, 7, 3, 8, 9, 3]]), "segments": np.array([[0, 0, 0, 1, 1, 1]])}
    >>> model(x)["start"].shape, model.best_spans(x, max_length=2).shape
    (TensorShape([1, 6]), TensorShape([1, 4]))

    References:
        Devlin et al. 2019, arXiv:1810.04805, sections 4.2, 4.3 and figure 4 (c).
    """

    def __init__(self, encoder: BertEncoder, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(encoder, dropout, **kwargs)
        self.head = self.dense(2, "head")

    def build(self, input_shape: Any = None) -> None:
        self.head.build((None, None, self.encoder.hidden_dim))
        super().build(input_shape)

    def call(self, inputs: Any, training: bool = False) -> dict[str, Tensor]:
        h = self.encoder(inputs, training=training)["sequence"]
        logits = wide(self.head(self.drop(h, training=training)))  # (batch, time, 2)
        logits = ops.where(ops.expand_dims(self.encoder.mask(inputs), -1), logits, -1e9)
        return {"start": logits[..., 0], "end": logits[..., 1]}

    def best_spans(self, inputs: Any, max_length: int = 30) -> Tensor:
        """The best span of each row, and how it compares with saying nothing.

        Args:
            inputs: A dict with `tokens` and `segments`. The last token of segment 1 is [SEP], which
                is no part of an answer.
            max_length: The most tokens of an answer.

        Returns:
            Floats (batch, 4): the first and the last position; the span's S h_t + E h_t' less that
            of [CLS], which stands for no answer (SQuAD 2.0); and log p(start) + log p(end). A row
            without such a token gives the span (0, 0), whose values are -1e30.
        """
        logits = self(inputs)
        inside = ops.logical_and(self.encoder.mask(inputs), ops.equal(inputs["segments"], 1))
        followed = ops.pad(inside[:, 1:], [[0, 0], [0, 1]], constant_values=False)
        inside = ops.logical_and(inside, followed)  # the last one is [SEP]
        sums = ops.expand_dims(logits["start"], 2) + ops.expand_dims(logits["end"], 1)
        time = ops.shape(sums)[1]
        length = ops.arange(time)[None, :] - ops.arange(time)[:, None]  # (start, end), less 1
        allowed = ops.logical_and(length >= 0, length < max_length)
        both = ops.logical_and(ops.expand_dims(inside, 2), ops.expand_dims(inside, 1))
        sums = ops.where(ops.logical_and(both, allowed), sums, -1e30)
        flat = ops.reshape(sums, (-1, time * time))
        best = argmax(flat)
        total = ops.max(flat, axis=-1)
        no_answer = logits["start"][:, 0] + logits["end"][:, 0]
        every = ops.logsumexp(logits["start"], axis=-1) + ops.logsumexp(logits["end"], axis=-1)
        values = (best // time, best % time, total - no_answer, total - every)
        return ops.stack([ops.cast(value, total.dtype) for value in values], axis=-1)
