"""The order of the pixels for a 2D LSTM that goes along the anti-diagonals, on TensorFlow."""

from typing import Any, NamedTuple

Tensor = Any


class Diagonals(NamedTuple):
    """The order in which the pixels of all directions are gone through.

    Diagonal by diagonal, on each direction by direction, from the top to the bottom, the images of
    the batch side by side. Numbers of rows, where a row is a pixel of an image of a direction:
    """

    first: Tensor  # (diagonals + 1,) where each begins, for one direction
    falls: Tensor  # (diagonals,) the batch where it begins a row below the one before, or 0
    from_image: Tensor  # (rows,) the row of (directions, batch, height, width)
    to_image: Tensor  # (rows,) and back
    above: Tensor  # (rows,) the pixel above, or `rows` where there is none
    left: Tensor  # (rows,) the pixel on the left
    of_one: Tensor  # (rows of a direction,) from_image where there is one direction
    part: Tensor  # (directions, rows of a direction) the rows of each direction


def diagonals(directions: int, batch: Any, height: Any, width: Any) -> Diagonals:
    """Number the pixels along the anti-diagonals."""
    import tensorflow as tf

    area, count = height * width, height + width - 1
    pixel = tf.range(area)
    diagonal = pixel // width + pixel % width
    order = tf.argsort(diagonal, stable=True)

    d = tf.range(count)
    top = tf.maximum(0, d - width + 1)
    first = tf.cumsum(tf.minimum(d, height - 1) - top + 1)
    first = batch * tf.concat([[0], first], axis=0)
    falls = batch * (top - tf.maximum(0, d - width))

    # The same for the pixels of all directions, (directions * area).
    number = tf.range(directions * area)
    pixel = number % area
    key = directions * tf.tile(diagonal, [directions]) + number // area
    of_all = tf.argsort(key, stable=True)
    place = tf.math.invert_permutation(of_all)
    nowhere = directions * area
    above = tf.where(pixel >= width, tf.gather(place, tf.maximum(number - width, 0)), nowhere)
    left = tf.where(pixel % width > 0, tf.gather(place, tf.maximum(number - 1, 0)), nowhere)

    images = tf.range(batch)

    def rows(pixels: Tensor) -> Tensor:
        """Of the batch, beside each other."""
        return tf.reshape(pixels[:, None] * batch + images, [-1])

    def image_rows(pixels: Tensor) -> Tensor:
        """Of an array (directions, batch, area)."""
        direction, pixel = pixels // area, pixels % area
        return tf.reshape((direction[:, None] * batch + images) * area + pixel[:, None], [-1])

    parts = tf.gather(tf.reshape(place, (directions, area)), order, axis=1)
    from_image = image_rows(of_all)
    return Diagonals(
        first,
        falls,
        from_image,
        tf.math.invert_permutation(from_image),
        rows(tf.gather(above, of_all)),
        rows(tf.gather(left, of_all)),
        image_rows(order),
        tf.stack([rows(part) for part in tf.unstack(parts, num=directions)]),
    )
