"""The Tree-LSTMs against the paper's equations, as chains, deep, wide, padded and wrong."""

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from kblocks import layers
from tests.contract import check_layer
from tests.layers.trees.samples import (
    CHILDREN,
    MASK,
    assert_same,
    chain,
    random_trees,
    trees,
)
from tests.reference import trees as reference

DROPOUT = {"dropout": 0.5, "recurrent_dropout": 0.5}
BAD = [{"units": 2.5}, {"dropout": -0.1}, {"recurrent_dropout": 1.5}]
KINDS: dict[str, tuple[type, dict]] = {
    "child_sum": (layers.ChildSumTreeLSTM, {}),
    "nary": (layers.NaryTreeLSTM, {"max_children": 5}),
    "tied": (layers.NaryTreeLSTM, {"max_children": 5, "tied_forget": True}),
}
REFERENCES = {
    "child_sum": reference.child_sum_tree_lstm,
    "nary": reference.nary_tree_lstm,
    "tied": reference.nary_tree_lstm,
}
BAD_TREES = [
    ({"children": CHILDREN[..., 0]}, "children"),
    ({"children": CHILDREN[:, :-1]}, "children"),
    ({"children": CHILDREN.astype("float32")}, "children"),
    ({"children": CHILDREN - 1}, "children"),
]


def made(kind: str, features: int = 3, **arguments: Any) -> keras.layers.Layer:
    layer_class, own = KINDS[kind]
    layer = layer_class(4, **own, bias_initializer="random_normal", **arguments)
    layer.build((None, None, features))
    return layer


def expected(layer: keras.layers.Layer, kind: str, inputs: dict, **arguments: Any) -> Any:
    weights = {v.name: ops.convert_to_numpy(v).astype("float64") for v in layer.weights}
    own = KINDS[kind][1]
    return REFERENCES[kind](weights, inputs, units=layer.units, **own, **arguments)


def test_contract_of_ordered_children() -> None:
    check_layer(
        layers.NaryTreeLSTM,
        {"units": 4, "max_children": 5},
        trees(),
        reference.nary_tree_lstm,
        mask={"inputs": MASK},
        output_mask="inputs",
        stochastic=DROPOUT,
        bad_inputs=BAD_TREES,
        bad_arguments=BAD,
    )


@pytest.mark.full
def test_contract_of_any_children_with_everything_returned() -> None:
    check_layer(
        layers.ChildSumTreeLSTM,
        {"units": 4, "return_state": True, "return_gates": True},
        trees(),
        reference.child_sum_tree_lstm,
        mask={"inputs": MASK},
        output_mask="inputs",
        stochastic=DROPOUT,
        bad_inputs=BAD_TREES,
        bad_arguments=BAD,
    )


@pytest.mark.slow
@pytest.mark.parametrize("tied", [False, True])
def test_contract_of_ordered_children_with_everything_returned(tied: bool) -> None:
    check_layer(
        layers.NaryTreeLSTM,
        {
            "units": 4,
            "max_children": 5,
            "tied_forget": tied,
            "return_state": True,
            "return_gates": True,
        },
        trees(),
        reference.nary_tree_lstm,
        mask={"inputs": MASK},
        output_mask="inputs",
        stochastic=DROPOUT,
        bad_arguments=BAD,
        skip=dict.fromkeys(("xla", "replicas", "keras_file", "saved_model"), "done above"),
    )


@pytest.mark.contract
@pytest.mark.parametrize("kind", KINDS)
def test_random_trees_equal_the_paper_and_padding_is_zero(kind: str) -> None:
    rng = np.random.default_rng(4)
    arguments = {"return_state": True, "return_gates": True}
    layer = made(kind, **arguments)
    for nodes, slots in ((1, 1), (9, 2), (14, 5)):
        children, mask = random_trees(rng, 3, nodes, slots)
        x = rng.normal(size=(3, nodes, 3)).astype("float32")
        h, *states, gates = layer(x, children=children, mask=mask)
        h = ops.convert_to_numpy(h)
        np.testing.assert_array_equal(h[~mask], 0)
        for gate in gates:
            np.testing.assert_array_equal(ops.convert_to_numpy(gate)[~mask], 0)
        for b, size in enumerate(mask.sum(1)):
            one = {"inputs": x[b : b + 1, :size], "children": children[b : b + 1, :size]}
            true_h, *true_states, true_gates = expected(layer, kind, one, **arguments)
            assert_same(h[b : b + 1, :size], true_h)
            assert_same([s[b : b + 1] for s in states], true_states)
            assert_same([gate[b : b + 1, :size] for gate in gates], true_gates)


@pytest.mark.parametrize("kind", KINDS)
def test_asking_never_changes_the_output(kind: str) -> None:
    plain, asked = made(kind), made(kind, return_state=True, return_gates=True)
    asked.set_weights(plain.get_weights())
    assert_same(asked(**trees(), mask=MASK)[0], plain(**trees(), mask=MASK), atol=0)


@pytest.mark.contract
@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize(
    ("layer_class", "own"),
    [(layers.ChildSumTreeLSTM, {}), (layers.NaryTreeLSTM, {"max_children": 1})],
)
def test_a_chain_is_an_lstm(layer_class: type, own: dict, use_bias: bool) -> None:
    layer = layer_class(4, use_bias=use_bias, **own)
    x = np.random.default_rng(0).normal(size=(2, 6, 3)).astype("float32")
    lstm = layers.LSTM(
        4, return_sequences=True, use_bias=use_bias, bias_initializer="random_normal"
    )
    lstm.build(x.shape)
    layer.build(x.shape)
    layer.set_weights(lstm.get_weights())
    assert_same(layer(x, children=chain(6)), lstm(x))
    # From the last node to the first: the same chain, its nodes listed the other way round.
    backwards = np.where(chain(6) < 0, -1, 5 - chain(6))[:, ::-1]
    assert_same(ops.flip(layer(x[:, ::-1].copy(), children=backwards), axis=1), lstm(x))


@pytest.mark.parametrize("kind", KINDS)
def test_the_forget_bias_starts_at_one(kind: str) -> None:
    layer_class, own = KINDS[kind]
    for start, arguments in ((1.0, {}), (0.0, {"unit_forget_bias": False})):
        layer = layer_class(4, **own, **arguments)
        layer.build((None, None, 3))
        assert_same(layer.weights_of("forget").b, np.full(4, start))
        assert_same(layer.weights_of("input").b, np.zeros(4))


@pytest.mark.parametrize("kind", KINDS)
def test_weights_of_a_gate_make_the_gate(kind: str) -> None:
    """Of the last node of a tree, from its children's states."""
    layer = made(kind, return_gates=True)
    children = np.array([[[-1] * 3, [-1] * 3, [1, -1, 0]]])
    x = np.random.default_rng(0).normal(size=(1, 3, 3)).astype("float32")
    h, gates = (keras.tree.map_structure(ops.convert_to_numpy, y) for y in layer(x, children))
    slots = {0: h[0, 1], 2: h[0, 0]}
    activations = {"input": reference.sigmoid, "candidate": np.tanh, "output": reference.sigmoid}
    for name, activation in activations.items():
        U, W, b = (ops.convert_to_numpy(w) for w in layer.weights_of(name))
        seen = sum(state @ (U if kind == "child_sum" else U[s]) for s, state in slots.items())
        assert_same(getattr(gates, name)[0, 2], activation(x[0, 2] @ W + seen + b))
    U, W, b = (ops.convert_to_numpy(w) for w in layer.weights_of("forget"))
    for at, name in ((0, 1), (2, 0)):
        if kind == "nary":
            seen = sum(state @ U[at, s] for s, state in slots.items())
        else:
            seen = slots[at] @ U
        found = gates.forget[0, name] if kind == "child_sum" else gates.forget[0, 2, at]
        assert_same(found, reference.sigmoid(x[0, 2] @ W + seen + b))
    with pytest.raises(ValueError, match=r"`gate` must be one of .*, got 'reset'"):
        layer.weights_of("reset")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_depth_500_and_a_single_node(kind: str) -> None:
    layer = made(kind)
    x = np.random.default_rng(0).normal(size=(2, 500, 3)).astype("float32")
    h = ops.convert_to_numpy(layer(x, children=chain(500)))
    one = {"inputs": x[:1], "children": chain(500, 1)}
    assert_same(h[:1], _of_a_chain(layer, kind, one["inputs"][0]), atol=1e-5)
    single = {"inputs": x[:1, :1], "children": np.array([[[-1]]])}
    assert_same(layer(**single), expected(layer, kind, single))


def _of_a_chain(layer: keras.layers.Layer, kind: str, x: np.ndarray) -> np.ndarray:
    """As an LSTM whose weights are those of the first slot: recursion would be too deep."""
    u = layer.units
    kernel, recurrent, *rest, bias = layer.get_weights()
    recurrent = recurrent[:u]
    if kind == "tied":
        recurrent = np.concatenate([recurrent[:, :u], rest[0], recurrent[:, u:]], axis=1)
    if kind == "nary":
        recurrent = np.concatenate([recurrent[:, : 2 * u], recurrent[:, -2 * u :]], axis=1)
    lstm = layers.LSTM(u, return_sequences=True)
    lstm.build((None, None, 3))
    lstm.set_weights([kernel, recurrent, bias])
    return ops.convert_to_numpy(lstm(x[None]))


def test_two_hundred_children() -> None:
    rng = np.random.default_rng(0)
    children = np.full((2, 201, 200), -1)
    children[0, 200] = rng.permutation(200)  # a root with 200 children
    children[1, 5, 7], children[1, 0, 199] = 3, 5
    layer = made("child_sum")
    inputs = {"inputs": rng.normal(size=(2, 201, 3)).astype("float32"), "children": children}
    assert_same(layer(**inputs), expected(layer, "child_sum", inputs), atol=1e-5)


def test_eight_ordered_children_in_both_ways() -> None:
    rng = np.random.default_rng(0)
    children, _ = random_trees(rng, 2, 20, 8)
    inputs = {"inputs": rng.normal(size=(2, 20, 3)).astype("float32"), "children": children}
    for tied in (False, True):
        layer = layers.NaryTreeLSTM(4, max_children=8, tied_forget=tied)
        found = layer(**inputs)
        weights = {v.name: ops.convert_to_numpy(v) for v in layer.weights}
        true = reference.nary_tree_lstm(weights, inputs, 8, tied, units=4)
        assert_same(found, true)


@pytest.mark.parametrize("kind", KINDS)
def test_a_masked_child_is_absent(kind: str) -> None:
    layer = made(kind)
    x = np.random.default_rng(0).normal(size=(1, 4, 3)).astype("float32")
    children = np.array([[[-1, -1], [-1, -1], [0, 1], [2, -1]]])
    mask = np.array([[True, False, True, True]])
    without = np.array([[[-1, -1], [-1, -1], [0, -1], [2, -1]]])
    found = ops.convert_to_numpy(layer(x, children=children, mask=mask))
    alone = ops.convert_to_numpy(layer(x, children=without))
    assert_same(found[:, [0, 2, 3]], alone[:, [0, 2, 3]])
    np.testing.assert_array_equal(found[:, 1], 0)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_all_padding_is_zero(kind: str) -> None:
    layer = made(kind, return_state=True)
    for mask in (MASK & np.array([[True], [False], [True]]), np.zeros_like(MASK)):
        outputs = [ops.convert_to_numpy(y) for y in layer(**trees(), mask=mask)]
        for y in outputs:
            assert np.isfinite(y).all()
            np.testing.assert_array_equal(y[1], 0)
    np.testing.assert_array_equal(outputs[0], 0)


def test_junk_at_padding_changes_nothing() -> None:
    layer = made("child_sum")
    inputs = trees()
    inputs["inputs"][~MASK] = np.nan
    assert_same(layer(**inputs, mask=MASK), layer(**trees(), mask=MASK), atol=0)


def test_the_mask_rides_on_the_inputs_and_goes_on() -> None:
    inputs = keras.Input((None, 3))
    children = keras.Input((None, None), dtype="int32")
    x = keras.layers.Masking()(inputs)
    model = keras.Model([inputs, children], layers.ChildSumTreeLSTM(4)(x, children=children))
    given = trees()
    given["inputs"] = given["inputs"] * MASK[..., None]
    found = model([given["inputs"], given["children"]])
    assert_same(found, model.layers[-1](**given, mask=MASK))
    np.testing.assert_array_equal(ops.convert_to_numpy(ops.any(found != 0, axis=-1)), MASK)


@pytest.mark.parametrize(
    ("children", "message"),
    [
        ([[-1, -1], [0, 3], [-1, -1]], "in tree 1, node 1 has the child 3, .* nodes 0 to 2"),
        ([[-1, -1], [0, -2], [-1, -1]], "in tree 1, node 1 has the child -2"),
        ([[-1, -1], [0, -1], [0, 1]], r"in tree 1, node 0 is listed .* 2 times, .* \[1, 2\]"),
        ([[-1, -1], [0, 0], [-1, 1]], r"in tree 1, node 0 is listed .* 2 times, .* \[1, 1\]"),
        ([[-1, 2], [0, -1], [1, -1]], "in tree 1, node 0 is on a cycle"),
        ([[-1, -1], [-1, -1], [2, -1]], "in tree 1, node 2 is on a cycle"),
    ],
)
def test_what_is_no_tree_is_named(children: list, message: str) -> None:
    sound = [[-1, -1], [-1, -1], [0, 1]]
    with pytest.raises(ValueError, match="`children` must make trees: " + message):
        layers.ChildSumTreeLSTM(4)(np.ones((2, 3, 3), "float32"), children=[sound, children])


def test_too_many_slots_and_no_children_are_refused() -> None:
    x = np.ones((1, 3, 3), "float32")
    with pytest.raises(ValueError, match=r"`children` must have at most max_children=2 .* 3, 4\)"):
        layers.NaryTreeLSTM(4)(x, children=np.full((1, 3, 4), -1))
    with pytest.raises(ValueError, match="`children` must be given"):
        layers.NaryTreeLSTM(4)(x)
    with pytest.raises(ValueError, match="`max_children` must be a positive integer, got 0"):
        layers.NaryTreeLSTM(4, max_children=0)


def test_regularizers_count() -> None:
    layer = layers.NaryTreeLSTM(
        4, tied_forget=True, kernel_regularizer="l2", recurrent_regularizer="l2"
    )
    layer.build((None, None, 3))
    squares = sum(float(ops.sum(v**2)) for v in layer.weights if v.name != "bias")
    np.testing.assert_allclose(float(sum(layer.losses)), 0.01 * squares, rtol=1e-5)


def test_dropout_is_the_same_at_all_nodes_of_a_tree() -> None:
    """The input's: over a tree of leaves with equal inputs the states are equal."""
    layer = layers.ChildSumTreeLSTM(8, dropout=0.5, seed=3)
    h = layer(np.ones((3, 4, 5), "float32"), children=np.full((3, 4, 1), -1), training=True)
    h = ops.convert_to_numpy(h)
    assert_same(h, np.repeat(h[:, :1], 4, axis=1), atol=0)
    assert np.abs(h[0] - h[1]).max() > 0
