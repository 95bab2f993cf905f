"""Masked loss and metrics against NumPy; padding has no say; replicas add up to one device."""

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from kblocks.training import MaskedAccuracy, MaskedCrossentropy, TokenLoss
from tests.contract.training import two_replicas
from tests.reference import sequence_losses as reference

on_every_backend = pytest.mark.contract


@pytest.fixture
def labels() -> np.ndarray:
    return np.array([[3, 1, 2, 0], [4, 0, 0, 0], [1, 1, 4, 2], [0, 0, 0, 0]], "int32")


@pytest.fixture
def logits() -> np.ndarray:
    return 3 * np.random.default_rng(0).normal(size=(4, 4, 5)).astype("float32")


@on_every_backend
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_crossentropy(labels: np.ndarray, logits: np.ndarray, smoothing: float) -> None:
    rows = [reference.sequence_nll(*pair, smoothing) for pair in zip(labels, logits, strict=True)]
    each = MaskedCrossentropy(smoothing, reduction="none")(labels, logits)
    np.testing.assert_allclose(ops.convert_to_numpy(each), rows, rtol=1e-5)
    loss = MaskedCrossentropy(smoothing)
    np.testing.assert_allclose(ops.convert_to_numpy(loss(labels, logits)), np.mean(rows), rtol=1e-5)
    weighted = loss(labels, logits, sample_weight=np.array([1.0, 0.0, 2.0, 5.0], "float32"))
    expected = (rows[0] + 2 * rows[2]) / 4
    np.testing.assert_allclose(ops.convert_to_numpy(weighted), expected, rtol=1e-5)


def changed(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.where(labels[..., None] == 0, 100 * logits[::-1], logits)


def wider(array: np.ndarray) -> np.ndarray:
    """Two more steps of padding; logits there are of any size."""
    padding = [(0, 0), (0, 2), (0, 0)][: array.ndim]
    return np.pad(array, padding, constant_values=0 if array.ndim == 2 else 50)


@on_every_backend
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_padding_does_not_matter(labels: np.ndarray, logits: np.ndarray, smoothing: float) -> None:
    loss = MaskedCrossentropy(smoothing)
    expected = ops.convert_to_numpy(loss(labels, logits))
    for y, z in ((labels, changed(logits, labels)), (wider(labels), wider(logits))):
        np.testing.assert_allclose(ops.convert_to_numpy(loss(y, z)), expected, rtol=1e-6)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="GradientTape")
def test_padding_has_no_gradient(labels: np.ndarray, logits: np.ndarray) -> None:
    import tensorflow as tf

    z = tf.constant(logits)
    for smoothing in (0.0, 0.1):
        with tf.GradientTape() as tape:
            tape.watch(z)
            loss = MaskedCrossentropy(smoothing)(labels, z)
        gradient = tape.gradient(loss, z).numpy()
        assert not gradient[labels == 0].any()
        assert np.abs(gradient[labels != 0]).max(axis=-1).all()


@on_every_backend
def test_metrics_are_means_over_all_real_positions(labels: np.ndarray, logits: np.ndarray) -> None:
    accuracy, token_loss = MaskedAccuracy(), TokenLoss()
    # In batches of other shapes, as training brings them.
    for y, z in ((labels[:1, :3], logits[:1, :3]), (labels[1:], changed(logits, labels)[1:])):
        accuracy.update_state(y, z)
        token_loss.update_state(y, z)
    real = labels != 0
    hits = (logits.argmax(-1) == labels)[real]
    nll = sum(reference.sequence_nll(*pair) for pair in zip(labels, logits, strict=True))
    np.testing.assert_allclose(ops.convert_to_numpy(accuracy.result()), hits.mean(), rtol=1e-6)
    np.testing.assert_allclose(
        ops.convert_to_numpy(token_loss.result()), nll / real.sum(), rtol=1e-5
    )


@on_every_backend
@pytest.mark.parametrize("metric_class", [MaskedAccuracy, TokenLoss])
def test_metrics_weigh_sequences(metric_class: Any, labels: np.ndarray, logits: np.ndarray) -> None:
    weighted, chosen = metric_class(), metric_class()
    weighted.update_state(labels, logits, sample_weight=np.array([1, 0, 1, 1], "float32"))
    chosen.update_state(labels[::2], logits[::2])
    np.testing.assert_allclose(
        ops.convert_to_numpy(weighted.result()), ops.convert_to_numpy(chosen.result()), rtol=1e-6
    )
    assert float(metric_class().result()) == 0.0


def test_two_replicas_are_one_device(labels: np.ndarray) -> None:
    """The second replica's sequences are shorter, so that means over tokens would differ."""
    import tensorflow as tf

    x = np.random.default_rng(1).normal(size=(4, 4, 3)).astype("float32")

    def step(strategy: Any) -> tuple[dict, list[np.ndarray]]:
        keras.utils.set_random_seed(2)
        with strategy.scope():
            model = keras.Sequential([keras.Input((None, 3)), keras.layers.Dense(5)])
            metrics = [MaskedAccuracy(), TokenLoss()]
            model.compile(keras.optimizers.SGD(0.5), MaskedCrossentropy(0.1), metrics=metrics)
        return model.fit(x, labels, 4, shuffle=False, verbose=0).history, model.get_weights()

    history, alone = step(tf.distribute.get_strategy())
    found, together = step(two_replicas())
    for name, values in history.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-5)
    for a, b in zip(together, alone, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_under_mixed_precision_the_sum_is_of_float32(labels: np.ndarray) -> None:
    keras.config.set_dtype_policy("mixed_float16")
    logits = np.zeros((4, 4, 5), "float16")
    loss = MaskedCrossentropy()(labels, logits)
    assert keras.backend.standardize_dtype(loss.dtype) == "float32"
    np.testing.assert_allclose(loss, 8 * np.log(5) / 4, rtol=1e-6)


def test_configs_come_back() -> None:
    for thing in (MaskedCrossentropy(0.2, name="nll"), MaskedAccuracy("hits"), TokenLoss()):
        saved = keras.saving.serialize_keras_object(thing)
        copy = keras.saving.deserialize_keras_object(saved)
        assert type(copy) is type(thing)
        assert copy.get_config() == thing.get_config()


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, 2])
def test_smoothing_out_of_range(smoothing: float) -> None:
    with pytest.raises(
        ValueError, match=rf"`label_smoothing` must be in \[0, 1\), got {smoothing}"
    ):
        MaskedCrossentropy(smoothing)
