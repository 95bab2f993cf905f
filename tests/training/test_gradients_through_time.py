"""Gradients through time: against the product of Jacobians, differences, and what theory says."""

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

import kblocks
from kblocks.training import GlobalNormClipping, gradient_norms
from tests.parity.other_backends import check_on
from tests.reference.gradients import norms_by_differences, simple_rnn_norms

UNITS, TIME, FEATURES = 5, 7, 3


def sequences(batch: int = 2, time: int = TIME, scale: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(4)
    return (scale * rng.normal(size=(batch, time, FEATURES))).astype("float32")


def built(layer: keras.layers.Layer) -> tuple[keras.layers.Layer, dict[str, np.ndarray]]:
    """A layer with weights that are not its initial ones, and these by name in float64."""
    layer.build((None, None, FEATURES))
    rng = np.random.default_rng(3)
    layer.set_weights([0.6 * rng.normal(size=w.shape) for w in layer.get_weights()])
    return layer, {
        w.path.split("/")[-1]: ops.convert_to_numpy(w).astype("float64") for w in layer.weights
    }


def scaled_orthogonal(rho: float) -> keras.initializers.Initializer:
    return keras.initializers.Orthogonal(gain=rho, seed=1)


def test_a_simple_network_is_the_product_of_its_jacobians() -> None:
    layer, weights = built(kblocks.layers.SimpleRNN(UNITS))
    norms = gradient_norms(layer, sequences())
    assert norms.shape == (2, TIME)
    assert norms.dtype == np.float64
    expected = [simple_rnn_norms(weights, sequence, UNITS) for sequence in sequences()]
    np.testing.assert_allclose(norms, expected, rtol=1e-4)
    assert expected[0][-1] == pytest.approx(UNITS**0.5)


@pytest.mark.parametrize(
    ("name", "layer", "state"),
    [
        ("simple_rnn", kblocks.layers.SimpleRNN, 0),
        ("lstm", kblocks.layers.LSTM, 0),
        ("lstm", kblocks.layers.LSTM, 1),
        ("gru", kblocks.layers.GRU, 0),
        ("simple_rnn", keras.layers.SimpleRNN, 0),
        ("lstm", keras.layers.LSTM, 0),
        ("gru", keras.layers.GRU, 0),
    ],
)
def test_every_layer_against_differences(name: str, layer: Any, state: int) -> None:
    made, weights = built(layer(UNITS))
    norms = gradient_norms(made, sequences(), state=state)
    expected = [norms_by_differences(name, weights, s, UNITS, state) for s in sequences()]
    np.testing.assert_allclose(norms, expected, rtol=1e-3, atol=1e-5)


def test_backwards_the_last_step_is_the_first_time() -> None:
    layer, weights = built(kblocks.layers.SimpleRNN(UNITS, go_backwards=True))
    expected = simple_rnn_norms(weights, sequences()[0, ::-1], UNITS)
    np.testing.assert_allclose(gradient_norms(layer, sequences())[0], expected, rtol=1e-4)


def test_the_loss_and_the_first_state() -> None:
    layer, _ = built(kblocks.layers.SimpleRNN(UNITS))
    state = ops.convert_to_tensor(np.full((2, UNITS), 0.3, "float32"))
    norms = gradient_norms(
        layer, sequences(), loss=lambda h: 0.5 * ops.sum(h * h), initial_state=[state]
    )
    outputs = ops.convert_to_numpy(layer(sequences(), initial_state=[state]))
    np.testing.assert_allclose(norms[:, -1], np.linalg.norm(outputs, axis=-1), rtol=1e-5)
    one_row = gradient_norms(layer, sequences(), loss=lambda h: ops.sum(h[0]))
    assert (one_row[1] == 0).all()
    np.testing.assert_allclose(one_row[0], gradient_norms(layer, sequences())[0], rtol=1e-6)


def test_cells_in_a_stack_and_layers_not_yet_built() -> None:
    cells = [kblocks.layers.LSTMCell(4), kblocks.layers.SimpleRNNCell(UNITS)]
    stack = keras.layers.RNN(cells)
    norms = [gradient_norms(stack, sequences(), state=state) for state in range(3)]
    # Only the upper cell's state is the output.
    assert [norm[:, -1].tolist() for norm in norms[:2]] == [[0, 0], [0, 0]]
    np.testing.assert_allclose(norms[2][:, -1], UNITS**0.5, rtol=1e-6)
    assert all((norm[:, :-1] > 0).all() for norm in norms)
    assert (gradient_norms(keras.layers.LSTM(4), sequences())[:, 0] > 0).all()


@pytest.mark.parametrize("rho", [0.8, 1.0, 1.2])
def test_rho_times_an_orthogonal_matrix_is_rho_to_the_power_of_the_steps(rho: float) -> None:
    """With inputs so small that tanh is nearly linear every step back is a factor rho."""
    layer = kblocks.layers.SimpleRNN(16, recurrent_initializer=scaled_orthogonal(rho))
    norms = gradient_norms(layer, sequences(time=30, scale=1e-5))
    expected = 4.0 * rho ** np.arange(29.0, -1, -1)  # 4 is the norm of 16 ones
    np.testing.assert_allclose(norms, [expected, expected], rtol=1e-3)


@pytest.mark.parametrize("forget_bias", [0.0, 6.0])
def test_the_memory_of_an_lstm_keeps_what_its_forget_gates_keep(forget_bias: float) -> None:
    """With inputs near zero the gates stand at their biases, and W_h sees a state of zero."""
    layer = kblocks.layers.LSTM(16, recurrent_initializer="zeros")
    layer.build((None, None, FEATURES))
    bias = np.zeros(64, "float32")
    bias[16:32] = forget_bias
    layer.cell.bias.assign(bias)
    norms = gradient_norms(layer, sequences(time=30, scale=1e-4), state=1)
    forget = 1 / (1 + np.exp(-forget_bias))
    expected = 4.0 * 0.5 * forget ** np.arange(29.0, 0, -1)  # o = 1/2, tanh' = 1
    np.testing.assert_allclose(norms[:, :-1], [expected, expected], rtol=1e-2)
    assert (norms[:, -1] == 0).all()


def losses(clipped: bool) -> tuple[list[float], float]:
    """Of 75 steps of learning the sign of an input ten steps back; the first gradient's norm."""
    keras.utils.set_random_seed(0)
    layer = kblocks.layers.SimpleRNN(16, recurrent_initializer=scaled_orthogonal(1.2))
    model = keras.Sequential([keras.Input((40, FEATURES)), layer, keras.layers.Dense(1)])
    x = sequences(64, 40, scale=0.05)
    y = np.sign(x[:, 30, :1])
    before = model.get_weights()
    model.compile(keras.optimizers.SGD(1.0), "mse", jit_compile=False)
    model.train_on_batch(x, y)
    steps = [(a - b).ravel() for a, b in zip(before, model.get_weights(), strict=True)]

    model.set_weights(before)
    sgd = keras.optimizers.SGD(0.05)
    model.compile(GlobalNormClipping(sgd, 0.5) if clipped else sgd, "mse", jit_compile=False)
    run = [float(model.train_on_batch(x, y)) for _ in range(75)]
    return run, float(np.linalg.norm(np.concatenate(steps)))


@pytest.mark.slow
@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="minutes of training step by step; clipping has a test of its own on every backend",
)
def test_clipping_tames_an_exploding_gradient() -> None:
    """One step along the whole gradient, and the states stick at -1 and 1, where nothing moves."""
    (plain, norm), (tamed, same_norm) = losses(clipped=False), losses(clipped=True)
    assert same_norm == pytest.approx(norm, rel=1e-3)
    assert norm > 10  # clipped to 0.5
    assert plain[0] == pytest.approx(tamed[0])
    assert tamed[-1] < 0.7
    assert plain[-1] > tamed[-1] + 0.2


@pytest.mark.parametrize(
    ("layer", "inputs", "arguments", "message"),
    [
        (lambda: keras.layers.Dense(2), (2, 3, 4), {}, "must be a recurrent layer .* got Dense"),
        (
            lambda: keras.layers.Bidirectional(keras.layers.LSTM(2)),
            (2, 3, 4),
            {},
            "got Bidirectional; of a Bidirectional measure its two layers",
        ),
        (lambda: kblocks.layers.LSTM(2), (2, 3), {}, r"`sequences` must have shape .*\(2, 3\)"),
        (lambda: kblocks.layers.LSTM(2), (2, 0, 4), {}, r"no axis empty, got \(2, 0, 4\)"),
        (lambda: kblocks.layers.LSTM(2), (2, 3, 4), {"state": 2}, "`state` must be 0 to 1"),
        (
            lambda: kblocks.layers.LSTM(2),
            (2, 3, 4),
            {"loss": lambda h: h},
            r"`loss` must give a scalar, got the shape \(2, 2\)",
        ),
    ],
)
def test_wrong_arguments(layer: Any, inputs: tuple, arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gradient_norms(layer(), np.zeros(inputs, "float32"), **arguments)


@pytest.mark.parity
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_on_the_other_backends(backend: str) -> None:
    check_on(backend, __file__)
