"""Dropout: how much is dropped, what is left, and that its gradient falls on what was kept."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops
from numpy.testing import assert_allclose, assert_array_equal

from kblocks.backend import drop

SHAPE = (50, 40, 51)


def dropped(rate: float, dtype: str = "float32", seed: int = 0) -> np.ndarray:
    x = ops.ones(SHAPE, dtype)
    y = drop(x, rate, keras.random.SeedGenerator(seed))
    assert keras.backend.standardize_dtype(y.dtype) == dtype
    return ops.convert_to_numpy(ops.cast(y, "float64"))


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_as_many_are_dropped_as_by_keras_and_the_others_are_scaled(rate: float) -> None:
    ours = dropped(rate)
    theirs = keras.random.dropout(ops.ones(SHAPE), rate, seed=keras.random.SeedGenerator(0))
    deviation = (rate * (1 - rate) / ours.size) ** 0.5
    assert abs((ours == 0).mean() - rate) < 4 * deviation
    assert abs((ops.convert_to_numpy(theirs) == 0).mean() - rate) < 4 * deviation
    assert_allclose(ours[ours != 0], 1 / (1 - rate), rtol=1e-4)
    assert_allclose(np.unique(ours), np.unique(ops.convert_to_numpy(theirs)), rtol=1e-4)


def test_neighbours_are_dropped_independently() -> None:
    """Two entries share a random number; neither tells anything of the other."""
    kept = dropped(0.5).ravel() != 0
    pairs = kept[: kept.size // 2 * 2].reshape(-1, 2)
    for lag in (kept[:-1] & kept[1:], pairs.all(axis=1)):
        assert abs(lag.mean() - 0.25) < 4 * (0.25 * 0.75 / len(lag)) ** 0.5


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_the_share_does_not_depend_on_the_dtype(dtype: str) -> None:
    kept = dropped(0.1, dtype) != 0
    assert_array_equal(kept, dropped(0.1) != 0)


def test_the_same_seed_gives_the_same_and_each_call_something_else() -> None:
    assert_array_equal(dropped(0.5), dropped(0.5))
    assert (dropped(0.5) != dropped(0.5, seed=1)).any()
    seed, x = keras.random.SeedGenerator(0), ops.ones(SHAPE)
    first, second = (ops.convert_to_numpy(drop(x, 0.5, seed)) for _ in range(2))
    assert (first != second).any()


@pytest.mark.parametrize("xla", [False, True])
def test_the_gradient_is_what_was_multiplied_by(xla: bool) -> None:
    seed = keras.random.SeedGenerator(3)

    @tf.function(input_signature=[tf.TensorSpec((None, 3, None))], autograph=False, jit_compile=xla)
    def run(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = drop(x, 0.3, seed)
        return y, tape.gradient(y, x)

    for shape in ((2, 3, 4), (1, 3, 5), (0, 3, 2)):
        x = np.random.default_rng(0).normal(size=shape).astype("float32")
        y, slope = run(tf.constant(x))
        assert y.shape == shape
        assert_allclose(y, x * slope.numpy(), rtol=1e-6)
