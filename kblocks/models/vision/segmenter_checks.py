"""Checks of what a `GraphLSTMSegmenter` is given."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import ops

from kblocks.backend import known_values

Tensor = Any


def checked_graph(inputs: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """The inputs, if they are of the right names, ranks and sizes."""
    for name in ("image", "superpixels", "neighbours"):
        if name not in inputs:
            raise ValueError(f"`inputs` must have {name!r}, and has: {', '.join(inputs)}.")
    image, superpixels, neighbours = (
        inputs[name] for name in ("image", "superpixels", "neighbours")
    )
    if len(image.shape) != 4 or image.shape[3] != 3:
        raise ValueError(
            f"`image` must have shape (batch, height, width, 3), got {tuple(image.shape)}."
        )
    pairs = zip(image.shape[:3], superpixels.shape, strict=False)
    if len(superpixels.shape) != 3 or any(None not in pair and len({*pair}) > 1 for pair in pairs):
        raise ValueError(
            f"`superpixels` must have the shape of the images, {tuple(image.shape[:3])}, "
            f"got {tuple(superpixels.shape)}."
        )
    if len(neighbours.shape) != 3:
        raise ValueError(
            "`neighbours` must have shape (batch, superpixels, neighbours), got "
            f"{tuple(neighbours.shape)}."
        )
    _check_values(superpixels, neighbours)
    return image, ops.cast(superpixels, "int32"), ops.cast(neighbours, "int32")


def _check_values(superpixels: Tensor, neighbours: Tensor) -> None:
    if (numbers := known_values(superpixels)) is None:
        return
    nodes = neighbours.shape[1]
    for image in np.flatnonzero(((numbers < 0) | (numbers >= nodes)).any(axis=(1, 2)))[:1]:
        low, high = numbers[image].min(), numbers[image].max()
        raise ValueError(
            f"`superpixels` of image {image} must be from 0 to {nodes - 1}, the rows of "
            f"`neighbours`, and are from {low} to {high}."
        )
