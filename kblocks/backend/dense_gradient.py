"""Gradients in one form on every backend."""

from typing import Any

import keras


def dense_gradient(gradient: Any) -> Any:
    """A gradient as one tensor, in which each entry holds the whole derivative.

    TensorFlow gives the gradient of an embedding as rows with their indices, a row as often as
    its token occurs; norms and squares taken of such pieces are not those of their sum.

    Args:
        gradient: A tensor, or `tf.IndexedSlices` on TensorFlow.

    Returns:
        The gradient as a tensor.
    """
    if keras.backend.backend() != "tensorflow":
        return gradient
    import tensorflow as tf

    return tf.convert_to_tensor(gradient)
