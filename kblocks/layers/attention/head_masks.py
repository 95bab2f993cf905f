"""The masks of attention with several heads, as booleans (batch, heads, target, source)."""

from typing import Any

from keras import ops

Tensor = Any


def head_mask(name: str, mask: Tensor, scores_shape: tuple) -> Tensor:
    """Give a mask all four axes, each of full length or 1.

    Args:
        name: The argument, for the message.
        mask: (batch, source), (batch, target, source) or (batch, heads, target, source).
        scores_shape: The sizes of batch, heads, target and source, `None` where not known.

    Raises:
        ValueError: The mask has another shape.
    """
    shape = tuple(mask.shape)
    if len(shape) not in (2, 3, 4) or not _fits(_four(shape), scores_shape):
        batch, heads, target, source = ("?" if n is None else n for n in scores_shape)
        raise ValueError(
            f"`{name}` must have shape (batch, source), (batch, target, source) or (batch, heads, "
            f"target, source), here ({batch}, {source}), ({batch}, {target}, {source}) or "
            f"({batch}, {heads}, {target}, {source}), got {shape}."
        )
    mask = ops.cast(mask, "bool")
    for _ in range(4 - len(shape)):
        mask = ops.expand_dims(mask, 1)
    return mask


def _four(shape: tuple) -> tuple:
    return (shape[0], *(1,) * (4 - len(shape)), *shape[1:])


def _fits(shape: tuple, scores_shape: tuple) -> bool:
    """Whether each size is that of the scores or, but for the source, 1."""
    pairs = zip(shape[:3], scores_shape[:3], strict=True)
    free = all(None in pair or pair[0] in (1, pair[1]) for pair in pairs)
    return free and (None in (shape[3], scores_shape[3]) or shape[3] == scores_shape[3])


def causal_mask(target: Any, source: Any) -> Tensor:
    """True where a source position is not after the target position, (1, 1, target, source)."""
    return not_after(ops.reshape(ops.arange(target), (1, -1)), source)


def not_after(positions: Tensor, source: Any) -> Tensor:
    """True for the source positions up to each target's own.

    Args:
        positions: Integers (batch or 1, target).
        source: The number of source positions 0, 1, ...

    Returns:
        Booleans (batch or 1, 1, target, source).
    """
    positions = ops.expand_dims(ops.expand_dims(positions, 1), -1)  # (batch or 1, 1, target, 1)
    return ops.less_equal(ops.arange(source, dtype=positions.dtype), positions)


def both(*masks: Tensor | None) -> Tensor | None:
    """The conjunction of masks, or `None` where there is none."""
    combined = None
    for mask in masks:
        if mask is not None:
            combined = mask if combined is None else ops.logical_and(combined, mask)
    return combined
