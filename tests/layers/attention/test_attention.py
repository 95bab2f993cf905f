"""Attention over any score: contract, peers, masks, half precision, wrong input."""

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from kblocks import layers
from tests.contract import check_layer
from tests.layers.attention.samples import memory_mask, query_mask, sample
from tests.reference import attention as reference

NAMES = ["additive", "content", "dot", "general", "location", "scaled_dot"]
SCORES = {"return_attention_scores": True}


def test_contract() -> None:
    check_layer(
        layers.Attention,
        {"score": "scaled_dot"},
        sample(),
        reference.attention,
        call=SCORES,
        mask={"query": query_mask(), "value": memory_mask()},
        output_mask="query",
        left_padded=True,
    )


def test_contract_with_key_and_attention_mask() -> None:
    attention_mask = np.random.default_rng(5).random((2, 5, 4)) < 0.7
    attention_mask[0, 2] = False  # a query with nothing to look at
    attention_mask[1, :, 0] = True
    check_layer(
        layers.Attention,
        {"score": "additive"},
        # As integers: `fit` under two replicas cannot take booleans (Keras adds batches up).
        {**sample(with_key=True), "attention_mask": attention_mask.astype("int32")},
        reference.attention,
        call=SCORES,
        mask={"query": query_mask(), "value": memory_mask(), "key": memory_mask()},
        output_mask="query",
        left_padded=True,
        bad_inputs=[
            ({"attention_mask": attention_mask[0, 0]}, "attention_mask"),
            ({"value": sample(with_key=True)["value"][:, :3]}, "value"),
        ],
    )


@pytest.mark.parametrize("score", NAMES)
def test_every_score_by_name_equals_the_reference(score: str) -> None:
    inputs = sample()
    layer = layers.Attention(score, max_length=6)
    outputs = layer(inputs["query"], value=inputs["value"], **SCORES)
    weights = _weights(layer)
    for actual, expected in zip(
        outputs, reference.attention(weights, inputs, score, **SCORES), strict=True
    ):
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


def _weights(layer: keras.layers.Layer) -> dict[str, np.ndarray]:
    """By path below the layer, as the references want them."""
    return {
        "score/" + w.path.split("/", 2)[-1]: ops.convert_to_numpy(w).astype("float64")
        for w in layer.weights
    }


@pytest.mark.parametrize("score", NAMES)
def test_projected_once_a_decoder_gets_the_same(score: str) -> None:
    inputs = {name: ops.array(array) for name, array in sample().items()}
    query, value = inputs["query"], inputs["value"]
    layer = layers.Attention(score, max_length=4)
    context, weights = layer(query, value=value, attention_mask=memory_mask(), **SCORES)
    keys = layer.project(value)
    steps = [
        layer.attend(query[:, t : t + 1], keys, value, ops.array(memory_mask()))
        for t in range(query.shape[1])
    ]
    for number, expected in enumerate((context, weights)):
        actual = ops.concatenate([step[number] for step in steps], 1)
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("masked", [False, True])
def test_dot_equals_keras_attention(masked: bool) -> None:
    inputs = sample(with_key=True)
    query, value, key = inputs["query"], inputs["value"], inputs["key"]
    mask = [None, ops.array(memory_mask())] if masked else None
    expected = keras.layers.Attention()(
        [ops.array(query), ops.array(value), ops.array(key)],
        mask=mask,
        return_attention_scores=True,
    )
    attention_mask = memory_mask() if masked else None
    actual = layers.Attention("dot")(
        query, value=value, key=key, attention_mask=attention_mask, **SCORES
    )
    for ours, theirs in zip(actual, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_additive_equals_keras_additive_attention() -> None:
    """Keras' layer has no W_q and no W_k: with both the identity ours is the same."""
    inputs = sample()
    query, value = ops.array(inputs["query"]), ops.array(inputs["value"])
    theirs = keras.layers.AdditiveAttention()
    expected = theirs([query, value])
    ours = layers.BahdanauAttention(3)
    ours(query, value=value)
    ours.score.W_q.kernel.assign(np.eye(3))
    ours.score.W_k.kernel.assign(np.eye(3))
    ours.score.v.assign(*theirs.get_weights())
    np.testing.assert_allclose(ours(query, value=value), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parity
def test_scaled_dot_equals_torch() -> None:
    torch = pytest.importorskip("torch")
    inputs = sample()
    mask = np.broadcast_to(memory_mask()[:, None], (2, 5, 4)).copy()
    query, value = (torch.tensor(inputs[name]) for name in ("query", "value"))
    expected = torch.nn.functional.scaled_dot_product_attention(
        query, value, value, attn_mask=torch.tensor(mask)
    )
    actual = layers.Attention("scaled_dot")(
        inputs["query"], value=inputs["value"], attention_mask=mask
    )
    np.testing.assert_allclose(ops.convert_to_numpy(actual), expected.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("score", NAMES)
def test_a_row_without_any_position_gets_zeros(score: str, policy: str) -> None:
    inputs = sample()
    layer = layers.Attention(score, max_length=4, dtype=policy)
    mask = np.array([[True, False, True, True], [False] * 4])
    outputs = layer(inputs["query"], value=inputs["value"], attention_mask=mask, **SCORES)
    context, weights = (ops.convert_to_numpy(ops.cast(x, "float32")) for x in outputs)
    assert np.isfinite(context).all()
    assert not context[1].any()
    assert not weights[1].any()
    assert not weights[0, :, 1].any()
    np.testing.assert_allclose(weights[0].sum(-1), 1.0, atol=1e-2)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_the_softmax_is_of_float32(policy: str) -> None:
    """4,096 equal scores: the sum of their exponentials is beyond what half precision adds up."""
    ones = np.ones((1, 4096, 1), "float32")
    context = layers.Attention("dot", dtype=policy)(ones[:, :1], value=ones)
    np.testing.assert_allclose(ops.cast(context, "float32"), [[[1.0]]], rtol=1e-2)


def test_keras_masks_of_value_and_key_are_both_honoured() -> None:
    inputs = sample(with_key=True)
    first = np.array([[True, True, True, False]] * 2)
    second = np.array([[False, True, True, True]] * 2)
    value, key = ops.array(inputs["value"]), ops.array(inputs["key"])
    value._keras_mask, key._keras_mask = ops.array(first), ops.array(second)
    layer = layers.Attention("dot")
    _, weights = layer(inputs["query"], value=value, key=key, **SCORES)
    assert np.array_equal(ops.convert_to_numpy(weights) > 0, [[[False, True, True, False]] * 5] * 2)


def test_dropout_drops_in_training_what_is_returned_whole() -> None:
    inputs = sample()
    layer = layers.Attention("dot", dropout=0.5, seed=3)
    _, plain = layer(inputs["query"], value=inputs["value"], **SCORES)
    context, weights = layer(inputs["query"], value=inputs["value"], training=True, **SCORES)
    np.testing.assert_allclose(weights, plain)
    whole = ops.matmul(weights, inputs["value"])
    assert not np.allclose(context, whole)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"score": "cosine"}, "`score` must be one of 'additive', .* got 'cosine'"),
        ({"score": 3}, "`score` must be one of 'additive', .* got 3"),
        ({"score": "location"}, "`max_length` must be given with score='location', got None"),
        ({"score": "location", "max_length": 0}, "`max_length` must be a positive integer, got 0"),
        ({"dropout": 1.0}, "`dropout` must be at least 0 and less than 1, got 1.0"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        layers.Attention(**arguments)


def test_a_key_of_another_length_than_the_value_is_refused() -> None:
    inputs = sample()
    with pytest.raises(ValueError, match="`key` must be as long as `value`"):
        layers.Attention()(inputs["query"], value=inputs["value"], key=inputs["value"][:, :3])
