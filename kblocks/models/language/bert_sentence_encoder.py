"""One vector for a text: Reimers and Gurevych 2019 (arXiv:1908.10084), section 3.

mean:  e = sum_t h_t / T                   over the T tokens that are no padding
first: e = h_1                             the state of [CLS]
normalised: e / |e|                        so that e . e' is the cosine of two texts
"""

from typing import Any

import keras
from keras import ops

from kblocks.models.language.bert_encoder import BertEncoder
from kblocks.models.language.bert_model import BertModel, check_pooling
from kblocks.models.wide import wide

Tensor = Any


@keras.saving.register_keras_serializable("kblocks")
class BertSentenceEncoder(BertModel):
    """Embeddings of sentences, whose products say how alike they are.

    Args:
        encoder: A `BertEncoder`.
        pooling: `"mean"` of all tokens, or the `"first"` token alone.
        normalize: Whether the embeddings have length 1.

    Call arguments:
        inputs: As `BertEncoder` takes them.
        training: Whether the encoder's dropout is on.

    Returns:
        Floats, float32 or wider, (batch, hidden_dim); zeros for a row of padding alone.

    Raises:
        ValueError: An argument is out of its range, or an input has another shape.

    Example:

    >>> import numpy as np
    >>> from kblocks.models import BertEncoder, BertSentenceEncoder
    >>> encoder = BertEncoder(50, layers=2, hidden_dim=8, num_heads=2, pooler=False)
    >>> e = BertSentenceEncoder(encoder)(np.array([[2, 7, 3], [2, 3, 0]]))
    >>> e.shape, bool(abs(np.sum(e[0] ** 2) - 1) < 1e-5)
    (TensorShape([2, 8]), True)

    References:
        Reimers and Gurevych 2019, "Sentence-BERT", arXiv:1908.10084, section 3.
    """

    def __init__(
        self,
        encoder: BertEncoder,
        pooling: str = "mean",
        normalize: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(encoder, **{"dropout": 0.0, **kwargs})
        check_pooling(pooling)
        self.pooling = pooling
        self.normalize = normalize

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        h = self.encoder(inputs, training=training)["sequence"]
        if self.pooling == "mean":
            e = self.mean(h, inputs)
        else:
            e = ops.where(self.encoder.mask(inputs)[:, :1], wide(h[:, 0]), 0)
        if not self.normalize:
            return e
        return e / ops.maximum(ops.sqrt(ops.sum(e * e, axis=-1, keepdims=True)), 1e-12)

    def get_config(self) -> dict[str, Any]:
        own = {"pooling": self.pooling, "normalize": self.normalize}
        return {**super().get_config(), **own}
