"""The recipes `images` and `pathfinder`, on images so small that they take seconds."""

import json
import struct

import keras
import numpy as np
import pytest
import tensorflow as tf

from kblocks.recipes import get
from kblocks.recipes.grids import count_weights, width_for
from kblocks.recipes.images import ImagesConfig
from kblocks.recipes.pathfinder import PathfinderConfig
from kblocks.recipes.run import RunDirectory

LAYERS = ("lstm2d", "rows", "raster")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The bright third of an image is its class: left, middle or right."""
    path = tmp_path_factory.mktemp("thirds")
    rng = np.random.default_rng(0)
    for name, number in (("train", 80), ("t10k", 12)):
        labels = rng.integers(0, 3, number).astype("uint8")
        images = rng.integers(0, 60, (number, 4, 6)).astype("uint8")
        images += 150 * (np.arange(6) // 2 == labels[:, None, None]).astype("uint8")
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
            (path / f"{name}-{kind}-ubyte").write_bytes(header + array.tobytes())
    return path


def config(folder, **changes):
    tiny = {"data": str(folder), "validation": 16, "patch": 2, "parameters": 700, "features": 4}
    tiny |= {"names": ("left", "middle", "right"), "batch_size": 16, "learning_rate": 0.02}
    return ImagesConfig(**{**tiny, **changes})


@pytest.mark.slow
@pytest.mark.parametrize("layer", ["lstm2d", "rows"])
def test_from_training_to_export(folder, tmp_path, layer):
    recipe, settings = get("images"), config(folder, layer=layer, epochs=20, learning_rate=0.05)
    run = RunDirectory.create(tmp_path / "run", "images", settings)
    best = recipe.train(settings, run, quiet=True)
    assert best["val_accuracy"] == max(row["val_accuracy"] for row in run.history())
    measured = recipe.evaluate(run)
    np.testing.assert_allclose(measured["val_accuracy"], best["val_accuracy"], rtol=1e-6)
    assert measured["test_accuracy"] > 0.9
    assert measured["parameters"] <= settings.parameters
    stored = json.loads((run.path / "results.json").read_text())
    assert stored["metrics"].keys() == {"val_accuracy", "val_loss", "test_accuracy", "test_loss"}
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in recipe.plot(run))

    exported = tf.saved_model.load(str(recipe.export(run, tmp_path / "models")))
    images, labels = recipe.read(settings).test
    outputs = exported.signatures["serving_default"](images=tf.constant(images))
    np.testing.assert_allclose(tf.reduce_sum(outputs["probability"], axis=1), 1, rtol=1e-5)
    right = (outputs["class"].numpy() == labels).mean()
    np.testing.assert_allclose(right, measured["test_accuracy"], rtol=1e-6)


@pytest.mark.slow
def test_a_step_on_pathfinder(tmp_path):
    few = {"images": 16, "held_out": 4, "size": 9, "length": 4, "distractors": 1}
    settings = PathfinderConfig(**few, parameters=2000, features=4, batch_size=8, epochs=1)
    recipe, run = get("pathfinder"), RunDirectory.create(tmp_path / "run", "pathfinder", settings)
    recipe.train(settings, run, quiet=True)
    assert len(run.history()) == 1
    assert recipe.classes(settings) == ("two curves", "one curve")
    images = recipe.read(settings)
    assert [len(labels) for _, labels in images] == [16, 4, 4]
    assert set(np.unique(images.train[0])) == {0, np.float32(128 / 255), 1}


def test_the_last_features_are_pooled_over_all_places(folder):
    recipe, images = get("images"), np.random.default_rng(0).random((3, 4, 6, 1)).astype("float32")
    models = [recipe.make_model(config(folder, pooling=p), (4, 6, 1)) for p in ("mean", "max")]
    models[1].set_weights(models[0].get_weights())
    places = keras.Model(models[0].input, models[0].layers[-3].output)(images)
    kernel, bias = models[0].layers[-1].get_weights()
    for model, pool in zip(models, (np.mean, np.max), strict=True):
        expected = pool(places.numpy(), axis=(1, 2)) @ kernel + bias
        np.testing.assert_allclose(model(images), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("made", "channels", "classes"), [(ImagesConfig(), 16, 10), (PathfinderConfig(), 1, 2)]
)
def test_all_layers_have_about_as_many_parameters(made, channels, classes):
    counts = {}
    for layer in LAYERS:
        made.layer = layer
        counts[layer] = count_weights(made, channels, classes, *width_for(made, channels, classes))
    assert max(counts.values()) <= made.parameters
    assert min(counts.values()) >= 0.99 * made.parameters, counts


@pytest.mark.slow
@pytest.mark.parametrize("layer", LAYERS)
def test_what_the_model_sees(folder, layer):
    made = config(folder, layer=layer, layers=2, parameters=2000)
    model = get("images").make_model(made, (4, 6, 1))
    units, last = width_for(made, 4, 3)
    assert model.count_params() == count_weights(made, 4, 3, units, last)
    images = np.random.default_rng(1).random((3, 4, 6, 1)).astype("float32")
    logits = model.predict_on_batch(images)
    assert logits.shape == (3, 3)

    def changed_by(rows):
        return np.abs(model.predict_on_batch(images[:, rows]) - logits).max()

    # Two rows of patches, each of two rows of pixels: where each is read alone and the mean is
    # taken, they may change places as a whole, but their pixels may not.
    swapped, mixed = changed_by([2, 3, 0, 1]), changed_by([2, 1, 0, 3])
    assert swapped < 1e-5 if layer == "rows" else swapped > 1e-4
    assert mixed > 1e-4


def test_settings_that_do_not_fit(folder):
    with pytest.raises(ValueError, match="`patch` must divide the height and the width, 4 and 6"):
        get("images").make_model(config(folder, patch=4), (4, 6, 1))
    with pytest.raises(ValueError, match="`parameters` must be at least"):
        width_for(config(folder, parameters=10), 4, 3)
    read = get("images").read
    with pytest.raises(ValueError, match=r"has the label 2, and `names` has 2 classes"):
        read(config(folder, names=("left", "right")))
    with pytest.raises(ValueError, match="`validation` must be from 1 to 79"):
        read(config(folder, validation=80))
    with pytest.raises(ValueError, match="`data` of pathfinder must be 'generated'"):
        get("pathfinder").read(PathfinderConfig(data="elsewhere"))
