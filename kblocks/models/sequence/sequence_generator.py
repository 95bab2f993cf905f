"""One to many: a recurrent language model, whose states may begin with what it is to speak of.

    h_0 = tanh(W_c c + b_c)                    of each layer, from the condition c; zeros without
    h_t = f(E y_(t-1), h_(t-1))                y_0 the start id
    p(y_t | y_1 .. y_(t-1), c) = softmax(W h_t + b)

An LSTM's memory begins at zero. Mikolov et al. 2010 for the language model; Vinyals et al. 2015
(arXiv:1411.4555) for one that a vector sets going, there that of an image.
"""

from typing import Any

import keras
from keras import ops

from kblocks.decoding import Decodable, Decoded, beam_search, greedy
from kblocks.layers.attention.checks import check_positive
from kblocks.models.ids import checked_ids
from kblocks.models.sequence.stack import CELLS, check_dropout, check_stack
from kblocks.models.wide import wide

Tree = Any
Tensor = Any

CONDITIONS = (None, "token", "vector")


@keras.saving.register_keras_serializable("kblocks")
class SequenceGenerator(keras.Model, Decodable):
    """One to many: a recurrent network that says a sequence, token by token.

    It follows the decoding protocol (`kblocks.decoding`): greedy and beam search drive it. What
    stands at padded positions of the target comes after all that counts and changes nothing there;
    its logits are for the loss to leave out (`kblocks.training.MaskedCrossentropy`).

    Args:
        vocabulary_size: Number of ids; 0 to 3 are padding, unknown, start and end.
        units: The size of the states.
        embedding_dim: The size of the embeddings.
        cell: `"lstm"`, `"gru"` or `"simple_rnn"`.
        layers: Number of layers, one over the other.
        condition: What the states begin with: `None` for zeros, `"token"` for an id, `"vector"`
            for a vector.
        condition_size: The number of such ids, or the size of the vector.
        dropout: Fraction dropped of the embeddings and of what each layer gives, while training.

    Call arguments:
        inputs: Int ids (batch, time) that begin with the start id, padded with 0; with a condition
            a dict of these as `target` and of `condition`: int ids (batch, 1), or floats
            (batch, condition_size).
        training: Whether dropout is on.

    Returns:
        Logits of the next token, float32 or wider, (batch, time, vocabulary_size).

    Raises:
        ValueError: An argument is out of its range, or an input is missing or has another shape.

    Example:

    >>> import numpy as np
    >>> from kblocks.models import SequenceGenerator
    >>> model = SequenceGenerator(50, units=8, embedding_dim=6, condition="token", condition_size=3)
    >>> model({"condition": np.array([[2]]), "target": np.array([[2, 7, 9]])}).shape
    TensorShape([1, 3, 50])
    >>> model.generate(np.array([[0], [2]]), max_length=5, beam_width=2).tokens.shape
    TensorShape([2, 2, 5])

    References:
        Mikolov, Karafiat, Burget, Cernocky and Khudanpur 2010, "Recurrent neural network based
        language model"; Vinyals, Toshev, Bengio and Erhan 2015, "Show and tell", arXiv:1411.4555.
    """

    def __init__(
        self,
        vocabulary_size: int,
        units: int = 128,
        embedding_dim: int = 128,
        cell: str = "lstm",
        layers: int = 1,
        condition: str | None = None,
        condition_size: int | None = None,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_stack(
            cell,
            vocabulary_size=vocabulary_size,
            units=units,
            embedding_dim=embedding_dim,
            layers=layers,
        )
        if condition not in CONDITIONS:
            raise ValueError(f"`condition` must be one of {CONDITIONS}, got {condition!r}.")
        if condition is not None or condition_size is not None:
            check_positive("condition_size", condition_size)
        check_dropout(dropout)
        self.vocabulary_size = vocabulary_size
        self.units = units
        self.embedding_dim = embedding_dim
        self.cell = cell
        self.num_layers = layers
        self.condition = condition
        self.condition_size = condition_size
        self.dropout = dropout

        policy = self.dtype_policy
        self.embedding = keras.layers.Embedding(vocabulary_size, embedding_dim, dtype=policy)
        self.recurrent = [
            CELLS[cell](units, return_sequences=True, name=f"{cell}_{i}", dtype=policy)
            for i in range(layers)
        ]
        self.condition_embedding = (
            keras.layers.Embedding(condition_size, embedding_dim, dtype=policy)
            if condition == "token"
            else None
        )
        self.first_states = [
            keras.layers.Dense(units, activation="tanh", dtype=policy)
            for _ in range(layers if condition else 0)
        ]
        self.drop = keras.layers.Dropout(dropout, dtype=policy)
        self.readout = keras.layers.Dense(vocabulary_size, dtype=policy)

    def build(self, inputs_shape: Any = None) -> None:
        self.embedding.build()
        self.drop.build((None, None, self.embedding_dim))
        features = self.embedding_dim
        for layer in self.recurrent:
            layer.build((None, None, features))
            features = self.units
        of_condition = self.condition_size
        if self.condition_embedding is not None:
            self.condition_embedding.build()
            of_condition = self.embedding_dim
        for layer in self.first_states:
            layer.build((None, of_condition))
        self.readout.build((None, None, self.units))
        self.built = True

    # The decoding protocol.

    def start(self, source: Tensor, length: int | None = None) -> tuple[Tree, Tree]:
        """Begin to speak of a condition; without one the source only says how many sequences."""
        if not self.built:
            self.build()
        source = self._checked_condition(source)
        nowhere = ops.zeros_like(ops.cast(source, self.compute_dtype))  # there is no alignment
        return nowhere, self._first(source, ops.shape(source)[0])

    def step(self, tokens: Tensor, carry: Tree, memory: Tree) -> tuple[Tensor, Tree, Tensor]:
        """Read one token a row, (batch,): `(logits, carry, alignment)`."""
        h, states = self.embedding(tokens), []
        for layer, state in zip(self.recurrent, carry, strict=True):
            h, state = layer.cell(h, state)
            states.append(list(state))
        return self._logits(h), states, memory

    def generate(
        self,
        condition: Tensor,
        max_length: int = 64,
        beam_width: int = 4,
        length_penalty: float = 1.0,
    ) -> Decoded:
        """The most probable sequences; a beam of width 1 is greedy.

        Args:
            condition: Int ids (batch, 1) or floats (batch, condition_size), as the model takes;
                of a model without condition any array (batch, 1).
            max_length: The static length of the result.
            beam_width: Hypotheses kept and returned, best first.
            length_penalty: See `kblocks.decoding.beam_search`.

        Returns:
            `Decoded(tokens, scores, alignment)`; the alignment is zero.
        """
        if beam_width == 1:
            return greedy(self, condition, max_length)
        return beam_search(self, condition, max_length, beam_width, length_penalty)

    # Teacher forcing.

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        condition, target = self._divided(inputs)
        h = self.drop(self.embedding(target), training=training)
        states = self._first(condition, ops.shape(target)[0])
        for layer, state in zip(self.recurrent, states, strict=True):
            h = layer(h, initial_state=state, training=training)
            h = self.drop(h, training=training)
        return self._logits(h)

    def _divided(self, inputs: Any) -> tuple[Tensor | None, Tensor]:
        """The condition and the target."""
        if self.condition is None:
            return None, checked_ids("inputs", inputs)
        if not isinstance(inputs, dict) or not {"condition", "target"} <= set(inputs):
            came = sorted(inputs) if isinstance(inputs, dict) else type(inputs).__name__
            raise ValueError(f"`inputs` must be a dict with 'condition' and 'target', got {came}.")
        condition = self._checked_condition(inputs["condition"])
        return condition, checked_ids("target", inputs["target"])

    def _checked_condition(self, condition: Any) -> Tensor:
        condition = ops.convert_to_tensor(condition)
        size = {None: None, "token": 1, "vector": self.condition_size}[self.condition]
        if len(condition.shape) != 2 or (
            size is not None and condition.shape[1] not in (None, size)
        ):
            raise ValueError(
                f"`condition` must have shape (batch, {size or 1}), got {tuple(condition.shape)}."
            )
        return ops.cast(condition, "int32" if self.condition == "token" else self.compute_dtype)

    def _first(self, condition: Tensor | None, batch: Any) -> Tree:
        """The first states of each layer."""
        zeros = ops.zeros((batch, self.units), self.compute_dtype)
        number = 2 if self.cell == "lstm" else 1
        if condition is None or self.condition is None:
            return [[zeros] * number for _ in self.recurrent]
        if self.condition_embedding is not None:
            condition = self.condition_embedding(condition[:, 0])
        return [[layer(condition), *[zeros] * (number - 1)] for layer in self.first_states]

    def _logits(self, h: Tensor) -> Tensor:
        logits = self.readout(h)
        return wide(logits)

    def get_config(self) -> dict[str, Any]:
        names = (
            "vocabulary_size",
            "units",
            "embedding_dim",
            "cell",
            "condition",
            "condition_size",
            "dropout",
        )
        config = {name: getattr(self, name) for name in names}
        return {**super().get_config(), **config, "layers": self.num_layers}
