"""The normalisation of alignment scores under masks."""

from typing import Any

import keras
from keras import ops

LOWEST = -1e30  # finite, so that a row without any position left is no NaN

Tensor = Any


def wide(x: Tensor) -> Tensor:
    """`x` in float32 where it comes in half precision, else as it is."""
    half = keras.backend.standardize_dtype(x.dtype) in ("float16", "bfloat16")
    return ops.cast(x, "float32") if half else x


def softmax(scores: Tensor) -> Tensor:
    """Softmax over the last axis, which may have one position alone: Keras would warn of that."""
    if scores.shape[-1] == 1:
        return ops.exp(scores - scores)  # 1, and a gradient of 0
    return ops.softmax(scores, axis=-1)


def masked_softmax(scores: Tensor, mask: Tensor | None = None) -> Tensor:
    """Softmax over the last axis, zero where `mask` is false, all zeros where nothing is left.

    Half-precision scores are normalised in float32, and the weights come back in float32.

    Args:
        scores: Scores (batch, target, source).
        mask: Booleans that broadcast to `scores`, true where attention may go.

    Returns:
        Weights of the shape of `scores`, float32 or float64.
    """
    scores = wide(scores)
    if mask is None:
        return softmax(scores)
    weights = softmax(ops.where(mask, scores, LOWEST))
    return ops.where(mask, weights, 0.0)


def masked_log_softmax(scores: Tensor, mask: Tensor | None = None) -> Tensor:
    """The logarithm of `masked_softmax`, with a very low number in place of minus infinity."""
    scores = wide(scores)
    return ops.log_softmax(scores if mask is None else ops.where(mask, scores, LOWEST), axis=-1)


def combine_masks(*masks: Tensor | None) -> Tensor | None:
    """The conjunction of masks, as booleans (batch, target or 1, source).

    Args:
        masks: Each `None`, (batch, source) or (batch, target, source).

    Returns:
        The mask, or `None` where every mask is.
    """
    combined = None
    for mask in masks:
        if mask is None:
            continue
        if len(mask.shape) not in (2, 3):
            raise ValueError(
                "`attention_mask` must have shape (batch, source) or (batch, target, source), "
                f"got {tuple(mask.shape)}."
            )
        mask = ops.cast(mask, "bool")
        mask = ops.expand_dims(mask, 1) if len(mask.shape) == 2 else mask
        combined = mask if combined is None else ops.logical_and(combined, mask)
    return combined
