"""Hard attention of Xu et al. (2015): what it draws, and what its gradients are."""

import keras
import numpy as np
import pytest
from keras import ops

from kblocks.layers import HardAttention
from tests.contract import check_layer
from tests.layers.attention.samples import memory_mask, query_mask, sample
from tests.reference import attention as reference

ARGMAX = "at inference the most probable position is taken, and an argmax has no slope"
ESTIMATORS = ["reinforce", "gumbel"]


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_contract(estimator: str) -> None:
    check_layer(
        HardAttention,
        {"estimator": estimator, "score": "dot"},
        sample(with_key=True),
        reference.hard_attention,
        call={"return_attention_scores": True},
        mask={"query": query_mask(), "value": memory_mask(), "key": memory_mask()},
        output_mask="query",
        left_padded=True,
        zero_gradients={"query": ARGMAX, "key": ARGMAX},
        stochastic={},
        bad_arguments=[
            {"estimator": "sample"},
            {"soft_probability": 1.5},
            {"temperature": 0.0},
        ],
    )


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_log_probability_and_entropy_at_inference(estimator: str) -> None:
    inputs = sample()
    mask = np.array([[True, True, False, True], [False] * 4])
    outputs = HardAttention(estimator)(
        inputs["query"],
        value=inputs["value"],
        attention_mask=mask,
        return_attention_scores=True,
        return_log_probability=True,
    )
    expected = reference.hard_attention(
        {},
        {**inputs, "attention_mask": mask},
        return_attention_scores=True,
        return_log_probability=True,
    )
    for ours, theirs in zip(outputs, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def _many(copies: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same query and memory many times, and alpha; the last position is masked."""
    rng = np.random.default_rng(2)
    query, value = rng.normal(size=(1, 1, 3)), rng.normal(size=(1, 4, 3))
    mask = np.array([[True, True, True, False]])
    alpha = reference.alignments(
        {}, {"query": query, "value": value, "attention_mask": mask}, "dot"
    )
    repeated = (np.repeat(x, copies, 0).astype("float32") for x in (query, value))
    return (*repeated, alpha[0, 0])


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_positions_are_drawn_as_often_as_alpha_says(estimator: str) -> None:
    query, value, alpha = _many(4000)
    layer = HardAttention(estimator, soft_probability=0.0, seed=1)
    mask = np.array([[True, True, True, False]] * 4000)
    _, weights, log_probability, _ = layer(
        query,
        value=value,
        attention_mask=mask,
        training=True,
        return_attention_scores=True,
        return_log_probability=True,
    )
    weights = ops.convert_to_numpy(weights)[:, 0]
    assert np.array_equal(np.sort(weights, -1), [[0, 0, 0, 1]] * 4000)
    errors = np.sqrt(alpha * (1 - alpha) / 4000)
    assert (np.abs(weights.mean(0) - alpha) <= 3 * errors).all()
    np.testing.assert_allclose(
        log_probability[:, 0], np.log(alpha[weights.argmax(-1)]), rtol=1e-4, atol=1e-5
    )


def test_with_probability_one_half_the_soft_weights_stand_in() -> None:
    query, value, alpha = _many(1000)
    query = np.repeat(query, 2, 1)  # two queries an example: one decision for both
    _, weights, log_probability, _ = HardAttention(seed=1)(
        query,
        value=value,
        attention_mask=np.array([[True, True, True, False]] * 1000),
        training=True,
        return_attention_scores=True,
        return_log_probability=True,
    )
    weights = ops.convert_to_numpy(weights)
    soft = np.isclose(weights, alpha, atol=1e-5).all((1, 2))
    assert (weights[~soft].max(-1) == 1).all()
    assert abs(soft.mean() - 0.5) <= 3 * np.sqrt(0.25 / 1000)
    assert not ops.convert_to_numpy(log_probability)[soft].any()


def test_a_decoder_draws_before_its_loop() -> None:
    inputs = {name: ops.array(array) for name, array in sample().items()}
    query, value = inputs["query"], inputs["value"]
    layer = HardAttention("reinforce", seed=5)
    layer(query, value=value)
    gumbel, soft = layer.draw(2, 5, 4)
    whole = layer.select(query, value, training=True, noise=(gumbel, soft))
    for t in range(5):
        now = slice(t, t + 1)
        step = layer.select(query[:, now], value, training=True, noise=(gumbel[:, now], soft))
        for part, full in zip(step, whole, strict=True):
            np.testing.assert_allclose(part, full[:, now], rtol=1e-6)
        context, weights = layer.attend(
            query[:, now], value, value, training=True, noise=(gumbel[:, now], soft)
        )
        np.testing.assert_array_equal(weights, step[0])
        np.testing.assert_allclose(context, ops.matmul(weights, value), rtol=1e-6)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="takes TensorFlow's tape")
def test_gumbel_is_straight_through() -> None:
    """Forward one position, backward the gradient of the softmax at the temperature."""
    import tensorflow as tf

    inputs = sample()
    query, value = tf.constant(inputs["query"]), tf.constant(inputs["value"])
    layer = HardAttention("gumbel", score="dot", temperature=0.7)
    layer(query, value=value)
    noise = layer.draw(2, 5, 4)
    target = tf.random.stateless_normal((2, 5, 4), seed=(1, 2))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(query)
        hard = layer.select(query, value, training=True, noise=noise)[0]
        log_alpha = tf.math.log_softmax(tf.matmul(query, value, transpose_b=True))
        soft = tf.nn.softmax((log_alpha + noise[0]) / 0.7)
        losses = [tf.reduce_sum(w * target) for w in (hard, soft)]
    assert np.array_equal(np.sort(hard, -1)[..., -2:], np.broadcast_to([0, 1], (2, 5, 2)))
    actual, expected = (tape.gradient(loss, query) for loss in losses)
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-6)
