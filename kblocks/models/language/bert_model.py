"""What the models on top of BERT's encoder have in common."""

from typing import Any

import keras
from keras import ops

from kblocks.layers.attention.checks import check_fraction
from kblocks.models.language.bert_encoder import BertEncoder
from kblocks.models.language.depths import depths
from kblocks.models.wide import wide

Tensor = Any

POOLINGS = ("mean", "first")


def check_pooling(pooling: str) -> None:
    """Check how the states of a text become one vector.

    Raises:
        ValueError: There is no such way.
    """
    if pooling not in POOLINGS:
        raise ValueError(f"`pooling` must be one of {POOLINGS}, got {pooling!r}.")


class BertModel(keras.Model):
    """The base: an encoder, dropout on what is read of it, and its place in a config.

    Args:
        encoder: A `BertEncoder`; its weights are trained as well.
        dropout: Fraction dropped of what the head reads, while training.
    """

    def __init__(self, encoder: BertEncoder, dropout: float = 0.1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(encoder, BertEncoder):
            raise ValueError(f"`encoder` must be a BertEncoder, got {type(encoder).__name__}.")
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

    def mean(self, h: Tensor, inputs: Any) -> Tensor:
        """The mean state, float32 or wider, over what is no padding; zeros where all is."""
        h = wide(h)
        real = ops.expand_dims(ops.cast(self.encoder.mask(inputs), h.dtype), -1)
        return ops.sum(h * real, axis=1) / ops.maximum(ops.sum(real, axis=1), 1)

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
