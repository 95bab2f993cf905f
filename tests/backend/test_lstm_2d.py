"""The fast path of the 2D LSTM, held to the plain one: outputs, memories and gradients."""

from collections.abc import Callable

import keras
import numpy as np
import pytest

from kblocks import layers
from tests.layers.grids.samples import MASKS, images

tf = pytest.importorskip("tensorflow")
if keras.backend.backend() != "tensorflow":
    pytest.skip("the fast path is TensorFlow's", allow_module_level=True)

MODES: dict[str, Callable] = {
    "eager": lambda run: run,
    "free": lambda run: tf.function(
        run, autograph=False, input_signature=[tf.TensorSpec((None, None, None, 3))]
    ),
    "xla": lambda run: tf.function(run, autograph=False, jit_compile=True),
}


def _outputs_and_gradients(
    layer: keras.layers.Layer, mask: np.ndarray | None, mode: str, x: np.ndarray
) -> list:
    def run(x: object) -> list:
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = layer(x, mask=mask)
            waves = [tf.sin(tf.cast(tf.range(tf.size(o)), o.dtype)) for o in outputs]
            total = sum(
                tf.reduce_sum(tf.reshape(o, [-1]) * w) for o, w in zip(outputs, waves, strict=True)
            )
        return [*outputs, *tape.gradient(total, [x, *(v.value for v in layer.trainable_variables)])]

    return [np.asarray(value) for value in MODES[mode](run)(tf.constant(x))]


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("mask", [None, "holes", "padded above"])
@pytest.mark.parametrize("directions", [1, 4])
def test_the_fast_path_equals_the_plain_one(
    monkeypatch: pytest.MonkeyPatch, directions: int, mask: str | None, mode: str
) -> None:
    layer = layers.LSTM2D(3, directions, return_state=True)
    layer.build((None, None, None, 3))
    valid = None if mask is None else MASKS[mask]
    found = _outputs_and_gradients(layer, valid, mode, images())
    monkeypatch.setattr(layers.LSTM2D, "_run_fast", lambda self, *a: self._run(*a)[:2])
    expected = _outputs_and_gradients(layer, valid, "eager", images())
    assert len(found) == 2 + 1 + 4 * directions
    for a, b in zip(found, expected, strict=True):
        assert np.abs(b).max() > 1e-3
        np.testing.assert_allclose(a, b, atol=3e-6 * max(1, np.abs(b).max()))


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1), (7, 2), (2, 7)])
def test_every_shape(monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int]) -> None:
    layer = layers.LSTM2D(3, directions=2, return_state=True)
    layer.build((None, None, None, 3))
    x = np.random.default_rng(0).normal(size=(2, *shape, 3)).astype("float32")
    found = [_outputs_and_gradients(layer, None, mode, x) for mode in ("eager", "free")]
    monkeypatch.setattr(layers.LSTM2D, "_run_fast", lambda self, *a: self._run(*a)[:2])
    expected = _outputs_and_gradients(layer, None, "eager", x)
    for arrays in found:
        for a, b in zip(arrays, expected, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5)


def test_peepholes_take_the_plain_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(layers.LSTM2D, "_run_fast")
    assert layers.LSTM2D(3, peepholes=True)(images()).shape == (2, 4, 5, 3)
    with pytest.raises(AttributeError, match="_run_fast"):
        layers.LSTM2D(3)(images())


def test_a_second_derivative_is_refused_not_wrong() -> None:
    layer, x = layers.LSTM2D(3), tf.constant(images())
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = layer(x)
        slope = inner.gradient(y, x)
    with pytest.raises(LookupError, match="can be differentiated once"):
        outer.gradient(slope, x)
