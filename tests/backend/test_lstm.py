"""The LSTM's fast paths, held to the cell: outputs, states and gradients."""

from collections.abc import Callable

import keras
import numpy as np
import pytest

from kblocks import layers
from kblocks.backend import lstm as fast
from tests.layers.recurrent.samples import MASKS, sequences, states

tf = pytest.importorskip("tensorflow")
if keras.backend.backend() != "tensorflow":
    pytest.skip("the fast paths are TensorFlow's", allow_module_level=True)

KERNELS = ("block", "fused", "gates")
FREE = [tf.TensorSpec((None, None, 4)), [tf.TensorSpec((None, 4))] * 2]
MODES: dict[str, Callable] = {
    "eager": lambda run: run,
    "graph": lambda run: tf.function(run, autograph=False),
    "free": lambda run: tf.function(run, autograph=False, input_signature=FREE),
    "xla": lambda run: tf.function(run, autograph=False, jit_compile=True),
}


def _outputs_and_gradients(layer: keras.layers.Layer, mask: np.ndarray | None, mode: str) -> list:
    def run(x: object, initial: list) -> list:
        with tf.GradientTape() as tape:
            tape.watch([x, initial])
            outputs = layer(x, initial_state=initial, mask=mask)
            waves = [tf.sin(tf.cast(tf.range(tf.size(o)), o.dtype)) for o in outputs]
            total = sum(
                tf.reduce_sum(tf.reshape(o, [-1]) * w) for o, w in zip(outputs, waves, strict=True)
            )
        sources = [x, *initial, *(v.value for v in layer.trainable_variables)]
        return [*outputs, *tape.gradient(total, sources)]

    x, initial = tf.constant(sequences(features=4)), [tf.constant(s) for s in states(2)]
    return [np.asarray(value) for value in MODES[mode](run)(x, initial)]


@pytest.mark.slow
@pytest.mark.parametrize("mask", ["none", "holes"])
@pytest.mark.parametrize(
    "arguments",
    [
        {"return_sequences": True},
        {"return_sequences": True, "go_backwards": True, "zero_output_for_mask": True},
        {"use_bias": False},
    ],
)
def test_every_path_equals_the_cell(
    monkeypatch: pytest.MonkeyPatch, arguments: dict, mask: str
) -> None:
    layer = layers.LSTM(4, return_state=True, **arguments)
    layer.build((None, None, 4))
    of_loop = {k: v for k, v in arguments.items() if k != "use_bias"}
    truth = keras.layers.RNN(layer.cell, return_state=True, **of_loop)
    truth.build((None, None, 4))
    expected = _outputs_and_gradients(truth, MASKS[mask], "graph")
    for kernel in KERNELS:
        monkeypatch.setattr(fast, "lstm_kernel", lambda *_, kernel=kernel: kernel)
        for mode in ("eager", "free"):
            found = _outputs_and_gradients(layer, MASKS[mask], mode)
            for a, b in zip(found, expected, strict=True):
                np.testing.assert_allclose(a, b, atol=3e-6, err_msg=f"{kernel}, {mode}")


@pytest.mark.slow
@pytest.mark.parametrize("mask", ["none", "holes"])
def test_the_path_under_xla_equals_the_cell(mask: str) -> None:
    layer = layers.LSTM(4, return_state=True, return_sequences=True)
    layer.build((None, None, 4))
    truth = keras.layers.RNN(layer.cell, return_state=True, return_sequences=True)
    expected = _outputs_and_gradients(truth, MASKS[mask], "graph")
    found = _outputs_and_gradients(layer, MASKS[mask], "xla")
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, atol=3e-6)


def test_lengths_that_are_no_multiple_of_a_turn() -> None:
    layer = layers.LSTM(100, return_state=True, return_sequences=True)
    layer.build((None, None, 4))
    truth = keras.layers.RNN(layer.cell, return_sequences=True)
    run = tf.function(lambda x: layer(x)[0], input_signature=[FREE[0]])
    for length in (1, 3, 4, 9):
        x = tf.random.normal((2, length, 4))
        np.testing.assert_allclose(run(x), truth(x), atol=1e-6)
        np.testing.assert_allclose(layer(x)[0], truth(x), atol=1e-6)


def test_a_second_derivative_is_refused_not_wrong() -> None:
    layer = layers.LSTM(4)
    x = tf.constant(sequences(features=4))
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = layer(x)
        slope = inner.gradient(y, x)
    with pytest.raises(LookupError, match="can be differentiated once"):
        outer.gradient(slope, x)


def test_the_choice_of_a_path() -> None:
    choose = fast.lstm_kernel
    assert choose(8, 32, 32, "float32", xla=False) == "block"
    for impossible in ((33, "float32", False), (32, "bfloat16", False), (32, "float32", True)):
        features, dtype, xla = impossible
        assert choose(8, features, 32, dtype, xla=xla) == "gates"
    assert choose(8, 512, 512, "float32", xla=False) == "fused"
    assert choose(None, 256, 256, "float32", xla=False) == "gates"
    assert choose(32, 256, 256, "float32", xla=False) == "gates"
