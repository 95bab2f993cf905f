"""BERT's two objectives: Devlin et al. 2019 (arXiv:1810.04805), section 3.1 and appendix A.

    masked language model:   p(w_t) = softmax(E LayerNorm(gelu(W h_t + b)) + b_E)     at masked t
    next sentence:           p(next) = softmax(W_n c + b_n)
    loss = -log p(w_t), the mean over the masked t  -  log p(next)

E is the matrix of the token embeddings.
"""

from typing import Any

import keras
from keras import ops

from kblocks.layers import LayerNormalization
from kblocks.layers.transformer.activations import get_activation
from kblocks.models.language.bert_encoder import BertEncoder
from kblocks.models.language.bert_model import BertModel
from kblocks.models.wide import wide

Tensor = Any


@keras.saving.register_keras_serializable("kblocks")
class BertPretrainer(BertModel):
    """The encoder with the heads of both objectives.

    Args:
        encoder: A `BertEncoder`, with a pooler if the next sentence is an objective.
        next_sentence: Whether it is.

    Call arguments:
        inputs: A dict of `tokens`, `segments` as `BertEncoder` takes them and `positions`, int
            (batch, predictions): where tokens are to be said. Where there are fewer, 0.
        training: Whether dropout is on.

    Returns:
        A dict of logits, float32 or wider: `masked` (batch, predictions, vocabulary_size), and
        `next` (batch, 2), class 1 for a sentence that does follow.

    Raises:
        ValueError: An argument is out of its range, or an input has another shape.

    Example:

    >>> import numpy as np
    >>> from kblocks.models import BertEncoder, BertPretrainer
    >>> model = BertPretrainer(BertEncoder(50, layers=2, hidden_dim=8, num_heads=2))
    >>> outputs = model({"tokens": np.array([[2, 4, 9, 3]]), "positions": np.array([[1]])})
    >>> outputs["masked"].shape, outputs["next"].shape
    (TensorShape([1, 1, 50]), TensorShape([1, 2]))

    References:
        Devlin et al. 2019, arXiv:1810.04805, section 3.1 and appendix A.
    """

    def __init__(self, encoder: BertEncoder, next_sentence: bool = True, **kwargs: Any) -> None:
        super().__init__(encoder, **{"dropout": 0.0, **kwargs})
        if next_sentence and encoder.pooler is None:
            raise ValueError("`next_sentence` needs an encoder with a pooler.")
        self.next_sentence = next_sentence
        self.transform = self.dense(
            encoder.hidden_dim, "transform", get_activation(encoder.activation)
        )
        self.transform_norm = LayerNormalization(
            encoder.epsilon, dtype=self.dtype_policy, name="transform_norm"
        )
        self.next_head = self.dense(2, "next_head") if next_sentence else None

    def build(self, input_shape: Any = None) -> None:
        width = self.encoder.hidden_dim
        self.transform.build((None, None, width))
        self.transform_norm.build((None, None, width))
        if self.next_head is not None:
            self.next_head.build((None, width))
        self.output_bias = self.add_weight(
            shape=(self.encoder.vocabulary_size,), initializer="zeros", name="output_bias"
        )
        super().build(input_shape)

    def call(self, inputs: dict[str, Tensor], training: bool = False) -> dict[str, Tensor]:
        states = self.encoder(
            {name: inputs[name] for name in ("tokens", "segments") if name in inputs},
            training=training,
        )
        outputs = {"masked": self.masked_logits(states["sequence"], inputs["positions"])}
        if self.next_head is not None:
            outputs["next"] = wide(self.next_head(states["pooled"]))
        return outputs

    def masked_logits(self, h: Tensor, positions: Tensor) -> Tensor:
        """Of the tokens at positions (batch, predictions) of states (batch, time, width)."""
        positions = ops.cast(ops.convert_to_tensor(positions), "int32")
        if len(positions.shape) != 2:
            raise ValueError(
                f"`positions` must have shape (batch, predictions), got {tuple(positions.shape)}."
            )
        at = ops.take_along_axis(h, ops.expand_dims(positions, -1), axis=1)
        x = self.transform_norm(self.transform(at))
        matrix = ops.cast(self.encoder.token_embedding.embeddings, x.dtype)
        return wide(ops.matmul(x, ops.transpose(matrix)) + ops.cast(self.output_bias, x.dtype))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "next_sentence": self.next_sentence}
