"""The six alignment scores."""

import keras
import numpy as np
import pytest
from keras import ops

from kblocks import layers
from tests.contract import check_layer
from tests.layers.attention.samples import memory_mask, query_mask, sample
from tests.reference import attention as reference

NO_CONTENT = "the score depends on the query and the positions alone"

CASES = {
    "additive": (layers.AdditiveScore, {"units": 7}, 6, {}),
    "general": (layers.GeneralScore, {}, 6, {}),
    "dot": (layers.DotScore, {}, 3, {}),
    "scaled_dot": (layers.ScaledDotScore, {}, 3, {}),
    "location": (layers.LocationScore, {"max_length": 7}, 6, {"key": NO_CONTENT}),
    "content": (layers.ContentScore, {"initial_sharpness": 2.0}, 3, {}),
}


@pytest.mark.parametrize("name", CASES)
def test_contract(name: str) -> None:
    layer_class, arguments, features, zero_gradients = CASES[name]
    inputs = sample(3, features)
    check_layer(
        layer_class,
        arguments,
        {"query": inputs["query"], "key": inputs["value"]},
        reference.SCORES[name],
        mask={"query": query_mask(), "key": memory_mask()},
        output_mask="query",
        left_padded=name != "location",
        zero_gradients=zero_gradients,
    )


@pytest.mark.parametrize("name", CASES)
def test_projected_keys_give_the_same_scores(name: str) -> None:
    layer_class, arguments, features, _ = CASES[name]
    inputs = sample(3, features)
    query, key = ops.array(inputs["query"]), ops.array(inputs["value"])
    layer = layer_class(**arguments)
    scores = layer(query, key)
    keys = layer.project(key)
    steps = [layer.align(query[:, t : t + 1], keys) for t in range(query.shape[1])]
    np.testing.assert_allclose(ops.concatenate(steps, 1), scores, rtol=1e-5, atol=1e-6)


def test_additive_units_are_by_default_the_size_of_the_keys() -> None:
    inputs = sample(3, 6)
    layer = layers.AdditiveScore()
    layer(inputs["query"], inputs["value"])
    assert layer.v.shape == (6,)


@pytest.mark.parametrize("name", ["dot", "scaled_dot", "content"])
def test_unequal_sizes_are_refused(name: str) -> None:
    inputs = sample(3, 6)
    with pytest.raises(ValueError, match=r"`key` must have 3 features .* got \(2, 4, 6\)"):
        CASES[name][0](**CASES[name][1])(inputs["query"], inputs["value"])


def test_location_refuses_a_memory_longer_than_it_knows() -> None:
    inputs = sample()
    with pytest.raises(ValueError, match=r"`key` must have at most max_length=3 positions"):
        layers.LocationScore(3)(inputs["query"], inputs["value"])


@pytest.mark.parametrize("sharpness", [0, -1.0, "high", float("nan")])
def test_content_refuses_a_sharpness_that_is_not_positive(sharpness: object) -> None:
    with pytest.raises(ValueError, match="`initial_sharpness` must be a positive number"):
        layers.ContentScore(sharpness)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_content_of_zero_and_of_huge_vectors_is_finite(policy: str) -> None:
    key = np.array([[[0.0, 0.0], [300.0, 0.0], [0.0, 1e-6]]], "float32")
    query = np.array([[[400.0, 0.0], [0.0, 0.0]]], "float32")
    scores = layers.ContentScore(dtype=policy)(query, key)
    expected = [[[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]]
    np.testing.assert_allclose(ops.cast(scores, "float32"), expected, atol=1e-2)


def test_sharpness_lets_a_cosine_concentrate() -> None:
    key = keras.ops.eye(6)[None]
    bare = ops.softmax(layers.ContentScore()(key[:, :1], key))
    sharp = ops.softmax(layers.ContentScore(initial_sharpness=10.0)(key[:, :1], key))
    assert float(bare[0, 0, 0]) < 0.6
    assert float(sharp[0, 0, 0]) > 0.99


def test_a_score_of_ones_own_needs_only_align() -> None:
    class NearestScore(layers.AlignmentScore):
        same_features = True

        def align(self, query: object, keys: object) -> object:
            distance = ops.expand_dims(query, 2) - ops.expand_dims(keys, 1)
            return -ops.sum(ops.square(distance), axis=-1)

    inputs = sample()
    layer = layers.Attention(NearestScore())
    _, weights = layer(inputs["query"], value=inputs["query"], return_attention_scores=True)
    assert np.array_equal(ops.argmax(weights, -1), [np.arange(5)] * 2)
