"""The recurrent layers over sequences."""

import keras
import numpy as np
import pytest
from keras import ops

from kblocks import layers
from tests.contract import check_layer
from tests.layers.recurrent.samples import MASKS, assert_same, right_padded, sequences, states
from tests.reference import recurrent as reference

KBLOCKS = {"simple_rnn": layers.SimpleRNN, "lstm": layers.LSTM, "gru": layers.GRU}
KERAS = {
    "simple_rnn": keras.layers.SimpleRNN,
    "lstm": keras.layers.LSTM,
    "gru": keras.layers.GRU,
}
STATES = {"simple_rnn": 1, "lstm": 2, "gru": 1}
DROPOUT = {"dropout": 0.5, "recurrent_dropout": 0.5}
BAD = [{"units": 2.5}, {"dropout": -0.1}, {"recurrent_dropout": 1.5}]


@pytest.mark.parametrize("kind", KBLOCKS)
def test_contract(kind: str) -> None:
    peepholes = {"peepholes": True} if kind == "lstm" else {}
    check_layer(
        KBLOCKS[kind],
        {"units": 4, "return_sequences": True, **peepholes},
        sequences(),
        reference.layer(kind),
        mask=right_padded(),
        output_mask="sequences",
        left_padded=True,
        stochastic=DROPOUT,
        bad_arguments=BAD,
    )


def test_contract_of_the_fast_lstm_with_an_initial_state_and_everything_returned() -> None:
    check_layer(
        layers.LSTM,
        {"units": 4, "return_state": True, "return_gates": True},
        {"sequences": sequences(), "initial_state": states(2)},
        reference.layer("lstm"),
        stochastic=DROPOUT,
        bad_arguments=BAD,
    )


def test_contract_of_the_fast_lstm_backwards() -> None:
    check_layer(
        layers.LSTM,
        {"units": 4, "return_sequences": True, "go_backwards": True},
        sequences(),
        reference.layer("lstm"),
        mask=right_padded(),
        output_mask="sequences",
        left_padded=True,
        reversed_output=True,
        stochastic=DROPOUT,
        bad_arguments=BAD,
    )


@pytest.mark.parametrize("reset_after", [True, False])
def test_gru_with_everything_returned_equals_the_paper(reset_after: bool) -> None:
    inputs = {"sequences": sequences(), "initial_state": states(1)}
    arguments = {"return_sequences": True, "return_state": True, "return_gates": True}
    layer = layers.GRU(
        4, reset_after=reset_after, bias_initializer="random_normal", go_backwards=True, **arguments
    )
    found = layer(**inputs)
    weights = {v.name: ops.convert_to_numpy(v) for v in layer.weights}
    expected = reference.layer("gru")(
        weights, inputs, 4, go_backwards=True, reset_after=reset_after, **arguments
    )
    assert_same(found, expected)


@pytest.mark.parametrize("mask", ["none", "holes"])
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"return_sequences": True, "return_state": True},
        {"return_sequences": True, "return_state": True, "go_backwards": True},
        {"return_sequences": True, "zero_output_for_mask": True},
    ],
)
@pytest.mark.parametrize("kind", KBLOCKS)
def test_equals_keras_with_the_weights_of_either(kind: str, arguments: dict, mask: str) -> None:
    x, initial = sequences(), states(STATES[kind])
    ours = KBLOCKS[kind](4, **arguments)
    theirs = KERAS[kind](4, bias_initializer="random_normal", **arguments)
    ours.build(x.shape)
    theirs.build(x.shape)
    for giver, taker in ((theirs, ours), (ours, theirs)):
        taker.set_weights(giver.get_weights())
        found = ours(x, mask=MASKS[mask], initial_state=initial)
        expected = theirs(x, mask=MASKS[mask], initial_state=initial)
        assert_same(found, expected)
        ours.set_weights([0.5 * w for w in ours.get_weights()])


@pytest.mark.parametrize("mask", ["none", "holes"])
@pytest.mark.parametrize("kind", KBLOCKS)
def test_bidirectional_equals_keras(kind: str, mask: str) -> None:
    x = sequences()
    ours, theirs = (
        keras.layers.Bidirectional(made[kind](4, return_sequences=True, return_state=True))
        for made in (KBLOCKS, KERAS)
    )
    ours.build(x.shape)
    theirs.build(x.shape)
    ours.set_weights(theirs.get_weights())
    found, expected = ours(x, mask=MASKS[mask]), theirs(x, mask=MASKS[mask])
    assert_same(found, expected)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_gates_inside_bidirectional_are_refused(kind: str) -> None:
    with pytest.raises(ValueError, match="`return_gates=True` cannot be used inside Bidirectional"):
        keras.layers.Bidirectional(KBLOCKS[kind](4, return_gates=True))


@pytest.mark.parametrize("mask", ["none", "holes"])
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_asking_for_gates_never_changes_the_output(kind: str, backwards: bool, mask: str) -> None:
    x, initial = sequences(), states(STATES[kind])
    arguments = {"return_sequences": True, "return_state": True, "go_backwards": backwards}
    plain = KBLOCKS[kind](4, **arguments)
    asked = KBLOCKS[kind](4, return_gates=True, **arguments)
    plain.build(x.shape)
    asked.build(x.shape)
    asked.set_weights(plain.get_weights())
    expected = plain(x, mask=MASKS[mask], initial_state=initial)
    *found, gates = asked(x, mask=MASKS[mask], initial_state=initial)
    # Torch has another loop of Keras' own where cuDNN is ruled out, as the gates rule it out.
    assert_same(found, expected, atol=1e-6 if keras.backend.backend() == "torch" else 0)
    hidden = 0 if MASKS[mask] is None else (~MASKS[mask])[:, :: -1 if backwards else 1]
    assert all(ops.convert_to_numpy(gate).shape == (3, 6, 4) for gate in gates)
    for gate in gates:
        np.testing.assert_array_equal(np.all(ops.convert_to_numpy(gate) == 0, -1), hidden)


@pytest.mark.parametrize("kind", KBLOCKS)
def test_stateful_goes_on_where_it_stopped(kind: str) -> None:
    x = sequences()
    whole = KBLOCKS[kind](4, return_sequences=True)
    parts = KBLOCKS[kind](4, return_sequences=True, stateful=True)
    whole.build(x.shape)
    parts.build(x.shape)
    parts.set_weights(whole.get_weights())
    expected = ops.convert_to_numpy(whole(x))
    for _ in range(2):
        found = ops.concatenate([parts(x[:, :2]), parts(x[:, 2:])], axis=1)
        assert_same(found, expected)
        parts.reset_state()


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_stateful_gates(kind: str) -> None:
    x = sequences()
    layer = KBLOCKS[kind](4, return_gates=True)
    parts = KBLOCKS[kind](4, return_gates=True, stateful=True)
    layer.build(x.shape)
    parts.build(x.shape)
    parts.set_weights(layer.get_weights())
    expected = layer(x)[-1]
    found = [parts(x[:, :2])[-1], parts(x[:, 2:])[-1]]
    for k, gate in enumerate(expected):
        joined = ops.concatenate([found[0][k], found[1][k]], axis=1)
        assert_same(joined, gate)


def test_use_cudnn_is_refused_where_cudnn_has_no_such_thing() -> None:
    for arguments in ({"peepholes": True}, {"return_gates": True}):
        with pytest.raises(ValueError, match="`use_cudnn` must be 'auto' or False"):
            layers.LSTM(4, use_cudnn=True, **arguments)
    with pytest.raises(ValueError, match="`use_cudnn` must be 'auto', True or False, got 'yes'"):
        layers.GRU(4, use_cudnn="yes")


def test_unrolled_equals_looped() -> None:
    x = sequences()
    for kind in KBLOCKS:
        looped, unrolled = KBLOCKS[kind](4), KBLOCKS[kind](4, unroll=True)
        looped.build(x.shape)
        unrolled.build(x.shape)
        unrolled.set_weights(looped.get_weights())
        assert_same(unrolled(x), looped(x))


@pytest.mark.parametrize("rate", ["dropout", "recurrent_dropout"])
def test_dropout_of_the_lstm_is_that_of_its_cell(rate: str) -> None:
    x = sequences()
    layer = layers.LSTM(4, return_sequences=True, seed=7, **{rate: 0.5})
    around = keras.layers.RNN(layers.LSTMCell(4, seed=7, **{rate: 0.5}), return_sequences=True)
    layer.build(x.shape)
    around.build(x.shape)
    around.set_weights(layer.get_weights())
    assert_same(layer(x, training=True), around(x, training=True))
