"""Tagging: a label for each token, from the state of a recurrent network there.

    x_t = [E w_t ; S s_t]                  the word, and its ending where that is given
    h_t = [forward h_t ; backward h_t]     what stands before it, and what stands after it
    p(y_t) = softmax(W h_t + b)

After Wang, Qian, Soong, He and Zhao 2015 (arXiv:1510.06168), who tag parts of speech so.
"""

from typing import Any

import keras
from keras import ops

from kblocks import tokens
from kblocks.layers.attention.checks import check_positive
from kblocks.models.ids import checked_ids
from kblocks.models.sequence.sequence_reader import SequenceReader

Tensor = Any

FEATURES = ("words", "endings")


@keras.saving.register_keras_serializable("kblocks")
class SequenceTagger(SequenceReader):
    """Tagging: a recurrent network that labels every token of a sequence.

    Masking: tokens are ids from 1; id 0 is padding, on any side, and is passed over. The logits
    there are the bias and mean nothing: the loss leaves them out
    (`kblocks.training.LabelledCrossentropy`).

    Args:
        vocabulary_size: Number of word ids, that of padding among them.
        num_classes: Number of labels.
        units: The size of the states, of each direction.
        embedding_dim: The size of the word embeddings.
        cell: `"lstm"`, `"gru"` or `"simple_rnn"`.
        layers: Number of layers, one over the other.
        bidirectional: Whether each layer reads in both directions.
        dropout: Fraction dropped of the embeddings and of what each layer gives, while training.
        ending_vocabulary_size: Number of ids of a second feature of each word, such as its ending,
            that of padding among them; `None` for words alone.
        ending_embedding_dim: The size of its embeddings.

    Call arguments:
        inputs: Int ids (batch, time), padded with 0; with `ending_vocabulary_size` a dict of
            `words` and `endings`, both so.
        training: Whether dropout is on.

    Returns:
        Logits of the labels, float32 or wider, (batch, time, num_classes).

    Raises:
        ValueError: An argument is out of its range, or an input is missing or has another rank.

    Example:

    >>> import numpy as np
    >>> from kblocks.models import SequenceTagger
    >>> model = SequenceTagger(50, 4, units=8, embedding_dim=6)
    >>> model(np.array([[5, 7, 9], [4, 0, 0]])).shape
    TensorShape([2, 3, 4])

    References:
        Wang, Qian, Soong, He and Zhao 2015, "Part-of-speech tagging with bidirectional long
        short-term memory recurrent neural network", arXiv:1510.06168.
    """

    _every_position = True

    def __init__(
        self,
        vocabulary_size: int,
        num_classes: int,
        units: int = 128,
        embedding_dim: int = 128,
        cell: str = "lstm",
        layers: int = 1,
        bidirectional: bool = True,
        dropout: float = 0.0,
        ending_vocabulary_size: int | None = None,
        ending_embedding_dim: int = 32,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            vocabulary_size,
            num_classes,
            units,
            embedding_dim,
            cell,
            layers,
            bidirectional,
            dropout,
            **kwargs,
        )
        if ending_vocabulary_size is not None:
            check_positive("ending_vocabulary_size", ending_vocabulary_size)
        check_positive("ending_embedding_dim", ending_embedding_dim)
        self.ending_vocabulary_size = ending_vocabulary_size
        self.ending_embedding_dim = ending_embedding_dim
        self.ending_embedding = (
            None
            if ending_vocabulary_size is None
            else keras.layers.Embedding(
                ending_vocabulary_size, ending_embedding_dim, dtype=self.dtype_policy
            )
        )

    def embed(self, inputs: Any) -> tuple[Tensor, Tensor]:
        """The embedded inputs (batch, time, features), and where there is a token."""
        if self.ending_embedding is None:
            return super().embed(inputs)
        if not isinstance(inputs, dict) or not all(name in inputs for name in FEATURES):
            came = sorted(inputs) if isinstance(inputs, dict) else type(inputs).__name__
            raise ValueError(f"`inputs` must be a dict with {list(FEATURES)}, got {came}.")
        words, endings = (checked_ids(name, inputs[name]) for name in FEATURES)
        x = ops.concatenate([self.embedding(words), self.ending_embedding(endings)], axis=-1)
        return x, ops.not_equal(words, tokens.PADDING)

    @property
    def embedded_dim(self) -> int:
        """The number of features that `embed` gives."""
        return self.embedding_dim + (
            0 if self.ending_embedding is None else self.ending_embedding_dim
        )

    def build(self, inputs_shape: Any = None) -> None:
        if self.ending_embedding is not None:
            self.ending_embedding.build()
        super().build(inputs_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "ending_vocabulary_size": self.ending_vocabulary_size,
            "ending_embedding_dim": self.ending_embedding_dim,
        }
