"""Between feature maps, the superpixels of an image, and its pixels.

A map of stride n has a step for n pixels: the image's height and width over n, rounded up.
"""

from typing import Any

from keras import ops

from kblocks.backend import take_rows

Tensor = Any


def at_pixels(x: Tensor, stride: int, size: tuple[Any, Any]) -> Tensor:
    """What a map says of each pixel that its steps cover.

    Args:
        x: (batch, rows, columns, features).
        stride: Pixels to a step of the map.
        size: Height and width in pixels.

    Returns:
        (batch, height, width, features).
    """
    batch, rows, columns, features = ops.shape(x)
    y, across = (ops.arange(pixels, dtype="int32") // stride for pixels in size)
    step = ops.expand_dims(y * columns, 1) + across  # (height, width)
    image = ops.reshape(ops.arange(batch, dtype="int32") * (rows * columns), (-1, 1, 1))
    return take_rows(ops.reshape(x, (-1, features)), step + image)


def superpixel_means(x: Tensor, superpixels: Tensor, nodes: Any) -> tuple[Tensor, Tensor]:
    """Average over superpixels.

    Args:
        x: Floats (batch, height, width, features).
        superpixels: The superpixel of each pixel, integers (batch, height, width).
        nodes: How many superpixels an image has at most.

    Returns:
        The means (batch, nodes, features), and which superpixels have pixels, (batch, nodes).
    """
    # The pixels of a superpixel are counted as the sum of a further feature.
    x = ops.concatenate([x, ops.ones_like(x[..., :1])], axis=-1)
    batch, features = ops.shape(x)[0], x.shape[-1]
    ids = ops.reshape(_rows_of(superpixels, nodes), (-1,))
    sums = ops.segment_sum(ops.reshape(x, (-1, features)), ids, num_segments=batch * nodes)
    sums = ops.reshape(sums, (batch, nodes, features))
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


def upsample(x: Tensor, stride: int, size: tuple[Any, Any]) -> Tensor:
    """Interpolate a map (batch, rows, columns, features) bilinearly to (height, width)."""
    rows, columns = (
        ops.cast(_interpolation(into, ops.shape(x)[axis], stride), x.dtype)
        for axis, into in enumerate(size, start=1)
    )
    return ops.einsum("Yy,byxc,Xx->bYXc", rows, x, columns)


def _interpolation(into: Any, size: Any, stride: int) -> Tensor:
    """How much each of `size` steps, of `stride` pixels each, counts at each of `into` pixels."""
    step = ops.cast(ops.arange(size), "float32")
    place = (ops.cast(ops.arange(into), "float32") + 0.5) / stride - 0.5
    place = ops.clip(place, 0.0, ops.cast(size, "float32") - 1)
    return ops.maximum(1 - ops.abs(ops.expand_dims(place, 1) - step), 0.0)
