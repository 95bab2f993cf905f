"""BERT with a class, or a number, for a text or a pair: Devlin et al. 2019, section 4.1.

logits = W Dropout(c) + b                  c what the pooler makes of the first token, [CLS],
                                           or the mean of the states of all tokens
"""

from typing import Any

import keras

from kblocks.layers.attention.checks import check_positive
from kblocks.models.language.bert_encoder import BertEncoder
from kblocks.models.language.bert_model import BertModel, check_pooling
from kblocks.models.wide import wide

Tensor = Any


@keras.saving.register_keras_serializable("kblocks")
class BertClassifier(BertModel):
    """Classes of texts or pairs of texts; with `num_classes=1` a number, for regression.

    Args:
        encoder: A `BertEncoder`; it is trained as well.
        num_classes: Number of logits.
        dropout: Fraction dropped of c while training.
        pooling: `"first"`, what the encoder's pooler makes of the first token, as in the paper; or
            `"mean"` of all tokens, for encoders that were trained to embed sentences so.

    Call arguments:
        inputs: As `BertEncoder` takes them.
        training: Whether dropout is on.

    Returns:
        Logits, float32 or wider, (batch, num_classes).

    Raises:
        ValueError: An argument is out of its range, or an input has another shape.

    Example:

    >>> import numpy as np
    >>> from kblocks.models import BertClassifier, BertEncoder
    >>> encoder = BertEncoder(50, layers=2, hidden_dim=8, num_heads=2)
    >>> BertClassifier(encoder, num_classes=3)(np.array([[2, 7, 3], [2, 3, 0]])).shape
    TensorShape([2, 3])

    References:
        Devlin et al. 2019, arXiv:1810.04805, section 4.1 and figure 4 (a, b).
    """

    def __init__(
        self,
        encoder: BertEncoder,
        num_classes: int,
        dropout: float = 0.1,
        pooling: str = "first",
        **kwargs: Any,
    ) -> None:
        super().__init__(encoder, dropout, **kwargs)
        check_positive("num_classes", num_classes)
        self.num_classes = num_classes
        check_pooling(pooling)
        if pooling == "first" and encoder.pooler is None:
            raise ValueError("pooling='first' needs an `encoder` with a pooler.")
        self.pooling = pooling
        self.head = self.dense(num_classes, "head")

    def build(self, input_shape: Any = None) -> None:
        self.head.build((None, self.encoder.hidden_dim))
        super().build(input_shape)

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        states = self.encoder(inputs, training=training)
        c = states["pooled"] if self.pooling == "first" else self.mean(states["sequence"], inputs)
        return wide(self.head(self.drop(c, training=training)))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_classes": self.num_classes, "pooling": self.pooling}
