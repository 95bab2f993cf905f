"""The recipe `pixels`, on images so small that it takes seconds."""

import json
import struct

import keras
import numpy as np
import pytest
import tensorflow as tf

from kblocks.models.vision import count_weights
from kblocks.recipes import get
from kblocks.recipes.pixels import PixelsConfig, width_for
from kblocks.recipes.run import RunDirectory


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Stripes, whose place alone is drawn: most pixels follow from those before them."""
    path = tmp_path_factory.mktemp("stripes")
    rng = np.random.default_rng(0)
    for name, number in (("train", 80), ("t10k", 12)):
        columns = (np.arange(6) + rng.integers(0, 3, number)[:, None]) % 3 == 0
        images = np.repeat(255 * columns[:, None], 5, axis=1).astype("uint8")
        for kind, array in (
            ("images-idx3", images),
            ("labels-idx1", np.zeros(number, "uint8")),
        ):
            header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
            (path / f"{name}-{kind}-ubyte").write_bytes(header + array.tobytes())
    return path


def config(folder, **changes):
    tiny = {"data": str(folder), "validation": 16, "layers": 1, "units": 4, "batch_size": 16}
    return PixelsConfig(**{**tiny, "learning_rate": 0.02, **changes})


@pytest.mark.slow
@pytest.mark.parametrize("layer", ["conv", pytest.param("diagonal", marks=pytest.mark.full)])
def test_from_training_to_export(folder, tmp_path, layer):
    recipe, settings = get("pixels"), config(folder, layer=layer, epochs=12)
    run = RunDirectory.create(tmp_path / "run", "pixels", settings)
    best = recipe.train(settings, run, quiet=True)
    history = run.history()
    assert best["val_log_likelihood"] == max(row["val_log_likelihood"] for row in history)
    np.testing.assert_allclose(
        [row["val_loss"] for row in history],
        [-row["val_log_likelihood"] for row in history],
        rtol=1e-5,
    )
    measured = recipe.evaluate(run)
    np.testing.assert_allclose(measured["val_nats"], -best["val_log_likelihood"], rtol=1e-5)
    # 30 pixels by chance are 20.8 nats; the place of the stripes is log 3 = 1.1.
    assert 1.0 < measured["test_nats"] < 10
    assert json.loads((run.path / "results.json").read_text())["metrics"].keys() == {
        "val_nats",
        "test_nats",
    }
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in recipe.plot(run))

    exported = tf.saved_model.load(str(recipe.export(run, tmp_path / "models")))
    images = recipe.read(settings).test[:3]
    outputs = exported.signatures["serving_default"](images=tf.constant(images))
    _, _, model = recipe.load(run)
    np.testing.assert_allclose(
        outputs["log_likelihood"], model.log_likelihood(images), rtol=1e-4, atol=1e-4
    )
    np.testing.assert_allclose(
        outputs["probability"], keras.ops.sigmoid(model(images)), rtol=1e-4, atol=1e-5
    )


def test_all_layers_have_about_as_many_parameters():
    for parameters in (20_000, 60_000):
        counts = {}
        for layer in ("row", "diagonal", "conv"):
            units, features = width_for(layer, 4, parameters)
            counts[layer] = count_weights(layer, units, 4, features)
        assert max(counts.values()) <= parameters
        assert min(counts.values()) >= 0.98 * parameters, counts


def test_the_model_has_the_width_that_the_settings_say(folder):
    make_model = get("pixels").make_model
    assert make_model(config(folder, layer="conv")).get_config()["features"] == 8
    model = make_model(config(folder, layer="conv", units=None, parameters=3000))
    assert count_weights("conv", model.units, 1, model.features) <= 3000
    with pytest.raises(ValueError, match="`parameters` must be at least"):
        make_model(config(folder, units=None, parameters=10))


def test_the_splits(folder):
    read = get("pixels").read
    images = read(config(folder))
    assert [len(split) for split in images] == [64, 16, 12]
    assert [len(split) for split in read(config(folder, images=10))] == [10, 16, 12]
    np.testing.assert_array_equal(read(config(folder, binarise=3)).test, images.test)
    for validation in (0, 80):
        with pytest.raises(ValueError, match="`validation` must be from 1 to 79"):
            read(config(folder, validation=validation))
    with pytest.raises(ValueError, match="has neither train-images-idx3-ubyte nor"):
        read(config(folder / "absent"))
