"""Local attention of Luong, Pham and Manning (2015), section 3.2, https://arxiv.org/abs/1508.04025.

The window holds the source positions s with |s - p_t| <= D around an aligned position p_t:

    local-m (monotonic):   p_t = t
    local-p (predictive):  p_t = S sigmoid(v_p^T tanh(W_p h_t))                      (equation 9)

    align(h_t, h_s) = softmax of score(h_t, h_s) over the window                     (equation 7)
    local-m:               a_t(s) = align(h_t, h_s)
    local-p:               a_t(s) = align(h_t, h_s) exp(-(s - p_t)^2 / (2 sigma^2)),
                           sigma = D / 2                                             (equation 10)
    c_t = sum_s a_t(s) h_s
"""

from typing import Any

import keras
from keras import ops

from kblocks.layers.attention.attention import Attention, Tensor
from kblocks.layers.attention.by_rows import by_rows
from kblocks.layers.attention.checks import check_positive
from kblocks.layers.attention.masked_softmax import combine_masks, masked_softmax, wide


@keras.saving.register_keras_serializable("kblocks")
class LocalAttention(Attention):
    """Local attention, monotonic (local-m) or predictive (local-p): a window around one position.

    Masks are honoured as in `Attention`; the length S and the source positions s = 0, 1, ... count
    what the masks leave open, so that padding on either side changes nothing. The target positions
    t count from the first query on. A query whose window holds no open position gets zeros. With
    local-p the weights add up to less than one, as in the paper.

    Args:
        window: The half width D of the window.
        alignment: `"predictive"` (local-p) or `"monotonic"` (local-m).
        score: The alignment score: `"additive"`, `"content"`, `"dot"`, `"general"`, `"location"`,
            `"scaled_dot"`, or a score layer.
        units: Size of tanh(W_p h_t) in local-p; by default the size of the query.
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
        The context c_t (batch, target, value features); with `return_attention_scores=True` a pair
        of it and the weights a_t (batch, target, source). Both in the compute dtype.

    Raises:
        ValueError: An argument or an input does not fit the above.

    Example:

    >>> import keras
    >>> from kblocks.layers import LocalAttention
    >>> states, memory = keras.ops.ones((1, 3, 4)), keras.ops.ones((1, 5, 4))
    >>> layer = LocalAttention(window=1, alignment="monotonic")
    >>> _, weights = layer(states, value=memory, return_attention_scores=True)
    >>> (keras.ops.convert_to_numpy(weights)[0] > 0).astype(int).tolist()
    [[1, 1, 0, 0, 0], [1, 1, 1, 0, 0], [0, 1, 1, 1, 0]]

    References:
        Luong, Pham and Manning (2015), "Effective Approaches to Attention-based Neural Machine
        Translation", section 3.2, equations 7, 9 and 10.
    """

    def __init__(
        self,
        window: int = 10,
        alignment: str = "predictive",
        score: Any = "general",
        units: int | None = None,
        max_length: int | None = None,
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(score, max_length, dropout, seed, **kwargs)
        check_positive("window", window)
        if alignment not in ("predictive", "monotonic"):
            raise ValueError(f"`alignment` must be 'predictive' or 'monotonic', got {alignment!r}.")
        if units is not None:
            check_positive("units", units)
        self.window = window
        self.alignment = alignment
        self.units = units

    def build(self, query_shape: tuple, value_shape: tuple, key_shape: tuple | None = None) -> None:
        super().build(query_shape, value_shape, key_shape)
        if self.alignment == "predictive":
            units = self.units or query_shape[2]
            self.W_p = keras.layers.Dense(
                units, activation="tanh", use_bias=False, dtype=self.dtype_policy, name="W_p"
            )
            self.W_p.build(query_shape)
            self.v_p = self.add_weight(shape=(units,), initializer="glorot_uniform", name="v_p")

    def attend(
        self,
        query: Tensor,
        keys: Tensor,
        value: Tensor,
        mask: Tensor | None = None,
        training: bool | None = False,
        positions: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """As `Attention.attend`.

        Args:
            query: Floats (batch, target, query features).
            keys: What `project` returned.
            value: Floats (batch, source, value features).
            mask: Booleans (batch, source) or (batch, target, source), true where attention may go.
            training: Whether dropout is on.
            positions: The target positions t for local-m, (batch or 1, target); by default 0, 1,
                ... A decoder that asks for one position a step says here which one it is.

        Returns:
            The context (batch, target, value features) and the weights (batch, target, source).
        """
        scores = wide(self.score.align(query, keys))
        mask = combine_masks(mask)
        mask = ops.ones_like(scores, "bool") if mask is None else mask
        count = ops.cumsum(ops.cast(mask, scores.dtype), axis=-1)  # (batch, target or 1, source)
        if self.alignment == "predictive":
            p = count[..., -1] * self._predict(query)
        elif positions is None:
            p = ops.cumsum(ops.ones_like(scores[:, :, 0]), axis=1) - 1
        else:
            p = ops.cast(positions, scores.dtype)
        distance = count - 1 - ops.expand_dims(p, -1)  # s - p_t, (batch, target, source)
        in_window = ops.abs(distance) <= self.window
        weights = masked_softmax(scores, ops.logical_and(mask, in_window))
        if self.alignment == "predictive":
            weights = weights * ops.exp(-ops.square(distance) / (2 * (self.window / 2) ** 2))
        weights = ops.cast(weights, value.dtype)
        return ops.matmul(self._drop(weights, training), value), weights

    def _predict(self, query: Tensor) -> Tensor:
        hidden = by_rows(self.W_p, query)  # (batch, target, units)
        v_p = ops.expand_dims(ops.cast(self.v_p, hidden.dtype), 1)
        p = ops.squeeze(by_rows(lambda rows: ops.matmul(rows, v_p), hidden), -1)
        return ops.sigmoid(wide(p))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "window": self.window,
            "alignment": self.alignment,
            "units": self.units,
        }
