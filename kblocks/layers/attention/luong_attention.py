"""Global attention of Luong, Pham and Manning (2015), https://arxiv.org/abs/1508.04025.

a_t(s) = softmax_s(score(h_t, h_s))           (equation 7)
c_t = sum_s a_t(s) h_s                        (section 3.1)
h~_t = tanh(W_c [c_t; h_t])                   (equation 5)
"""

from typing import Any

import keras
from keras import ops

from kblocks.layers.attention.attention import Attention, Tensor
from kblocks.layers.attention.by_rows import by_rows
from kblocks.layers.attention.checks import check_positive


@keras.saving.register_keras_serializable("kblocks")
class LuongAttention(Attention):
    """Global attention and the attentional vector, read with the decoder's state *after* its step.

    Masks are honoured as in `Attention`: a query without any source position left has a zero
    context, and its attentional vector comes from the query alone.

    Args:
        units: Size of the attentional vector; by default the size of the query.
        score: The alignment score: `"additive"`, `"content"`, `"dot"`, `"general"`, `"location"`,
            `"scaled_dot"`, or a score layer.
        max_length: The largest source length; needed by `score="location"`, unused otherwise.
        dropout: Fraction of the weights dropped in training.
        seed: Seed of the dropout.

    Call arguments:
        query: Decoder states h_t, floats (batch, target, query features).
        value: Encoder states h_s, floats (batch, source, value features).
        key: Floats (batch, source, key features); by default `value`.
        attention_mask: Booleans (batch, source) or (batch, target, source), true where attention
            may go.
        return_attention_scores: Return the weights, too.
        training: Whether dropout is on.

    Returns:
        The attentional vector h~_t (batch, target, units); with `return_attention_scores=True` a
        pair of it and the weights a_t (batch, target, source). Both in the compute dtype.

    Raises:
        ValueError: An argument or an input does not fit the above.

    Example:

    >>> import keras
    >>> from kblocks.layers import LuongAttention
    >>> states, memory = keras.ops.ones((2, 3, 4)), keras.ops.ones((2, 5, 6))
    >>> LuongAttention(8, score="general")(states, value=memory).shape
    TensorShape([2, 3, 8])

    References:
        Luong, Pham and Manning (2015), "Effective Approaches to Attention-based Neural Machine
        Translation", section 3.1, equations 5 and 7.
    """

    def __init__(
        self,
        units: int | None = None,
        score: Any = "general",
        max_length: int | None = None,
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(score, max_length, dropout, seed, **kwargs)
        if units is not None:
            check_positive("units", units)
        self.units = units

    def build(self, query_shape: tuple, value_shape: tuple, key_shape: tuple | None = None) -> None:
        super().build(query_shape, value_shape, key_shape)
        self.W_c = keras.layers.Dense(
            self.units or query_shape[2],
            activation="tanh",
            use_bias=False,
            dtype=self.dtype_policy,
            name="W_c",
        )
        self.W_c.build((*query_shape[:2], value_shape[2] + query_shape[2]))

    def attend(
        self,
        query: Tensor,
        keys: Tensor,
        value: Tensor,
        mask: Tensor | None = None,
        training: bool | None = False,
    ) -> tuple[Tensor, Tensor]:
        """As `Attention.attend`, with the attentional vector in place of the context."""
        context, weights = super().attend(query, keys, value, mask, training)
        return by_rows(self.W_c, ops.concatenate([context, query], axis=-1)), weights

    def compute_output_shape(
        self, query_shape: tuple, value_shape: tuple, key_shape: tuple | None = None
    ) -> tuple:
        return (*query_shape[:2], self.units or query_shape[2])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}
