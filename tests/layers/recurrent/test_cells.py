"""The recurrent cells: the contract, their gates and weights in the open, and Keras' RNN around."""

import keras
import numpy as np
import pytest
from keras import ops

from kblocks import layers
from tests.contract import check_layer
from tests.layers.recurrent.samples import assert_same, sequences, states
from tests.reference import recurrent as reference

CASES = {
    "simple_rnn": (layers.SimpleRNNCell, {}, 1),
    "lstm": (layers.LSTMCell, {}, 2),
    "lstm_peepholes": (layers.LSTMCell, {"peepholes": True}, 2),
    "gru": (layers.GRUCell, {}, 1),
    "gru_reset_before": (layers.GRUCell, {"reset_after": False}, 1),
}
KERAS = {
    "simple_rnn": keras.layers.SimpleRNNCell,
    "lstm": keras.layers.LSTMCell,
    "gru": keras.layers.GRUCell,
}


@pytest.mark.parametrize("name", ["simple_rnn", "lstm_peepholes", "gru"])
def test_contract(name: str) -> None:
    cell_class, arguments, number = CASES[name]
    check_layer(
        cell_class,
        {"units": 4, **arguments},
        {"inputs": sequences()[:, 0], "states": states(number)},
        reference.cell(name.removesuffix("_peepholes")),
    )


def test_gru_with_the_reset_before_the_product_is_the_papers() -> None:
    x, before = sequences()[:, 0], states(1)
    cell = layers.GRUCell(4, reset_after=False, bias_initializer="random_normal")
    found, _ = cell(x, before)
    weights = {v.name: ops.convert_to_numpy(v) for v in cell.weights}
    inputs = {"inputs": x, "states": before}
    expected, _ = reference.cell("gru")(weights, inputs, units=4, reset_after=False)
    assert_same(found, expected)


@pytest.mark.parametrize("name", KERAS)
def test_weights_interchange_with_keras(name: str) -> None:
    cell_class, _, number = CASES[name]
    x, before = sequences()[:, 0], states(number)
    ours, theirs = cell_class(4), KERAS[name](4, bias_initializer="random_normal")
    ours.build(x.shape)
    theirs.build(x.shape)
    assert [w.shape for w in ours.weights] == [w.shape for w in theirs.weights]
    ours.set_weights(theirs.get_weights())
    assert_same(ours(x, before)[0], theirs(x, before)[0])


def test_the_gates_make_the_lstms_state() -> None:
    x, (h, c) = sequences()[:, 0], states(2)
    cell = layers.LSTMCell(4)
    _, [h_new, c_new] = cell(x, [h, c])
    gates = cell.gates(x, h)
    assert gates._fields == ("input", "forget", "candidate", "output")
    i, f, g, o = map(ops.convert_to_numpy, gates)
    assert_same(c_new, f * c + i * g)
    assert_same(h_new, o * np.tanh(ops.convert_to_numpy(c_new)))


@pytest.mark.parametrize("gate", ["input", "forget", "candidate", "output"])
def test_weights_of_an_lstm_gate_are_those_of_the_equation(gate: str) -> None:
    x, (h, _) = sequences()[:, 0], states(2)
    cell = layers.LSTMCell(4)
    cell.build(x.shape)
    W_h, W_x, b = cell.weights_of(gate)
    act = np.tanh if gate == "candidate" else reference.sigmoid
    expected = act(
        h @ ops.convert_to_numpy(W_h) + x @ ops.convert_to_numpy(W_x) + ops.convert_to_numpy(b)
    )
    found = cell.gates(ops.array(x), ops.array(h))
    assert_same(getattr(found, gate), expected)
    assert np.all(ops.convert_to_numpy(b) == (gate == "forget"))


@pytest.mark.parametrize("reset_after", [True, False])
@pytest.mark.parametrize("gate", ["update", "reset"])
def test_weights_of_a_gru_gate_are_those_of_the_equation(gate: str, reset_after: bool) -> None:
    x, (h,) = sequences()[:, 0], states(1)
    cell = layers.GRUCell(4, reset_after=reset_after, bias_initializer="random_normal")
    cell.build(x.shape)
    W_h, W_x, b, b_h = cell.weights_of(gate)
    assert (b_h is not None) == reset_after
    both = ops.convert_to_numpy(b) + (ops.convert_to_numpy(b_h) if reset_after else 0)
    expected = reference.sigmoid(
        h @ ops.convert_to_numpy(W_h) + x @ ops.convert_to_numpy(W_x) + both
    )
    found = cell.gates(ops.array(x), ops.array(h))
    assert_same(getattr(found, gate), expected)


def test_weights_of_a_simple_rnn_and_of_a_cell_without_bias() -> None:
    cell = layers.SimpleRNNCell(4)
    cell.build((None, 3))
    W_h, W_x, b = cell.weights_of()
    assert (W_h.shape, W_x.shape, b.shape) == ((4, 4), (3, 4), (4,))
    for cell_class, gate in ((layers.LSTMCell, "output"), (layers.GRUCell, "candidate")):
        cell = cell_class(4, use_bias=False)
        cell.build((None, 3))
        assert cell.weights_of(gate).b is None


@pytest.mark.parametrize("name", KERAS)
def test_an_unknown_gate_is_refused(name: str) -> None:
    cell = CASES[name][0](4)
    cell.build((None, 3))
    with pytest.raises(ValueError, match=r"`gate` must be .*, got 'oblivion'"):
        cell.weights_of("oblivion")


def test_peepholes_need_the_memory() -> None:
    cell = layers.LSTMCell(4, peepholes=True)
    cell.build((None, 3))
    with pytest.raises(ValueError, match="`c` is needed"):
        cell.gates(sequences()[:, 0], states(1)[0])


def test_peepholes_start_at_zero() -> None:
    x, before = sequences()[:, 0], states(2)
    plain, peeping = layers.LSTMCell(4), layers.LSTMCell(4, peepholes=True)
    plain.build(x.shape)
    peeping.build(x.shape)
    peeping.set_weights([*plain.get_weights(), np.zeros((3, 4))])
    assert_same(peeping(x, before)[0], plain(x, before)[0])


@pytest.mark.parametrize("name", CASES)
def test_inside_keras_rnn(name: str) -> None:
    cell_class, arguments, _ = CASES[name]
    x = sequences()
    cell = cell_class(4, **arguments)
    outputs = keras.layers.RNN(cell, return_sequences=True)(x)
    before = cell.get_initial_state(3)
    for t in range(x.shape[1]):
        h, before = cell(x[:, t], before)
        assert_same(outputs[:, t], h)


def test_dropout_hides_the_same_inputs_and_state_at_every_step() -> None:
    x, (h, c) = sequences(), states(2)
    rates = {"dropout": 0.5, "recurrent_dropout": 0.5, "seed": 7}
    layer = keras.layers.RNN(layers.LSTMCell(4, **rates), return_sequences=True)
    layer.build(x.shape)
    outputs = layer(x, initial_state=[h, c], training=True)
    same = layers.LSTMCell(4, **rates)
    same.build(x[:, 0].shape)
    same.set_weights(layer.get_weights()[:3])
    seen = same.get_dropout_mask(ops.array(x[:, 0]))
    kept = same.get_recurrent_dropout_mask(ops.array(h))
    for t in range(x.shape[1]):
        h, [_, c] = same(ops.array(x[:, t]) * seen, [ops.array(h) * kept, c])
        assert_same(outputs[:, t], h)


@pytest.mark.parametrize("name", KERAS)
def test_dropout_is_off_at_inference(name: str) -> None:
    x, before = sequences()[:, 0], states(CASES[name][2])
    cell = CASES[name][0](4, dropout=0.5, recurrent_dropout=0.5)
    quiet = cell(x, before)[0]
    assert not np.allclose(*map(ops.convert_to_numpy, (cell(x, before, training=True)[0], quiet)))
    assert_same(cell(x, before)[0], quiet, atol=0)
