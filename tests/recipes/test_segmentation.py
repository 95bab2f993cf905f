"""The recipe `segmentation` on photos of two squares: trained, measured, drawn, exported."""

import dataclasses
import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from kblocks.data import Batches
from kblocks.export import ImageSegmenter
from kblocks.export.segment_file import segment_file
from kblocks.export.served import Served
from kblocks.models import GraphLSTMSegmenter
from kblocks.plotting import class_colors
from kblocks.recipes import get
from kblocks.recipes.run import RunDirectory
from kblocks.recipes.segmentation import SceneClasses, overlap, segmenting
from tests.data.test_segmentation import write_npz

pytest.importorskip("skimage")


def toy(folder: Path) -> Path:
    """Bright is road, dark is sky, and a corner has no class."""
    rng = np.random.default_rng(1)
    changes: dict[str, object] = {}
    for split, count in (("train", 8), ("val", 3)):
        images, masks = [], []
        for _ in range(count):
            mask = np.zeros((16, 24), "uint8")
            mask[:, rng.integers(6, 18) :] = 1
            noise = rng.integers(0, 40, (16, 24, 3))
            images.append(np.where(mask[..., None] == 1, 215, 0) + noise)
            mask[:4, :4] = 2
            masks.append(mask[..., None])
        for kind, arrays in (("img", images), ("mask", masks)):
            files = [tf.io.encode_png(array.astype("uint8")).numpy() for array in arrays]
            changes[f"{split}_{kind}_bytes"] = np.frombuffer(b"".join(files), "uint8")
            changes[f"{split}_{kind}_offsets"] = np.cumsum([0, *map(len, files)])
    return write_npz(folder / "toy.npz", **changes)


@pytest.mark.slow
@pytest.mark.parametrize("graph", [True, pytest.param(False, marks=pytest.mark.full)])
def test_from_photos_to_a_served_model(tmp_path: Path, graph: bool) -> None:
    recipe = get("segmentation")
    config = recipe.Config(
        data=str(toy(tmp_path)),
        height=16,
        width=24,
        superpixels=12,
        units=8,
        blocks=1,
        graph=graph,
        batch_size=4,
        epochs=8,
        learning_rate=0.02,
    )
    run = RunDirectory.create(tmp_path / "run", "segmentation", config)
    best = recipe.train(config, run, quiet=True)
    assert best["val_mean_iou"] > 0.8
    assert best["loss"] < run.history()[0]["loss"]
    measured = recipe.evaluate(run)
    assert measured["val_mean_iou"] == pytest.approx(best["val_mean_iou"], abs=1e-6)
    ious = [measured[f"val_iou_{name}"] for name in ("sky", "road")]
    assert measured["val_mean_iou"] == pytest.approx(np.mean(ious))
    assert json.loads((run.path / "results.json").read_text())["metrics"]["val_accuracy"] > 0.8
    assert all(picture.stat().st_size > 5000 for picture in recipe.plot(run))
    version = recipe.export(run, tmp_path / "saved")
    served = tf.saved_model.load(str(version)).signatures["serving_default"]
    for size in ((16, 24), (1, 1), (37, 50)):
        image = np.zeros((2, *size, 3), "uint8")
        image[:, :, size[1] // 2 :] = 235
        found = {name: value.numpy() for name, value in served(image=tf.constant(image)).items()}
        assert found["mask"].shape == (2, *size)
        np.testing.assert_allclose(found["probabilities"].sum(-1), 1, atol=1e-5)
        np.testing.assert_array_equal(found["probabilities"].argmax(-1), found["mask"])
    assert (found["mask"] == (np.arange(50) >= 25)).mean() > 0.8
    assert found["classes"].tolist() == [[b"sky", b"road"]] * 2
    photo = tmp_path / "photo.png"
    photo.write_bytes(tf.io.encode_png(image[0]).numpy())
    made = segment_file(Served(version.parent), photo, tmp_path / "mask.png")
    drawn = tf.io.decode_png(made.path.read_bytes()).numpy()
    np.testing.assert_array_equal(drawn, class_colors(2)[found["mask"][0]])
    assert made.shares["road"] == pytest.approx(found["mask"][0].mean())


def test_mean_iou_leaves_void_and_absent_classes_out() -> None:
    rng = np.random.default_rng(3)
    labels, logits = rng.choice([0, 1, 2, 4], (2, 5, 6)), rng.normal(size=(2, 5, 6, 4))
    logits[..., 3] = -9  # a class that is neither there nor predicted
    model = type("Fixed", (), {"__call__": lambda self, inputs, training: {"logits": inputs}})()
    batches = Batches(
        tf.data.Dataset.from_tensor_slices((logits, {"logits": labels})).batch(1), 2, 0
    )
    found = overlap(segmenting(model), batches, SceneClasses(("a", "b", "c", "d"), 4))
    predicted, known = logits.argmax(-1), labels != 4
    ious = [
        ((labels == k) & (predicted == k)).sum()
        / (((labels == k) | (predicted == k)) & known).sum()
        for k in range(3)
    ]
    assert found["mean_iou"] == pytest.approx(np.mean(ious))
    assert found["iou_b"] == pytest.approx(ious[1])
    assert found["accuracy"] == pytest.approx((labels == predicted)[known].mean())
    assert "iou_d" not in found


def test_missing_data_are_told() -> None:
    config = get("segmentation").Config(data="nowhere")
    with pytest.raises(ValueError, match="nowhere is not there: give CamVid's"):
        get("segmentation").read(config)


def test_as_many_names_as_classes() -> None:
    model = GraphLSTMSegmenter(2, units=8, blocks=1)
    with pytest.raises(ValueError, match=r"`classes` must be 2 names, got \['sky'\]"):
        ImageSegmenter(model, (8, 8), classes=["sky"])


def test_an_image_is_brought_to_the_pixels_trained_on() -> None:
    model = GraphLSTMSegmenter(2, units=8, blocks=1)
    model.build()
    segmenter = ImageSegmenter(model, (30, 40), cells=12)
    for size in ((30, 40), (300, 400), (9, 5000), (7, 3)):
        height, width = segmenter._trained_size(*size).numpy()
        assert height * width == pytest.approx(1200, rel=0.4)
        assert height / width == pytest.approx(size[0] / size[1], rel=0.5)
    keras.backend.clear_session()


@pytest.mark.slow
def test_a_run_begins_with_the_convolutions_of_another(tmp_path: Path) -> None:
    recipe = get("segmentation")
    small = {"height": 16, "width": 24, "superpixels": 12, "units": 8, "blocks": 1, "epochs": 1}
    first = recipe.Config(data=str(toy(tmp_path)), graph=None, batch_size=4, **small)
    stem = RunDirectory.create(tmp_path / "stem", "segmentation", first)
    recipe.train(first, stem, quiet=True)
    parts, (_, _, trained) = recipe.load_parts(first, stem), recipe.load(stem)
    config = recipe.Config(data=first.data, stem=str(stem.path), **small)
    model = recipe.make_model(config, parts)
    image = np.random.default_rng(0).integers(0, 256, (1, 16, 24, 3), "uint8")
    assert np.abs(model.features(image) - trained.features(image)).max() > 0.01
    recipe.begin(config, parts, model)
    np.testing.assert_allclose(model.features(image), trained.features(image), rtol=1e-6)
    for ours, theirs in (
        (model.confidence, trained.confidence),
        (model.classify, trained.classify),
    ):
        np.testing.assert_array_equal(ours.kernel, theirs.kernel)
    with pytest.raises(ValueError, match=r"`stem`: .* has units=8, this run 16"):
        recipe.begin(dataclasses.replace(config, units=16), parts, model)
    with pytest.raises(ValueError, match="is no run directory"):
        recipe.begin(dataclasses.replace(config, stem=str(tmp_path)), parts, model)
    with pytest.raises(ValueError, match="has other classes"):
        recipe.begin(config, SceneClasses(("sea", "sky"), 2), model)
