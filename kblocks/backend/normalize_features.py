"""Layer normalisation over the last axis, on TensorFlow with a backward pass written by hand.

With n = (x - mu) s, s = 1 / sqrt(sigma^2 + epsilon), y = gamma n + beta, and means over features,

    d gamma = sum dy n            d beta = sum dy            (sums over all positions)
    dx = s (gamma dy - mean(gamma dy) - n mean(gamma dy n))

Automatic differentiation takes more than twice as many passes over the data.
"""

from collections.abc import Callable
from typing import Any

import keras

Tensor = Any


def normalize_features(x: Tensor, gamma: Tensor, beta: Tensor, epsilon: float) -> Tensor:
    """Normalise, scale and shift the last axis: gamma (x - mu) / sqrt(sigma^2 + epsilon) + beta.

    Args:
        x: (..., features).
        gamma: (features,), of the dtype of `x`, as is `beta`.
        beta: (features,).
        epsilon: What is added to the variance.

    Returns:
        (..., features).

    Example:

    >>> import keras
    >>> from kblocks.backend import normalize_features
    >>> x, one, zero = keras.ops.array([[1.0, 3.0]]), keras.ops.ones(2), keras.ops.zeros(2)
    >>> keras.ops.convert_to_numpy(normalize_features(x, one, zero, 1e-9)).round(6).tolist()
    [[-1.0, 1.0]]
    """
    if keras.backend.backend() == "tensorflow":
        return _tensorflow(x, gamma, beta, epsilon)
    return keras.ops.layer_normalization(x, gamma, beta, axis=-1, epsilon=epsilon)


def _tensorflow(x: Any, gamma: Any, beta: Any, epsilon: float) -> Any:
    import tensorflow as tf

    @tf.custom_gradient
    def run(x: Any, gamma: Any, beta: Any) -> tuple[Any, Callable]:
        centred = x - tf.reduce_mean(x, axis=-1, keepdims=True)
        variance = tf.reduce_mean(tf.square(centred), axis=-1, keepdims=True)
        s = tf.math.rsqrt(variance + epsilon)  # (..., 1)
        n = centred * s

        def gradient(dy: Any) -> tuple[Any, ...]:
            features, dy_n = x.shape[-1], dy * n
            dy_rows, dy_n_rows = (tf.reshape(a, (-1, features)) for a in (dy, dy_n))
            weights = tf.reshape(gamma / features, (features, 1))
            shape = tf.shape(s)
            mean = tf.reshape(tf.matmul(dy_rows, weights), shape)  # of gamma dy
            mean_n = tf.reshape(tf.matmul(dy_n_rows, weights), shape)  # of gamma dy n
            dx = s * (gamma * dy - mean - n * mean_n)
            dgamma, dbeta = tf.reduce_sum(dy_n_rows, axis=0), tf.reduce_sum(dy_rows, axis=0)
            once = "LayerNormalization can be differentiated once; Keras' own at will."
            first = (dx, dgamma, dbeta)
            return tuple(tf.raw_ops.PreventGradient(input=d, message=once) for d in first)

        return n * gamma + beta, gradient

    return run(x, gamma, beta)
