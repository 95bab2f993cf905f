"""Between a feature map, the superpixels of its image, and the pixels.

A feature map has a quarter of the image's height and width, rounded up.
"""

from typing import Any

from keras import ops

from kblocks.backend import take_rows

Tensor = Any

STRIDE = 4  # pixels to a step of the feature map


def superpixel_means(x: Tensor, superpixels: Tensor, nodes: Any) -> tuple[Tensor, Tensor]:
    """Average a feature map over superpixels.

    Args:
        x: Floats (batch, height / 4, width / 4, features); a pixel has those that cover it.
        superpixels: The superpixel of each pixel, integers (batch, height, width).
        nodes: How many superpixels an image has at most.

    Returns:
        The means (batch, nodes, features), and which superpixels have pixels, (batch, nodes).
    """
    batch, height, width = ops.shape(superpixels)
    # The pixels of a superpixel are counted as the sum of a further feature.
    x = ops.concatenate([x, ops.ones_like(x[..., :1])], axis=-1)
    rows, columns = ops.shape(x)[1:3]
    y, across = ops.arange(height, dtype="int32"), ops.arange(width, dtype="int32")
    cell = ops.expand_dims(y // STRIDE * columns, 1) + across // STRIDE  # (height, width)
    image = ops.reshape(ops.arange(batch, dtype="int32") * (rows * columns), (-1, 1, 1))
    cells = ops.reshape(x, (-1, x.shape[-1]))
    per_pixel = take_rows(cells, ops.reshape(cell + image, (-1,)))
    ids = ops.reshape(_rows_of(superpixels, nodes), (-1,))
    sums = ops.segment_sum(per_pixel, ids, num_segments=batch * nodes)
    sums = ops.reshape(sums, (batch, nodes, x.shape[-1]))
    count = sums[..., -1:]
    return sums[..., :-1] / ops.maximum(count, 1), ops.greater(count[..., 0], 0)


def of_pixels(nodes: Tensor, superpixels: Tensor) -> Tensor:
    """What each pixel's superpixel has: (batch, height, width, features)."""
    flat = ops.reshape(nodes, (-1, nodes.shape[-1]))
    return take_rows(flat, _rows_of(superpixels, ops.shape(nodes)[1]))


def _rows_of(superpixels: Tensor, nodes: Any) -> Tensor:
    """The row of each pixel's superpixel where those of all images lie one below the other."""
    image = ops.arange(ops.shape(superpixels)[0], dtype="int32")
    return superpixels + ops.reshape(image * nodes, (-1, 1, 1))


def upsample(x: Tensor, size: tuple[Any, Any]) -> Tensor:
    """Interpolate (batch, height / 4, width / 4, features) bilinearly to (height, width)."""
    rows, columns = (
        ops.cast(_interpolation(into, ops.shape(x)[axis]), x.dtype)
        for axis, into in enumerate(size, start=1)
    )
    return ops.einsum("Yy,byxc,Xx->bYXc", rows, x, columns)


def _interpolation(into: Any, size: Any) -> Tensor:
    """How much each of `size` cells, of four pixels each, counts at each of `into` pixels."""
    cell = ops.cast(ops.arange(size), "float32")
    place = (ops.cast(ops.arange(into), "float32") + 0.5) / STRIDE - 0.5
    place = ops.clip(place, 0.0, ops.cast(size, "float32") - 1)
    return ops.maximum(1 - ops.abs(ops.expand_dims(place, 1) - cell), 0.0)
