"""The loss of hard attention, and the gradient that it estimates."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

from kblocks.layers import HardAttention
from kblocks.training import MovingBaseline, reinforce_loss

SOURCE, FEATURES, CLASSES = 3, 2, 4


def _problem() -> dict[str, np.ndarray]:
    """Two queries a memory of three; the label depends on both positions that are looked at."""
    rng = np.random.default_rng(8)
    return {
        "query": rng.normal(size=(1, 2, FEATURES)),
        "value": rng.normal(size=(1, SOURCE, FEATURES)),
        "readout": rng.normal(size=(2 * FEATURES, CLASSES)),
    }


def _log_softmax(x: np.ndarray) -> np.ndarray:
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def _enumerated_loss(query: np.ndarray, value: np.ndarray, readout: np.ndarray) -> float:
    """-L_s of equation 10 for label 0: the sum over all pairs of positions, in NumPy."""
    log_alpha = _log_softmax(query[0] @ value[0].T)  # (target, source)
    total = 0.0
    for pair in itertools.product(range(SOURCE), repeat=2):
        probability = np.exp(sum(log_alpha[t, s] for t, s in enumerate(pair)))
        read = np.concatenate([value[0, s] for s in pair])
        total += probability * _log_softmax(read @ readout)[0]
    return -total


def _enumerated_gradients(problem: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    gradients = {}
    for name in ("query", "value"):
        gradients[name] = np.zeros_like(problem[name])
        for index in np.ndindex(problem[name].shape):
            step = np.zeros_like(problem[name])
            step[index] = 1e-6
            up, down = (
                _enumerated_loss(**{**problem, name: problem[name] + sign * step})
                for sign in (1, -1)
            )
            gradients[name][index] = (up - down) / 2e-6
    return gradients


def _sampled_gradients(
    problem: dict[str, np.ndarray], baseline: float, copies: int = 20000
) -> dict[str, np.ndarray]:
    """One estimate per copy of the example, each from its own draw: (copies, ...)."""
    import tensorflow as tf

    query, value = (
        tf.constant(np.repeat(problem[name], copies, 0), "float32") for name in ("query", "value")
    )
    layer = HardAttention("reinforce", score="dot", soft_probability=0.0, seed=4)
    with tf.GradientTape() as tape:
        tape.watch([query, value])
        context, log_probability, _ = layer(
            query, value=value, training=True, return_log_probability=True
        )
        read = tf.reshape(context, (copies, -1))
        logits = tf.matmul(read, problem["readout"].astype("float32"))
        log_likelihood = tf.nn.log_softmax(logits)[:, 0]
        loss = reinforce_loss(log_likelihood, log_probability, baseline=baseline)
        gradients = tape.gradient(tf.reduce_sum(loss), [query, value])
    return dict(zip(("query", "value"), (g.numpy() for g in gradients), strict=True))


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="takes TensorFlow's tape")
@pytest.mark.parametrize("baseline", [0.0, -2.0])
def test_the_mean_gradient_is_the_enumerated_one(baseline: float) -> None:
    problem = _problem()
    expected = _enumerated_gradients(problem)
    sampled = _sampled_gradients(problem, baseline)
    for name, estimates in sampled.items():
        error = estimates.std(0, ddof=1) / np.sqrt(len(estimates))
        distance = np.abs(estimates.mean(0) - expected[name][0])
        assert (distance <= 3 * error).all(), f"{name}: {distance / error} standard errors"
        # The test has teeth: what is compared is far from zero, measured in standard errors.
        assert (np.abs(expected[name]) > 30 * error).any()


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="takes TensorFlow's tape")
def test_a_baseline_near_the_mean_steadies_the_estimate() -> None:
    problem = _problem()
    spread = [
        sum(g.var(0).sum() for g in _sampled_gradients(problem, baseline, 4000).values())
        for baseline in (0.0, -_enumerated_loss(**problem))
    ]
    assert spread[1] < 0.7 * spread[0]


def test_the_loss_is_what_the_equation_says() -> None:
    log_likelihood = np.array([-2.0, -3.0], "float32")
    log_probability = np.array([[-1.0, -0.5], [-0.2, -0.1]], "float32")
    entropy = np.array([[0.4, 0.6], [0.1, 0.3]], "float32")
    mask = np.array([[True, True], [True, False]])
    loss = reinforce_loss(
        ops.array(log_likelihood),
        ops.array(log_probability),
        ops.array(entropy),
        baseline=-2.5,
        reward_weight=0.5,
        entropy_weight=0.1,
        mask=ops.array(mask),
    )
    expected = [
        -(-2.0 + 0.5 * (-2.0 + 2.5) * -1.5 + 0.1 * 1.0),
        -(-3.0 + 0.5 * (-3.0 + 2.5) * -0.2 + 0.1 * 0.1),
    ]
    np.testing.assert_allclose(loss, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((2, 1), (2, 3), (2, 3)), r"`log_likelihood` must have shape \(batch,\), got \(2, 1\)"),
        (((2,), (2,), (2, 3)), r"`log_probability` must have shape \(batch, target\), got \(2,\)"),
        (((2,), (2, 3), (2,)), r"`entropy` must have shape \(batch, target\), got \(2,\)"),
    ],
)
def test_wrong_shapes(shapes: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        reinforce_loss(*(ops.zeros(shape) for shape in shapes))


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_the_baseline_moves_in_training_only(policy: str) -> None:
    layer = MovingBaseline(decay=0.8, dtype=policy)
    rewards = [ops.array([-1.0, -3.0]), ops.array([-4.0, -4.0]), ops.array([-5.0, -1.0])]
    seen = [float(layer(reward, training=True)) for reward in rewards]
    np.testing.assert_allclose(seen, [0.0, -0.4, -1.12], rtol=1e-6)
    assert float(layer(rewards[0])) == float(layer(rewards[0]))
    copy = MovingBaseline.from_config(layer.get_config())
    assert copy.decay == 0.8


def test_a_decay_out_of_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`decay` must be a number from 0 to 1, got 1\.5"):
        MovingBaseline(1.5)
