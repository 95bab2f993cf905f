r"""The translator that learns to align: Bahdanau, Cho, Bengio 2015 (arXiv:1409.0473).

    h_j  = [forward h_j ; backward h_j]                            the annotations, section 3.2
    s_0  = tanh(W_s backward h_1)                                  appendix A.2.2
    a_ij = softmax_j(v^T tanh(W_a s_(i-1) + U_a h_j))              equation 6
    c_i  = sum_j a_ij h_j                                          equation 5
    s_i  = f(s_(i-1), [E y_(i-1) ; c_i])                           f: GRU (or LSTM)
    t_i  = maxout(U_o s_i + V_o E y_(i-1) + C_o c_i)               appendix A.2.2
    p(y_i) = softmax(W_o t_i)                                      equation 4

The attention is read *before* the step: it asks with the state of the step before. Without
attention, c_i is the same at every step (Cho et al. 2014, arXiv:1406.1078).
"""

from typing import Any

import keras
from keras import ops

from kblocks.layers import GRU, LSTM, BahdanauAttention, GRUCell, LSTMCell
from kblocks.layers.attention.checks import check_positive
from kblocks.models.translation.recurrent_translator import RecurrentTranslator

Tree = Any
Tensor = Any

CELLS: dict[str, Any] = {"gru": (GRU, GRUCell), "lstm": (LSTM, LSTMCell)}


@keras.saving.register_keras_serializable("kblocks")
class BahdanauTranslator(RecurrentTranslator):
    """Bidirectional encoder, additive attention read before the step, maxout readout.

    Args:
        source_vocabulary_size: Number of source ids.
        target_vocabulary_size: Number of target ids.
        embedding_dim: Width of the embeddings.
        units: Width of each encoder direction and of the decoder.
        attention_units: Width of the alignment model; `None` for `units`.
        cell: `"gru"`, as in the paper, or `"lstm"`.
        attention: `"additive"`, or `None` for the plain encoder-decoder.
        readout: `"maxout"` of pairs, as in the paper, or `"tanh"`.
        dropout: Fraction dropped of embeddings, annotations and readout while training.
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
    >>> from kblocks.models import BahdanauTranslator
    >>> model = BahdanauTranslator(50, 60, embedding_dim=8, units=16)
    >>> source, target = np.array([[5, 7, 3, 0]]), np.array([[2, 9]])
    >>> model({"source": source, "target": target}).shape
    TensorShape([1, 2, 60])
    >>> model.translate(source, max_length=5, beam_width=2).tokens.shape
    TensorShape([1, 2, 5])

    References:
        Bahdanau, Cho, Bengio 2015, "Neural machine translation by jointly learning to align and
        translate", arXiv:1409.0473, section 3 and appendix A.
    """

    def __init__(
        self,
        source_vocabulary_size: int,
        target_vocabulary_size: int,
        embedding_dim: int = 256,
        units: int = 256,
        attention_units: int | None = None,
        cell: str = "gru",
        attention: str | None = "additive",
        readout: str = "maxout",
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
        if attention_units is not None:
            check_positive("attention_units", attention_units)
        if cell not in CELLS:
            raise ValueError(f"`cell` must be one of {tuple(CELLS)}, got {cell!r}.")
        if attention not in ("additive", None):
            raise ValueError(f"`attention` must be 'additive' or None, got {attention!r}.")
        if readout not in ("maxout", "tanh"):
            raise ValueError(f"`readout` must be 'maxout' or 'tanh', got {readout!r}.")
        self.units = units
        self.attention_units = attention_units
        self.cell_name = cell
        self.attention_name = attention
        self.readout_name = readout

        layer, step_cell = CELLS[cell]
        policy = self.dtype_policy
        self.encoder = keras.layers.Bidirectional(
            layer(units, return_sequences=True, return_state=True, dtype=policy),
            name="encoder",
            dtype=policy,
        )
        self.attention = (
            BahdanauAttention(attention_units or units, name="attention", dtype=policy)
            if attention
            else None
        )
        self.initial_state = keras.layers.Dense(
            units, activation="tanh", name="initial_state", dtype=policy
        )
        self.cell = step_cell(units, name="decoder", dtype=policy)
        pairs = 2 if readout == "maxout" else 1
        self.hidden = keras.layers.Dense(pairs * embedding_dim, name="readout_hidden", dtype=policy)

    def encode(self, embedded: Tensor, mask: Tensor, training: bool) -> tuple[Tree, Tree]:
        h, *states = self.encoder(embedded, mask=mask, training=training)
        h = self.drop(h, training=training)  # (batch, source, 2 * units)
        backward = states[len(states) // 2]  # backward h_1: it has read the whole source
        s = self.initial_state(backward)
        memory = {"h": h, "mask": mask}
        if self.attention is not None:
            memory["keys"] = self.attention.project(h)
        else:
            forward = states[0]
            memory["c"] = ops.concatenate([forward, backward], axis=-1)
        zeros = [ops.zeros_like(s) for _ in range(len(states) // 2 - 1)]  # an LSTM's memory cell
        return memory, {"states": [s, *zeros]}

    def advance(self, embedded: Tensor, carry: Tree, memory: Tree) -> tuple[Tree, Tensor, Tensor]:
        states = carry["states"]
        if self.attention is not None:
            c, alignment = self.attention.attend(
                states[0][:, None, :], memory["keys"], memory["h"], mask=memory["mask"]
            )
            c, alignment = c[:, 0, :], alignment[:, 0, :]
        else:
            c, alignment = memory["c"], ops.zeros_like(memory["h"][:, :, 0])
        s, states = self.cell(ops.concatenate([embedded, c], axis=-1), states)
        return {"states": list(states)}, ops.concatenate([s, c], axis=-1), alignment

    def combine(self, features: Tensor, embedded: Tensor) -> Tensor:
        t = self.hidden(ops.concatenate([features, embedded], axis=-1))
        if self.readout_name == "tanh":
            return ops.tanh(t)
        # Pairs stand a half apart: the two halves are contiguous in memory.
        return ops.maximum(t[..., : self.embedding_dim], t[..., self.embedding_dim :])

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        annotations = (None, None, 2 * self.units)
        self.encoder.build((None, None, self.embedding_dim))
        self.initial_state.build((None, self.units))
        if self.attention is not None:
            self.attention.build((None, None, self.units), annotations)
        self.cell.build((None, self.embedding_dim + 2 * self.units))
        self.hidden.build((None, None, 3 * self.units + self.embedding_dim))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "attention_units": self.attention_units,
            "cell": self.cell_name,
            "attention": self.attention_name,
            "readout": self.readout_name,
        }
