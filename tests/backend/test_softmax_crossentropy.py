"""The cross-entropy and its derivative against the definition in float64; ties of `argmax`."""

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from kblocks.backend import argmax, gradient, softmax_crossentropy


def by_definition(z: np.ndarray, y: np.ndarray, eps: float) -> tuple[np.ndarray, np.ndarray]:
    """-sum_k q_k log p_k, and p - q, one position after the other."""
    loss, derivative = np.zeros(y.shape), np.zeros(z.shape)
    for at in np.ndindex(y.shape):
        row = z[at].astype("float64")
        log_p = row - row.max() - np.log(np.exp(row - row.max()).sum())
        q = np.full(len(row), eps / len(row))
        q[y[at]] += 1 - eps
        loss[at], derivative[at] = -(q * log_p).sum(), np.exp(log_p) - q
    return loss, derivative


@pytest.mark.contract
@pytest.mark.parametrize("eps", [0.0, 0.1])
@pytest.mark.parametrize("scale", [1, 300])
def test_against_the_definition(eps: float, scale: float) -> None:
    random = np.random.default_rng(0)
    z = (scale * random.normal(size=(3, 4, 7)) + 50).astype("float32")
    y, weights = random.integers(0, 7, (3, 4)), random.uniform(size=(3, 4)).astype("float32")
    loss, derivative = by_definition(z, y, eps)
    labels = ops.cast(ops.array(y), "int32")

    found = softmax_crossentropy(ops.array(z), labels, eps)
    np.testing.assert_allclose(ops.convert_to_numpy(found), loss, rtol=1e-5, atol=1e-4)

    def weighted(z: Any) -> Any:
        return ops.sum(softmax_crossentropy(z, labels, eps) * ops.array(weights))

    found = gradient(weighted, ops.array(z))
    expected = derivative * weights[..., None]
    np.testing.assert_allclose(ops.convert_to_numpy(found), expected, atol=1e-6)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="tf.function")
@pytest.mark.parametrize("xla", [False, True])
def test_compiled_with_free_shapes(xla: bool) -> None:
    import tensorflow as tf

    z, y = np.random.default_rng(1).normal(size=(2, 3, 5)).astype("float32"), np.ones((2, 3), int)
    shapes = [tf.TensorSpec([None, None, 5]), tf.TensorSpec([None, None], tf.int32)]
    run = tf.function(softmax_crossentropy, shapes, jit_compile=xla)
    np.testing.assert_allclose(run(z, y), by_definition(z, y, 0.0)[0], rtol=1e-5)


@pytest.mark.contract
def test_the_first_of_the_largest() -> None:
    found = argmax(ops.array([[0.5, 2.0, 2.0], [0.0, -3.0, -1.0]]))
    assert ops.convert_to_numpy(found).tolist() == [1, 0]
