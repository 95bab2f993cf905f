"""BERT with a tag for each token: Devlin et al. 2019, section 5.3 and figure 4 (d).

logits_t = W Dropout(h_t) + b
"""

from typing import Any

import keras

from kblocks.layers.attention.checks import check_positive
from kblocks.models.language.bert_encoder import BertEncoder
from kblocks.models.language.bert_model import BertModel
from kblocks.models.wide import wide

Tensor = Any


@keras.saving.register_keras_serializable("kblocks")
class BertTagger(BertModel):
    """Tags of tokens. What stands at padding is for the loss to leave out.

    Args:
        encoder: A `BertEncoder`; it is trained as well.
        num_tags: Number of logits of a token.
        dropout: Fraction dropped of the states, while training.

    Call arguments:
        inputs: As `BertEncoder` takes them.
        training: Whether dropout is on.

    Returns:
        Logits, float32 or wider, (batch, time, num_tags).

    Raises:
        ValueError: An argument is out of its range, or an input has another shape.

    Example:

    >>> import numpy as np
    >>> from kblocks.models import BertEncoder, BertTagger
    >>> encoder = BertEncoder(50, layers=2, hidden_dim=8, num_heads=2, pooler=False)
    >>> BertTagger(encoder, num_tags=5)(np.array([[2, 7, 3], [2, 3, 0]])).shape
    TensorShape([2, 3, 5])

    References:
        Devlin et al. 2019, arXiv:1810.04805, section 5.3 and figure 4 (d).
    """

    def __init__(
        self, encoder: BertEncoder, num_tags: int, dropout: float = 0.1, **kwargs: Any
    ) -> None:
        super().__init__(encoder, dropout, **kwargs)
        check_positive("num_tags", num_tags)
        self.num_tags = num_tags
        self.head = self.dense(num_tags, "head")

    def build(self, input_shape: Any = None) -> None:
        self.head.build((None, None, self.encoder.hidden_dim))
        super().build(input_shape)

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        h = self.encoder(inputs, training=training)["sequence"]
        return wide(self.head(self.drop(h, training=training)))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_tags": self.num_tags}
