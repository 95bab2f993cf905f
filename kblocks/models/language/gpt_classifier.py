"""Fine-tuning of GPT, Radford et al. 2018, sections 3.2 and 3.3.

p(y | x) = softmax(W_y h_n,m + b_y)            h_n of the extract token, the last   (equation 3)
L_3 = L_2 + lambda L_1                         L_1 the language model's loss        (equation 5)

similarity: h_n,m of both orders are added up before the linear layer
choices:    one output for each answer, the softmax over the answers
"""

from typing import Any

import keras
from keras import ops

from kblocks.backend import softmax_crossentropy
from kblocks.layers.attention.checks import check_fraction, check_positive
from kblocks.models.language.depths import depths
from kblocks.models.language.language_model import LanguageModel, count_tokens, take_positions
from kblocks.models.wide import wide

Tensor = Any


@keras.saving.register_keras_serializable("kblocks")
class GPTClassifier(keras.Model):
    """A language model with a linear layer over what it says of the last token of a text.

    `TaskInputs` makes its inputs. While training, the language model's own loss over the same
    tokens, weighted by `language_weight`, is added to the loss that the model is compiled with.

    Args:
        gpt: The language model, pre-trained or not; its vocabulary has the task's tokens.
        num_classes: The number of classes; none: the model chooses among answers.
        language_weight: lambda, 0 for no such loss.
        dropout: Fraction dropped of what the linear layer reads, while training.

    Call arguments:
        inputs: Int ids, padded with -1 on the right: (batch, time); or (batch, sequences, time)
            of which the features are added up, or, without `num_classes`, one is chosen.
        training: Whether dropout and the language model's loss are on.

    Returns:
        Logits, float32 or wider: (batch, num_classes), or (batch, sequences) without `num_classes`.

    Raises:
        ValueError: An argument is out of its range, or the input has another shape.

    Example:

    >>> from kblocks.models import GPT, GPTClassifier
    >>> from kblocks.models.language import TaskInputs
    >>> gpt = GPT(53, layers=1, hidden_dim=8, num_heads=2, max_length=16)
    >>> task = TaskInputs(start=50, delimiter=51, extract=52)
    >>> GPTClassifier(gpt, num_classes=3)(task.pairs([[7, 8], [9]], [[3], [4]])).shape
    TensorShape([2, 3])
    >>> GPTClassifier(gpt)(task.choices([[7, 8]], [[[1], [2, 3], [4], [5]]])).shape
    TensorShape([1, 4])

    References:
        Radford, Narasimhan, Salimans and Sutskever 2018, "Improving language understanding by
        generative pre-training", sections 3.2, 3.3 and 4.1.
    """

    def __init__(
        self,
        gpt: LanguageModel,
        num_classes: int | None = None,
        language_weight: float = 0.5,
        dropout: float = 0.1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if num_classes is not None:
            check_positive("num_classes", num_classes)
        if not language_weight >= 0:
            raise ValueError(f"`language_weight` must not be negative, got {language_weight!r}.")
        check_fraction("dropout", dropout)
        self.gpt = gpt
        self.num_classes = num_classes
        self.language_weight = language_weight
        self.dropout = dropout
        self.drop = keras.layers.Dropout(dropout, dtype=self.dtype_policy)
        self.head = keras.layers.Dense(
            num_classes or 1,
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.02),
            dtype=self.dtype_policy,
        )

    def build(self, inputs_shape: Any = None) -> None:
        if not self.gpt.built:
            self.gpt.build()
        self.drop.build((None, self.gpt.hidden_dim))
        self.head.build((None, self.gpt.hidden_dim))
        self.built = True

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        ids = ops.cast(ops.convert_to_tensor(inputs), "int32")
        ranks = (2, 3) if self.num_classes else (3,)
        if len(ids.shape) not in ranks:
            shapes = "(batch, time) or " * (2 in ranks) + "(batch, sequences, time)"
            raise ValueError(f"`inputs` must have shape {shapes}, got {tuple(ids.shape)}.")
        rows = ops.reshape(ids, (-1, ops.shape(ids)[-1]))
        h = self.gpt.features(rows, training)
        if training and self.language_weight:
            self.add_loss(self.language_weight * self._language_loss(h, rows))
        h = take_positions(h, count_tokens(rows) - 1)  # of the extract token, (rows, hidden_dim)
        if len(ids.shape) == 3:
            h = ops.reshape(h, (*ops.shape(ids)[:2], self.gpt.hidden_dim))
            h = ops.sum(h, axis=1) if self.num_classes else h
        logits = self.head(self.drop(h, training=training))
        logits = logits if self.num_classes else ops.squeeze(logits, -1)
        return wide(logits)

    def _language_loss(self, h: Tensor, rows: Tensor) -> Tensor:
        """L_1: the cross-entropy of a token, the mean over each row and over the rows."""
        labels = rows[:, 1:]
        nll = softmax_crossentropy(self.gpt.logits(h[:, :-1]), ops.maximum(labels, 0))
        real = ops.cast(labels >= 0, nll.dtype)  # (rows, time - 1)
        return ops.mean(ops.sum(nll * real, axis=1) / ops.maximum(ops.sum(real, axis=1), 1))

    def depths(self) -> list[int]:
        """How many layers stand above each trainable weight, as `LayerwiseAdam` wants it.

        0 for the head and what normalises the last layer, 1 for that layer, and most for the
        embeddings, below the first.
        """
        embeddings = [self.gpt.token_embedding, self.gpt.position_embedding]
        return depths(self, [[layer] for layer in reversed(self.gpt.decoder)] + [embeddings])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "gpt": keras.saving.serialize_keras_object(self.gpt),
            "num_classes": self.num_classes,
            "language_weight": self.language_weight,
            "dropout": self.dropout,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> "GPTClassifier":
        gpt = keras.saving.deserialize_keras_object(config["gpt"], custom_objects=custom_objects)
        return cls(**{**config, "gpt": gpt})
