"""FusedAdam against algorithm 1 of its paper, and against Keras' Adam and AdamW in training."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from kblocks.training import FusedAdam, GlobalNormClipping, LinearSchedule
from tests.contract.training import two_replicas
from tests.parity.other_backends import check_on
from tests.reference.training import adam

RATE = 0.05
IDS = np.random.default_rng(0).integers(0, 5, (8, 3))
Y = np.random.default_rng(1).normal(size=(8, 2)).astype("float32")


def embedded(optimizer: keras.optimizers.Optimizer, **compiled: Any) -> keras.Model:
    """A model whose first gradient is rows with indices, on TensorFlow; id 5 never occurs."""
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Embedding(6, 4), keras.layers.Flatten(), keras.layers.Dense(2)]
    model = keras.Sequential([keras.Input((3,), dtype="int32"), *layers])
    model.compile(optimizer, "mse", **compiled)
    return model


def fit(model: keras.Model, epochs: int = 2) -> list[np.ndarray]:
    model.fit(IDS, Y, batch_size=4, epochs=epochs, shuffle=False, verbose=0)
    return model.get_weights()


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize("weight_decay", [None, 0.4])
def test_steps_are_the_papers(dtype: str, weight_decay: float | None) -> None:
    if dtype == "float64" and keras.backend.backend() == "jax":
        pytest.skip("JAX has no float64 unless it is asked for at its start")
    rng = np.random.default_rng(2)
    start, gradients = rng.normal(size=(2, 3)), rng.normal(size=(4, 2, 3))
    variable = keras.Variable(start, dtype=dtype)
    optimizer = FusedAdam(RATE, weight_decay, beta_1=0.8, beta_2=0.99, epsilon=1e-3)
    for g in gradients:
        optimizer.apply([ops.convert_to_tensor(g, dtype)], [variable])
    found = ops.convert_to_numpy(ops.cast(variable, "float32"))
    expected = adam(start, gradients, RATE, weight_decay or 0.0, (0.8, 0.99), 1e-3)
    np.testing.assert_allclose(found, expected, rtol=5e-2 if dtype == "bfloat16" else 1e-5)


@pytest.mark.parametrize("jit_compile", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("weight_decay", [None, 0.4])
def test_training_is_as_with_keras(weight_decay: float | None, jit_compile: bool) -> None:
    """Under a clipping that only makes rows one tensor, for Keras squares each row by itself."""
    if jit_compile and keras.backend.backend() == "torch":
        pytest.skip("XLA is TensorFlow's and JAX'")

    def trained(optimizer: keras.optimizers.Adam) -> list[np.ndarray]:
        optimizer.exclude_from_weight_decay(var_names=["bias"])
        return fit(embedded(GlobalNormClipping(optimizer, 1e9), jit_compile=jit_compile))

    theirs = keras.optimizers.AdamW if weight_decay else keras.optimizers.Adam
    options = {"learning_rate": LinearSchedule(RATE, 9, 2), "weight_decay": weight_decay}
    pairs = zip(trained(FusedAdam(**options)), trained(theirs(**options)), strict=True)
    for found, expected in pairs:
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_the_rows_of_a_token_are_summed_before_they_are_squared() -> None:
    plain = fit(embedded(FusedAdam(RATE)))
    dense = fit(embedded(GlobalNormClipping(FusedAdam(RATE), 1e9)))
    for found, expected in zip(plain, dense, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("weight_decay", [None, 0.4])
def test_accumulated_batches_are_one_batch(weight_decay: float | None) -> None:
    """The rate, too, is that of a step: the schedule does not move on with every batch."""

    def trained(batch_size: int, **options: Any) -> list[np.ndarray]:
        optimizer = FusedAdam(LinearSchedule(RATE, 9, 2), weight_decay, **options)
        model = embedded(GlobalNormClipping(optimizer, 0.5))
        model.optimizer.build(model.trainable_variables)
        model.fit(IDS, Y, batch_size=batch_size, epochs=4, shuffle=False, verbose=0)
        assert int(optimizer.iterations) == 8
        assert float(model.optimizer.learning_rate) == pytest.approx(RATE / 7)
        return model.get_weights()

    accumulated = trained(2, gradient_accumulation_steps=2)
    for found, expected in zip(accumulated, trained(4), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_two_replicas_are_one_device() -> None:
    if keras.backend.backend() != "tensorflow":
        pytest.skip("tf.distribute is TensorFlow's")

    def made() -> keras.Model:
        optimizer = GlobalNormClipping(FusedAdam(RATE, weight_decay=0.2), 0.1)
        return embedded(optimizer, jit_compile=False)

    expected = fit(made())
    with two_replicas().scope():
        model = made()
    for found, value in zip(fit(model), expected, strict=True):
        np.testing.assert_allclose(found, value, rtol=1e-4, atol=1e-6)


def test_a_keras_file_goes_on_where_it_was(tmp_path: Path) -> None:
    model = embedded(FusedAdam(RATE, weight_decay=0.2))
    fit(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.optimizer.get_config() == model.optimizer.get_config()
    for found, expected in zip(fit(loaded), fit(model), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_no_amsgrad() -> None:
    with pytest.raises(ValueError, match="`amsgrad` must be false"):
        FusedAdam(amsgrad=True)


@pytest.mark.parity
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_on_the_other_backends(backend: str) -> None:
    check_on(backend, __file__)
