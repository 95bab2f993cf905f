"""Dropout of Srivastava et al. (2014), on TensorFlow with half a random number for each entry.

y = x m / (1 - r)          m = 1 with probability 1 - r, else 0

There are 2^16 halves of a number of 32 bits, so that r is k / 2^16 for a whole k, and y is scaled
by what that k leaves. What is kept is one factor for each entry, 0 or 1 / (1 - r), by which the
gradient is multiplied as well. Keras draws a float for each entry, compares, multiplies and
selects, twice as long in all; in bfloat16 its floats have 2^7 values, and 0.1 becomes 0.102.
"""

from typing import Any

import keras

Tensor = Any

_HALF = 2**16


def drop(x: Tensor, rate: float, seed: keras.random.SeedGenerator) -> Tensor:
    """Drop a share of the entries, and scale the others.

    Args:
        x: Floats of any shape.
        rate: The share, from 0 up to and without 1.
        seed: Where the random numbers come from.

    Returns:
        What is left, of the shape and dtype of `x`.

    Example:

    >>> import keras
    >>> from kblocks.backend import drop
    >>> y = drop(keras.ops.ones((100, 100)), 0.25, keras.random.SeedGenerator(0))
    >>> sorted({round(float(value), 3) for value in keras.ops.ravel(y)})
    [0.0, 1.333]
    """
    if keras.backend.backend() == "tensorflow":
        return _tensorflow(x, rate, seed)
    return keras.random.dropout(x, rate, seed=seed)


def _tensorflow(x: Any, rate: float, seed: keras.random.SeedGenerator) -> Any:
    import tensorflow as tf

    dropped = min(round(rate * _HALF), _HALF - 1)
    entries = tf.size(x)
    numbers = tf.random.stateless_uniform(
        [(entries + 1) // 2], tf.cast(seed.next(), "int32"), None, None, tf.uint32
    )
    halves = tf.reshape(tf.bitcast(numbers, tf.uint16), [-1])  # one more where x has an odd number
    kept = tf.reshape(halves[:entries], tf.shape(x)) >= tf.constant(dropped, tf.uint16)
    return x * (tf.cast(kept, x.dtype) * tf.cast(_HALF / (_HALF - dropped), x.dtype))
