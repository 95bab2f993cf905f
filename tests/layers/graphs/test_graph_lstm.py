"""The Graph LSTM of Liang et al. (2016)."""

import keras
import numpy as np
import pytest
from keras import ops

from kblocks.layers import GraphLSTM
from tests.contract import NUMBERS_ONLY, check_layer
from tests.layers.graphs.samples import MASK, NEIGHBOURS, graphs
from tests.reference import graphs as reference

FROM_ZERO = {"recurrent_kernel": "the states begin at zero"}
ORDER = {"confidence": "it chooses the order, through which no gradient goes"}


def changed(graph: int, node: int, place: int, to: int) -> dict:
    neighbours = NEIGHBOURS.copy()
    neighbours[graph, node, place] = to
    return {"neighbours": neighbours}


BAD = [
    (changed(1, 2, 1, 5), "neighbours"),
    (changed(0, 0, 2, -2), "neighbours"),
    (changed(0, 3, 1, 3), "neighbours"),
    (changed(0, 3, 1, 1), "neighbours"),
    ({"neighbours": NEIGHBOURS.astype("float32")}, "neighbours"),
    ({"neighbours": NEIGHBOURS[:, :4]}, "neighbours"),
    ({"neighbours": NEIGHBOURS[..., 0]}, "neighbours"),
    ({"confidence": np.full((2, 5), np.nan, "float32")}, "confidence"),
]


def test_contract() -> None:
    check_layer(
        GraphLSTM,
        {"units": 3},
        graphs(),
        reference.graph_lstm,
        mask=MASK,
        output_mask="inputs",
        free={"confidence": [1]},
        zero_gradients=ORDER | FROM_ZERO,
        bad_inputs=BAD,
        bad_arguments=[{"units": 2.5}, {"neighbour_gate": "new"}],
    )


@pytest.mark.slow
def test_contract_with_states_and_everything_returned() -> None:
    check_layer(
        GraphLSTM,
        {
            "units": 3,
            "neighbour_gate": "previous",
            "return_state": True,
            "return_gates": True,
            "use_bias": False,
        },
        graphs(states=True),
        reference.graph_lstm,
        mask=MASK,
        output_mask="inputs",
        free={"confidence": [1]},
        zero_gradients=ORDER,
        skip=dict.fromkeys(("xla", "replicas", "keras_file", "saved_model"), "done above"),
    )


@pytest.mark.parametrize("neighbour_gate", ["updated", "previous"])
def test_other_kinds(neighbour_gate: str) -> None:
    inputs = graphs(states=neighbour_gate == "updated")
    del inputs["confidence"]
    check_layer(
        GraphLSTM,
        {"units": 3, "neighbour_gate": neighbour_gate},
        inputs,
        reference.graph_lstm,
        zero_gradients={} if neighbour_gate == "updated" else FROM_ZERO,
        skip=NUMBERS_ONLY,
    )


def states_of(layer: GraphLSTM, **inputs: np.ndarray) -> np.ndarray:
    return ops.convert_to_numpy(layer(inputs.pop("inputs"), **inputs))


def test_the_most_confident_node_is_first_and_the_first_of_equals() -> None:
    """On a chain 0 - 1 - 2 a node learns of those alone that were updated before it."""
    chain = np.array([[[1, -1], [0, 2], [1, -1]]])
    layer = GraphLSTM(3)
    x = np.random.default_rng(1).normal(size=(1, 3, 5)).astype("float32")
    other = x + np.array([[[1], [0], [0]]], "float32")
    for confidence, reached in (
        ([3.0, 2.0, 1.0], [0, 1, 2]),
        ([1.0, 1.0, 1.0], [0, 1, 2]),
        ([2.0, 1.0, 3.0], [0, 1]),
        ([1.0, 2.0, 3.0], [0]),
    ):
        given = {"neighbours": chain, "confidence": np.array([confidence], "float32")}
        moved = states_of(layer, inputs=x, **given) != states_of(layer, inputs=other, **given)
        assert np.flatnonzero(moved[0].any(-1)).tolist() == reached


def test_the_result_does_not_depend_on_the_numbering() -> None:
    inputs = {name: value[:1] for name, value in graphs().items()}
    inputs["confidence"] = np.array([[0.1, 0.5, 0.3, 0.2, 0.4]], "float32")
    shuffle = np.array([3, 0, 4, 2, 1])  # old numbers in the new order
    renamed = np.append(np.argsort(shuffle), -1)  # -1 stays -1
    layer = GraphLSTM(3)
    expected = states_of(layer, **inputs)[:, shuffle]
    moved = {name: value[:, shuffle] for name, value in inputs.items()}
    moved["neighbours"] = renamed[moved["neighbours"]][..., ::-1]
    np.testing.assert_allclose(states_of(layer, **moved), expected, atol=1e-6)


def test_an_edge_to_padding_is_no_edge() -> None:
    inputs = graphs()
    layer = GraphLSTM(3)
    without = states_of(layer, **inputs, mask=MASK)
    inputs["neighbours"] = inputs["neighbours"].copy()
    inputs["neighbours"][1, 0, 1] = 4
    inputs["neighbours"][1, 3, 1] = 99  # what padding names does not matter
    np.testing.assert_array_equal(states_of(layer, **inputs, mask=MASK), without)
    assert not without[1, 3:].any()


def test_layers_stack_by_their_states() -> None:
    given = graphs()
    first, second = GraphLSTM(3, return_state=True), GraphLSTM(3)
    x = given.pop("inputs")
    h, *states = first(x, **given)
    stacked = states_of(second, inputs=h, **given, initial_state=states)
    weights = {v.name: ops.convert_to_numpy(v) for v in second.weights}
    numbers = [ops.convert_to_numpy(s) for s in (h, *states)]
    expected = reference.graph_lstm(
        weights, {"inputs": numbers[0], "initial_state": numbers[1:], **given}, units=3
    )
    np.testing.assert_allclose(stacked, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (changed(1, 2, 1, 5), r"graph 1 must be from 0 to 4, or -1 for none, and node 2 has 5"),
        (changed(0, 3, 1, 3), "graph 0 make node 3 its own neighbour"),
        (changed(0, 3, 1, 1), "graph 0 name node 1 twice for node 3"),
        ({"confidence": np.where(MASK, 1, np.nan)}, "graph 1 is NaN at node 3"),
    ],
)
def test_a_mistake_names_its_graph(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GraphLSTM(3)(**{**graphs(), **change})


def test_no_neighbours() -> None:
    layer, x = GraphLSTM(3), np.ones((2, 3, 5), "float32")
    alone = states_of(layer, inputs=x, neighbours=np.zeros((2, 3, 0), int))
    marked = states_of(layer, inputs=x, neighbours=np.full((2, 3, 2), -1))
    np.testing.assert_allclose(alone, marked, atol=1e-7)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="empty axes are TensorFlow's")
def test_no_nodes() -> None:
    inputs = {"inputs": np.ones((2, 0, 5), "float32"), "neighbours": np.zeros((2, 0, 2), int)}
    assert states_of(GraphLSTM(3), **inputs).shape == (2, 0, 3)


def test_attention_over_the_nodes_of_a_graph() -> None:
    from kblocks.layers import Attention

    nodes = keras.Input((None, 6))
    neighbours = keras.Input((None, 4), dtype="int32")
    query = keras.Input((1, 3))
    h = GraphLSTM(3)(keras.layers.Masking()(nodes), neighbours=neighbours)
    context, weights = Attention("dot")(query, value=h, return_attention_scores=True)
    model = keras.Model([nodes, neighbours, query], [context, weights])
    x = graphs()["inputs"] * MASK[..., None]
    _, weights = model([x, NEIGHBOURS, np.ones((2, 1, 3), "float32")])
    weights = ops.convert_to_numpy(weights)
    assert not weights[:, 0][~MASK].any()
    assert weights[:, 0][MASK].all()
