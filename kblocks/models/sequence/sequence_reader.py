"""What the classifier and the tagger share: ids, embedded and read by a stack of layers.

x_t = E w_t
h_t = f(x_t, h_(t-1))        the cell's equations, in each layer over the one below;
                             in both directions h_t = [forward h_t ; backward h_t]
y   = W h + b                of the last state, or of each
"""

from typing import Any, ClassVar

import keras
from keras import ops

from kblocks import tokens
from kblocks.models.ids import checked_ids
from kblocks.models.sequence.stack import CELLS, check_dropout, check_stack
from kblocks.models.wide import wide

Tensor = Any


class SequenceReader(keras.Model):
    """The base of the models that read a sequence; `_every_position` says what they answer to.

    Args:
        vocabulary_size: Number of ids, that of padding among them.
        num_classes: Number of classes.
        units: The size of the states, of each direction.
        embedding_dim: The size of the embeddings.
        cell: `"lstm"`, `"gru"` or `"simple_rnn"`.
        layers: Number of layers, one over the other.
        bidirectional: Whether each layer reads in both directions.
        dropout: Fraction dropped of the embeddings and of what each layer gives, while training.
    """

    _every_position: ClassVar[bool]

    def __init__(
        self,
        vocabulary_size: int,
        num_classes: int,
        units: int = 128,
        embedding_dim: int = 128,
        cell: str = "lstm",
        layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_stack(
            cell,
            vocabulary_size=vocabulary_size,
            num_classes=num_classes,
            units=units,
            embedding_dim=embedding_dim,
            layers=layers,
        )
        check_dropout(dropout)
        self.vocabulary_size = vocabulary_size
        self.num_classes = num_classes
        self.units = units
        self.embedding_dim = embedding_dim
        self.cell = cell
        self.num_layers = layers
        self.bidirectional = bidirectional
        self.dropout = dropout

        policy = self.dtype_policy
        self.embedding = keras.layers.Embedding(vocabulary_size, embedding_dim, dtype=policy)
        self.recurrent = [self._layer(i) for i in range(layers)]
        self.drop = keras.layers.Dropout(dropout, dtype=policy)
        self.readout = keras.layers.Dense(num_classes, dtype=policy)

    def _layer(self, i: int) -> keras.layers.Layer:
        every = self._every_position or i < self.num_layers - 1
        layer = CELLS[self.cell](
            self.units,
            return_sequences=every,
            zero_output_for_mask=every,
            name=f"{self.cell}_{i}",
            dtype=self.dtype_policy,
        )
        if not self.bidirectional:
            return layer
        return keras.layers.Bidirectional(layer, name=layer.name, dtype=self.dtype_policy)

    def embed(self, inputs: Any) -> tuple[Tensor, Tensor]:
        """The embedded inputs (batch, time, features), and where there is a token."""
        ids = checked_ids("inputs", inputs)
        return self.embedding(ids), ops.not_equal(ids, tokens.PADDING)

    @property
    def embedded_dim(self) -> int:
        """The number of features that `embed` gives."""
        return self.embedding_dim

    def build(self, inputs_shape: Any = None) -> None:
        self.embedding.build()
        features = self.embedded_dim
        self.drop.build((None, None, features))
        for layer in self.recurrent:
            layer.build((None, None, features))
            features = self.units * (2 if self.bidirectional else 1)
        self.readout.build((None, features))
        self.built = True

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        x, mask = self.embed(inputs)
        h = self.drop(x, training=training)
        for layer in self.recurrent:
            h = self.drop(layer(h, mask=mask, training=training), training=training)
        # A copy carries no mask: which positions count is the loss's matter.
        logits = self.readout(ops.copy(h))
        return wide(logits)

    def get_config(self) -> dict[str, Any]:
        names = (
            "vocabulary_size",
            "num_classes",
            "units",
            "embedding_dim",
            "cell",
            "bidirectional",
            "dropout",
        )
        config = {name: getattr(self, name) for name in names}
        return {**super().get_config(), **config, "layers": self.num_layers}
