"""Scaled dot-product attention of all heads, Vaswani et al. (2017), equation 1."""

from collections.abc import Callable
from typing import Any

from keras import ops

from kblocks.layers.attention.masked_softmax import LOWEST, softmax, wide

Tensor = Any


def scaled_dot_product(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None = None,
    drop: Callable[[Tensor], Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """softmax(Q K^T / sqrt(d_k)) V; a query without any position left reads zeros.

    Args:
        query: (batch, heads, target, key_dim).
        key: (batch, heads, source, key_dim).
        value: (batch, heads, source, value_dim).
        mask: Booleans (batch or 1, heads or 1, target or 1, source), true where attention may go.
        drop: What training does to the weights, if anything.

    Returns:
        The contexts (batch, heads, target, value_dim) and the weights (batch, heads, target,
        source) before `drop`, in the dtype of `value`.
    """
    query = query * query.shape[-1] ** -0.5
    scores = wide(ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))))
    if mask is not None:
        # One addition to all scores, where `where` before and after the softmax would be two.
        # (TensorFlow fuses it with the product, for which oneDNN has no fast kernel where all rows
        # share the mask, as the causal one; a subtraction stays by itself, 180 times as fast.)
        lowest = ops.cast(LOWEST, scores.dtype)
        if mask.shape[0] == 1:
            scores = scores - ops.where(mask, 0.0, -lowest)
        else:
            scores = scores + ops.where(mask, 0.0, lowest)
    weights = ops.cast(softmax(scores), value.dtype)
    contexts = ops.matmul(weights if drop is None else drop(weights), value)
    if mask is None:
        return contexts, weights
    some = ops.any(mask, axis=-1, keepdims=True)
    return ops.where(some, contexts, 0), ops.where(some, weights, 0)
