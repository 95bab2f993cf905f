r"""The stacked translator with input feeding: Luong, Pham, Manning 2015 (arXiv:1508.04025).

    h_t   = LSTM([E y_(t-1) ; h~_(t-1)], h_(t-1))     stacked; input feeding, section 3.3
    a_t   = softmax_s(score(h_t, h_s))                 equation 7
    c_t   = sum_s a_t(s) h_s
    h~_t  = tanh(W_c [c_t ; h_t])                      equation 5
    p(y_t) = softmax(W_s h~_t)                         equation 6

The attention is read *after* the step, with the new state. Without attention, h~_t = h_t
(Sutskever, Vinyals, Le 2014, arXiv:1409.3215).
"""

from typing import Any

import keras
from keras import ops

from kblocks.layers import LSTM, LSTMCell, LuongAttention
from kblocks.layers.attention.checks import check_positive
from kblocks.layers.attention.get_score import SCORES
from kblocks.models.translation.recurrent_translator import RecurrentTranslator

Tree = Any
Tensor = Any


@keras.saving.register_keras_serializable("kblocks")
class LuongTranslator(RecurrentTranslator):
    """Stacked LSTMs, attention read after the step, input feeding.

    The decoder's layers begin with the last states of the encoder's.

    Args:
        source_vocabulary_size: Number of source ids.
        target_vocabulary_size: Number of target ids.
        embedding_dim: Width of the embeddings; equal to `units` where they are tied.
        units: Width of the layers, and of the attentional vector.
        layers: Number of layers in the encoder, and in the decoder.
        attention: A score's name (`"general"`, `"dot"`, `"additive"` ...) or score layer, or `None`
            for the plain encoder-decoder.
        input_feeding: Whether h~ of the step before is part of the step's input.
        bidirectional: Whether each encoder layer reads in both directions, `units / 2` wide each;
            the paper's reads in one.
        max_length: The largest source length; needed by `attention="location"`.
        dropout: Fraction dropped of embeddings, between layers and of h~ while training.
        tie_embeddings: `"none"`, `"target"` or `"all"`.

    Call arguments:
        inputs: A dict: `source` `(batch, source)` and `target` `(batch, target)` int ids, padded
            with 0; the target begins with the start id.
        return_attention_scores: Also return the alignment.
        training: Whether dropout is on.

    Returns:
        Logits of the next token, float32 or wider, `(batch, target, target_vocabulary_size)`; with
        `return_attention_scores`, `(logits, (batch, target, source))`.

    Raises:
        ValueError: An argument is out of its range.

    Example:

    >>> import numpy as np
    >>> from kblocks.models import LuongTranslator
    >>> model = LuongTranslator(50, 60, embedding_dim=8, units=16, layers=2, attention="dot")
    >>> source, target = np.array([[5, 7, 3, 0]]), np.array([[2, 9]])
    >>> model({"source": source, "target": target}).shape
    TensorShape([1, 2, 60])

    References:
        Luong, Pham, Manning 2015, "Effective approaches to attention-based neural machine
        translation", arXiv:1508.04025, sections 2 and 3.
    """

    def __init__(
        self,
        source_vocabulary_size: int,
        target_vocabulary_size: int,
        embedding_dim: int = 256,
        units: int = 256,
        layers: int = 2,
        attention: Any = "general",
        input_feeding: bool = True,
        bidirectional: bool = False,
        max_length: int | None = None,
        dropout: float = 0.0,
        tie_embeddings: str = "none",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            source_vocabulary_size,
            target_vocabulary_size,
            embedding_dim,
            dropout,
            tie_embeddings,
            **kwargs,
        )
        check_positive("units", units)
        check_positive("layers", layers)
        if bidirectional and units % 2:
            raise ValueError(f"`units` must be even for a bidirectional encoder, got {units!r}.")
        if tie_embeddings != "none" and embedding_dim != units:
            raise ValueError(
                f"`tie_embeddings={tie_embeddings!r}` needs `embedding_dim` equal to `units`, got "
                f"{embedding_dim} and {units}."
            )
        if isinstance(attention, str) and attention not in SCORES:
            raise ValueError(
                f"`attention` must be one of {tuple(SCORES)}, a score layer or None, "
                f"got {attention!r}."
            )
        if isinstance(attention, dict):  # from a config
            attention = keras.saving.deserialize_keras_object(attention)
        self.units = units
        self.num_layers = layers
        self.score = attention
        self.input_feeding = input_feeding
        self.bidirectional = bidirectional
        self.max_length = max_length

        self.encoder = [self._encoder_layer(i) for i in range(layers)]
        policy = self.dtype_policy
        self.cells = [LSTMCell(units, name=f"decoder_{i}", dtype=policy) for i in range(layers)]
        self.attention = (
            LuongAttention(units, attention, max_length, name="attention", dtype=policy)
            if attention is not None
            else None
        )

    def _encoder_layer(self, i: int) -> keras.layers.Layer:
        wide = self.units // 2 if self.bidirectional else self.units
        name = f"encoder_{i}"
        policy = self.dtype_policy
        lstm = LSTM(wide, return_sequences=True, return_state=True, name=name, dtype=policy)
        if not self.bidirectional:
            return lstm
        return keras.layers.Bidirectional(lstm, name=name, dtype=policy)

    def encode(self, embedded: Tensor, mask: Tensor, training: bool) -> tuple[Tree, Tree]:
        h, carried = embedded, []
        for i, layer in enumerate(self.encoder):
            h = self.drop(h, training=training) if i else h
            h, *states = layer(h, mask=mask, training=training)
            if self.bidirectional:  # [h; c] forward, [h; c] backward
                forward, backward = states[:2], states[2:]
                pairs = zip(forward, backward, strict=True)
                states = [ops.concatenate(pair, axis=-1) for pair in pairs]
            carried.append(states)
        top = carried[-1][0]
        h = self.drop(h, training=training)
        memory = {"h": h, "mask": mask}
        if self.attention is not None:
            memory["keys"] = self.attention.project(h)
        if training and self.dropout:
            # One mask a sequence and layer: a loop may not draw at random.
            memory["drops"] = [self.drop(ops.ones_like(top), training=True) for _ in self.cells[1:]]
        carry = {"states": carried}
        if self.input_feeding:
            carry["fed"] = ops.zeros_like(top)
        return memory, carry

    def advance(self, embedded: Tensor, carry: Tree, memory: Tree) -> tuple[Tree, Tensor, Tensor]:
        x = embedded
        if self.input_feeding:
            x = ops.concatenate([x, carry["fed"]], axis=-1)
        drops = [None, *memory.get("drops", [None] * (self.num_layers - 1))]
        states = []
        for cell, state, drop in zip(self.cells, carry["states"], drops, strict=True):
            x, state = cell(x if drop is None else x * drop, state)
            states.append(list(state))
        if self.attention is not None:
            x, alignment = self.attention.attend(
                x[:, None, :], memory["keys"], memory["h"], mask=memory["mask"]
            )
            x, alignment = x[:, 0, :], alignment[:, 0, :]
        else:
            alignment = ops.zeros_like(memory["h"][:, :, 0])
        new = {"states": states}
        if self.input_feeding:
            new["fed"] = x
        return new, x, alignment

    def combine(self, features: Tensor, embedded: Tensor) -> Tensor:
        return features

    @property
    def combined_dim(self) -> int:
        return self.units

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        width = self.embedding_dim
        for layer in self.encoder:
            layer.build((None, None, width))
            width = self.units
        width = self.embedding_dim + (self.units if self.input_feeding else 0)
        for cell in self.cells:
            cell.build((None, width))
            width = self.units
        if self.attention is not None:
            states = (None, None, self.units)
            self.attention.build(states, states)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "layers": self.num_layers,
            "attention": keras.saving.serialize_keras_object(self.score),
            "input_feeding": self.input_feeding,
            "bidirectional": self.bidirectional,
            "max_length": self.max_length,
        }
