"""Adam with a rate for each layer: steps by hand, under clipping, replicas and from a file."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from kblocks.models import BertClassifier
from kblocks.training import FusedAdam, GlobalNormClipping, LayerwiseAdam, LinearSchedule
from tests.contract.training import two_replicas
from tests.models.language.bert_samples import encoder, texts
from tests.parity.other_backends import check_on
from tests.reference.training import adam

DEPTHS, DECAY, RATE = [1, 1, 0, 0], 0.3, 0.05
X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
Y = np.random.default_rng(1).normal(size=(8, 2)).astype("float32")


def two_layers(optimizer: keras.optimizers.Optimizer, **compiled: Any) -> keras.Model:
    keras.utils.set_random_seed(0)
    dense = keras.layers.Dense
    model = keras.Sequential([keras.Input((3,)), dense(4, activation="tanh"), dense(2)])
    model.compile(optimizer, "mse", **compiled)
    return model


def fit(model: keras.Model, epochs: int = 1) -> list[np.ndarray]:
    model.fit(X, Y, batch_size=4, epochs=epochs, shuffle=False, verbose=0)
    return model.get_weights()


@pytest.mark.parametrize("weight_decay", [None, 0.4])
def test_the_steps_of_each_weight_are_the_papers(weight_decay: float | None) -> None:
    rng = np.random.default_rng(2)
    start = [rng.normal(size=3).astype("float32") for _ in DEPTHS]
    gradients = [[rng.normal(size=3).astype("float32") for _ in DEPTHS] for _ in range(3)]
    variables = [keras.Variable(value) for value in start]
    optimizer = LayerwiseAdam(DEPTHS, DECAY, RATE, weight_decay=weight_decay)
    for step in gradients:
        optimizer.apply([ops.convert_to_tensor(g) for g in step], variables)
    for i, depth in enumerate(DEPTHS):
        of_weight = [step[i] for step in gradients]
        expected = adam(start[i], of_weight, RATE * DECAY**depth, weight_decay or 0.0)
        found = ops.convert_to_numpy(variables[i])
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_a_step_under_clipping_is_adams_scaled() -> None:
    """m and v see the clipped gradient, whole: each layer's part of a step differs by its rate."""
    layerwise = two_layers(GlobalNormClipping(LayerwiseAdam(DEPTHS, DECAY, RATE), 0.1))
    plain = two_layers(GlobalNormClipping(keras.optimizers.Adam(RATE), 0.1))
    start = plain.get_weights()
    for model in (layerwise, plain):
        model.train_on_batch(X, Y)
    moved = [
        [b - a for a, b in zip(start, model.get_weights(), strict=True)]
        for model in (layerwise, plain)
    ]
    for depth, found, whole in zip(DEPTHS, *moved, strict=True):
        np.testing.assert_allclose(found, DECAY**depth * whole, rtol=1e-4, atol=1e-7)


def test_without_decay_it_is_adam() -> None:
    """The steps of FusedAdam, and those of Keras up to how several operations round."""

    def trained(optimizer: keras.optimizers.Optimizer) -> list[np.ndarray]:
        optimizer.exclude_from_weight_decay(var_names=["bias"])
        return fit(two_layers(optimizer))

    layerwise = trained(LayerwiseAdam(DEPTHS, 1.0, RATE, weight_decay=0.1))
    for other, atol in ((FusedAdam, 1e-7), (keras.optimizers.AdamW, 1e-6)):
        for found, expected in zip(layerwise, trained(other(RATE, weight_decay=0.1)), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=atol)


def test_two_replicas_are_one_device() -> None:
    if keras.backend.backend() != "tensorflow":
        pytest.skip("tf.distribute is TensorFlow's")

    def made() -> keras.Model:
        inner = LayerwiseAdam(DEPTHS, DECAY, LinearSchedule(RATE, 9, 2), weight_decay=0.2)
        inner.exclude_from_weight_decay(var_names=["bias"])
        return two_layers(GlobalNormClipping(inner, 0.1), jit_compile=False)

    expected = fit(made(), epochs=2)
    with two_replicas().scope():
        model = made()
    for found, value in zip(fit(model, epochs=2), expected, strict=True):
        np.testing.assert_allclose(found, value, rtol=1e-4, atol=1e-6)


def test_a_keras_file_goes_on_where_it_was(tmp_path: Path) -> None:
    model = two_layers(GlobalNormClipping(LayerwiseAdam(DEPTHS, DECAY, RATE), 0.1))
    fit(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.optimizer.get_config() == model.optimizer.get_config()
    assert loaded.optimizer.optimizer.depths == DEPTHS
    for found, expected in zip(fit(loaded), fit(model), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_the_depths_of_a_bert() -> None:
    model = BertClassifier(encoder(), num_classes=2)
    model(texts())
    by_layer = {id(v): d for v, d in zip(model.trainable_variables, model.depths(), strict=True)}

    def of(layer: keras.layers.Layer) -> set[int]:
        return {by_layer[id(v)] for v in layer.trainable_variables}

    assert of(model.head) == of(model.encoder.pooler) == {0}
    assert of(model.encoder.encoder[1]) == {1}
    assert of(model.encoder.encoder[0]) == {2}
    assert of(model.encoder.token_embedding) == of(model.encoder.embedding_norm) == {3}
    assert of(model.encoder.segment_embedding) == of(model.encoder.position_embedding) == {3}


@pytest.mark.parametrize("decay", [0, 1.5, -1.0, np.nan, "1", True])
def test_a_wrong_decay(decay: Any) -> None:
    with pytest.raises(ValueError, match="`decay` must be over 0 and at most 1, but it is"):
        LayerwiseAdam([0], decay)


@pytest.mark.parametrize("depth", [-1, 0.5, True, "0"])
def test_a_wrong_depth(depth: Any) -> None:
    with pytest.raises(ValueError, match="`depths` must be integers from 0, but one is"):
        LayerwiseAdam([0, depth])


def test_not_as_many_depths_as_weights() -> None:
    with pytest.raises(ValueError, match="one for each trainable weight, 1, but they are 2"):
        LayerwiseAdam([0, 1]).build([keras.Variable([1.0])])


@pytest.mark.parity
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_on_the_other_backends(backend: str) -> None:
    check_on(backend, __file__)
