"""What the models on top of BERT's encoder have in common."""

from typing import Any

import keras

from kblocks.layers.attention.checks import check_fraction
from kblocks.models.language.bert_encoder import BertEncoder
from kblocks.models.language.depths import depths

Tensor = Any


class BertModel(keras.Model):
    """The base: an encoder, dropout on what is read of it, and its place in a config.

    Args:
        encoder: A `BertEncoder`; its weights are trained as well.
        dropout: Fraction dropped of what the head reads, while training.
    """

    needs_pooler = False

    def __init__(self, encoder: BertEncoder, dropout: float = 0.1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(encoder, BertEncoder):
            raise ValueError(f"`encoder` must be a BertEncoder, got {type(encoder).__name__}.")
        if self.needs_pooler and encoder.pooler is None:
            raise ValueError("`encoder` must have a pooler, got one with `pooler=False`.")
        check_fraction("dropout", dropout)
        self.encoder = encoder
        self.dropout = dropout
        self.drop = keras.layers.Dropout(dropout, dtype=self.dtype_policy)

    def dense(self, units: int, name: str, activation: Any = None) -> keras.layers.Dense:
        """A head's map, drawn as the encoder's are."""
        return keras.layers.Dense(
            units,
            activation=activation,
            kernel_initializer=self.encoder.initial(),
            dtype=self.dtype_policy,
            name=name,
        )

    def build(self, input_shape: Any = None) -> None:
        """Build the encoder; a subclass goes on."""
        if not self.encoder.built:
            self.encoder.build()
        self.drop.build((None, self.encoder.hidden_dim))
        self.built = True

    def depths(self) -> list[int]:
        """How many layers stand above each trainable weight, as `LayerwiseAdam` wants it.

        0 for the head and the pooler, 1 for the last layer of the encoder, and most for the
        embeddings, below the first.
        """
        encoder = self.encoder
        embeddings = (
            encoder.token_embedding,
            encoder.segment_embedding,
            encoder.position_embedding,
            encoder.embedding_norm,
        )
        return depths(self, [[layer] for layer in reversed(encoder.encoder)] + [[*embeddings]])

    def get_config(self) -> dict[str, Any]:
        encoder = keras.saving.serialize_keras_object(self.encoder)
        return {**super().get_config(), "encoder": encoder, "dropout": self.dropout}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        encoder = keras.saving.deserialize_keras_object(config["encoder"], custom_objects)
        return cls(**{**config, "encoder": encoder})
