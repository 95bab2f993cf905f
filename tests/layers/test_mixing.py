"""The blocks compose: chains with Keras' wrappers, trees, grids and graphs with attention.

Each model is trained for a step, which must move its weights, and gives the same when it is loaded.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from kblocks import layers
from tests.layers.graphs.samples import MASK as GRAPH_NODES
from tests.layers.graphs.samples import NEIGHBOURS
from tests.layers.grids.samples import images, rectangles
from tests.layers.trees.samples import CHILDREN
from tests.layers.trees.samples import MASK as TREE_NODES

pytestmark = pytest.mark.slow

Inputs = np.ndarray | dict[str, np.ndarray]


def steps_and_loads(model: keras.Model, inputs: Inputs, folder: Path) -> np.ndarray:
    """Trains for a step, saves and loads; returns the outputs."""
    first = keras.tree.flatten(inputs)[0]
    targets = np.random.default_rng(1).normal(size=(len(first), *model.output_shape[1:]))
    model.compile("adam", "mse", jit_compile=False)
    before = model.get_weights()
    history = model.fit(inputs, targets, verbose=0).history
    assert np.isfinite(history["loss"][0])
    for variable, old in zip(model.weights, before, strict=True):
        assert not np.array_equal(variable, old), f"{variable.path} did not move"
    model.save(folder / "model.keras")
    loaded = keras.saving.load_model(folder / "model.keras")
    outputs = model.predict(inputs, verbose=0)
    np.testing.assert_allclose(loaded.predict(inputs, verbose=0), outputs, atol=1e-6)
    return outputs


def padded_ids() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(1, 9, (4, 6)) * (np.arange(6) < [[6], [2], [4], [1]])


CHAINS: list[Callable[..., Any]] = [layers.SimpleRNN, layers.GRU, layers.LSTM]
ONE_CHAIN = [pytest.param(chain, marks=pytest.mark.full) for chain in CHAINS[:2]] + CHAINS[2:]


@pytest.mark.parametrize("chain", ONE_CHAIN)
def test_chains_in_a_sequential_model(chain: Any, tmp_path: Path) -> None:
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            keras.layers.Embedding(9, 4, mask_zero=True),
            keras.layers.Bidirectional(chain(3, return_sequences=True)),
            keras.layers.Bidirectional(chain(3, return_sequences=True), merge_mode="sum"),
            chain(5),
            keras.layers.Dense(2),
        ]
    )
    outputs = steps_and_loads(model, padded_ids(), tmp_path)
    shorter = model.predict(padded_ids()[1:2, :2], verbose=0)
    np.testing.assert_allclose(outputs[1:2], shorter, atol=1e-5)


def test_chains_of_all_kinds_one_over_the_other_with_attention(tmp_path: Path) -> None:
    ids = keras.Input((None,), dtype="int32")
    h = keras.layers.Embedding(9, 4, mask_zero=True)(ids)
    for chain, units in ((layers.LSTM, 3), (layers.GRU, 4), (layers.SimpleRNN, 5)):
        h = keras.layers.Bidirectional(chain(units, return_sequences=True))(h)
    context, weights = layers.Attention("general")(h, value=h, return_attention_scores=True)
    pooled = keras.layers.GlobalAveragePooling1D()(context)
    model = keras.Model(ids, keras.layers.Dense(2)(pooled))
    outputs = steps_and_loads(model, padded_ids(), tmp_path)
    shorter = model.predict(padded_ids()[1:2, :2], verbose=0)
    np.testing.assert_allclose(outputs[1:2], shorter, atol=1e-5)
    seen = keras.Model(ids, weights).predict(padded_ids(), verbose=0)
    np.testing.assert_allclose(seen.sum(-1), 1, atol=1e-5)
    assert not seen[1, :, 2:].any()


class Read(keras.layers.Layer):
    """A learned query reads the states of all nodes or pixels by attention: (batch, features).

    Which of them there are is said by the mask that the states carry.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.attention = layers.Attention("additive")

    def build(self, states_shape: Any) -> None:
        self.query = self.add_weight(shape=(1, 1, 4), initializer="normal", name="query")
        self.attention.build((None, 1, 4), (None, None, states_shape[-1]))

    def call(self, states: Any, mask: Any = None) -> Any:
        batch = ops.shape(states)[0]
        states = ops.reshape(states, (batch, -1, states.shape[-1]))  # an image's pixels in a row
        context, weights = self.attention(
            ops.tile(self.query, (batch, 1, 1)),
            value=states,
            attention_mask=ops.reshape(mask, (batch, -1)),
            return_attention_scores=True,
        )
        return context[:, 0], weights[:, 0]

    def compute_mask(self, states: Any, mask: Any = None) -> None:
        return None


@pytest.fixture(autouse=True)
def _registered() -> Any:
    with keras.saving.custom_object_scope({"Read": Read}):
        yield


def reads(states: Any, inputs: Any) -> tuple[keras.Model, keras.Model]:
    """A model that answers from what attention reads of the states, and one of its weights."""
    context, weights = Read()(states)
    answer = keras.layers.Dense(2)(context)
    return keras.Model(inputs, answer), keras.Model(inputs, weights)


def assert_reads_only(weights: np.ndarray, nodes: np.ndarray) -> None:
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-5)
    assert not weights[~nodes].any()
    assert (weights[nodes] > 0).all()


@pytest.mark.parametrize("kind", ["child_sum", "nary"])
def test_attention_over_the_nodes_of_trees(kind: str, tmp_path: Path) -> None:
    slots = CHILDREN.shape[2]
    inputs = {
        "words": keras.Input((None,), dtype="int32", name="words"),
        "children": keras.Input((None, slots), dtype="int32", name="children"),
        "nodes": keras.Input((None,), dtype="bool", name="nodes"),
    }
    x = keras.layers.Embedding(9, 4)(inputs["words"])
    tree = layers.ChildSumTreeLSTM(5) if kind == "child_sum" else layers.NaryTreeLSTM(5, slots)
    h = tree(x, children=inputs["children"], mask=inputs["nodes"])
    model, seen = reads(h, inputs)
    words = np.random.default_rng(0).integers(0, 9, TREE_NODES.shape)
    given = {"words": words, "children": CHILDREN, "nodes": TREE_NODES}
    outputs = steps_and_loads(model, given, tmp_path)
    assert_reads_only(seen.predict(given, verbose=0), TREE_NODES)
    given["words"] = np.where(TREE_NODES, words, 3)  # padding has no say
    np.testing.assert_allclose(model.predict(given, verbose=0), outputs, atol=1e-6)


def test_attention_over_the_pixels_of_images(tmp_path: Path) -> None:
    inputs = {
        "image": keras.Input((None, None, 3), name="image"),
        "pixels": keras.Input((None, None), dtype="bool", name="pixels"),
    }
    x = keras.layers.Conv2D(4, 1)(inputs["image"])
    h = layers.LSTM2D(2, directions=4)(x, mask=inputs["pixels"])
    model, seen = reads(h, inputs)
    mask = rectangles()
    given = {"image": images(), "pixels": mask}
    outputs = steps_and_loads(model, given, tmp_path)
    assert_reads_only(seen.predict(given, verbose=0), mask.reshape(2, -1))
    given["image"] = np.where(mask[..., None], images(), 7)  # padding has no say
    np.testing.assert_allclose(model.predict(given, verbose=0), outputs, atol=1e-5)


def test_attention_over_the_nodes_of_graphs(tmp_path: Path) -> None:
    inputs = {
        "features": keras.Input((None, 6), name="features"),
        "neighbours": keras.Input((None, 4), dtype="int32", name="neighbours"),
        "nodes": keras.Input((None,), dtype="bool", name="nodes"),
    }
    x = keras.layers.Dense(4, activation="tanh")(inputs["features"])
    graph = {"neighbours": inputs["neighbours"], "mask": inputs["nodes"]}
    states = [keras.layers.Dense(3)(x), keras.layers.Dense(3)(x)]
    h, *states = layers.GraphLSTM(3, return_state=True)(x, initial_state=states, **graph)
    h = layers.GraphLSTM(3)(h, initial_state=states, **graph)
    model, seen = reads(h, inputs)
    features = np.random.default_rng(0).normal(size=(2, 5, 6)).astype("float32")
    given = {"features": features, "neighbours": NEIGHBOURS, "nodes": GRAPH_NODES}
    outputs = steps_and_loads(model, given, tmp_path)
    assert_reads_only(seen.predict(given, verbose=0), GRAPH_NODES)
    given["features"] = np.where(GRAPH_NODES[..., None], features, 7)  # padding has no say
    np.testing.assert_allclose(model.predict(given, verbose=0), outputs, atol=1e-6)


def test_transformer_of_encoder_and_decoder_layers(tmp_path: Path) -> None:
    source, target = (keras.Input((None,), dtype="int32", name=n) for n in ("source", "target"))
    x = keras.layers.Embedding(9, 4, mask_zero=True)(source)
    x = layers.SinusoidalPositionEncoding()(x)
    memory = layers.TransformerEncoderLayer(2, 8, dropout=0.0, norm="pre")(x)
    memory = layers.LayerNormalization()(memory)
    y = keras.layers.Embedding(9, 6, mask_zero=True)(target)
    y = layers.LearnedPositionEmbedding(8)(y)
    for activation in ("relu", "gelu_tanh"):
        y = layers.TransformerDecoderLayer(3, 8, activation=activation, dropout=0.0)(y, memory)
    outputs = keras.layers.Dense(2)(y)
    model = keras.Model({"source": source, "target": target}, outputs)
    ids = padded_ids()
    given = {"source": ids, "target": np.concatenate([ids[::-1], ids[:, :1]], axis=1)}
    targets = np.random.default_rng(1).normal(size=(4, 7, 2))
    model.compile("adam", "mse", jit_compile=False)
    model.fit(given, targets, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    expected = model.predict(given, verbose=0)
    np.testing.assert_allclose(loaded.predict(given, verbose=0), expected, atol=1e-6)
    short = {**given, "source": ids[1:2, :2], "target": given["target"][1:2]}
    alone = model.predict(short, verbose=0)  # without the padding of its source
    np.testing.assert_allclose(alone, expected[1:2], atol=1e-5)
