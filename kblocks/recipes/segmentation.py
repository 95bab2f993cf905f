"""Segmentation with Graph LSTM layers over superpixels: photos, masks, mean IoU.

    kblocks train segmentation --data camvid --out runs/graph
    kblocks train segmentation --data camvid --set graph=false --out runs/convolutions

The paper's convolutional network is trained before the Graph LSTM is put on top of it. So is this:

    kblocks train segmentation --data camvid --set graph=none --epochs 60 --out runs/stem
    kblocks train segmentation --data camvid --set stem=runs/stem --out runs/graph

The data are CamVid as one `.npz` file (or the folder with it), or a folder of images and masks; see
`kblocks.data.read_camvid` and `kblocks.data.read_scenes`.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from kblocks import data
from kblocks.export import ImageSegmenter
from kblocks.models import GraphLSTMSegmenter
from kblocks.plotting import plot_segmentation
from kblocks.recipes.recipe import Recipe, TrainingConfig
from kblocks.recipes.run import RunDirectory


@dataclasses.dataclass
class SegmentationConfig(TrainingConfig):
    """The settings of a run; `--set name=value` changes one."""

    data: str = "camvid"  # a .npz file, a folder with one, or a folder of images and masks
    height: int = 90  # of the photos in pixels; they are brought to this size
    width: int = 120
    superpixels: int = 1000  # about so many for a photo, as in the paper
    compactness: float = 10.0

    # false: convolutions of equal parameters in place of the Graph LSTM; none: nothing
    graph: bool | None = True
    stem: str | None = None  # a run whose convolutional network the training begins with
    units: int = 64
    blocks: int = 2
    graph_layers: int = 2
    dropout: float = 0.1

    batch_size: int = 4
    epochs: int = 16
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    clip_norm: float = 1.0
    confidence_weight: float = 0.4  # of the auxiliary loss on the initial confidence map


class SceneClasses(NamedTuple):
    """The names of the classes, and the number that counts as none of them."""

    classes: tuple[str, ...]
    void: int


class Segmentation(Recipe):
    """The recipe `segmentation`; its part are the classes."""

    name = "segmentation"
    summary = "a class for each pixel, by Graph LSTM layers over superpixels"
    facts: ClassVar = {
        "data": "CamVid, 367 street photos, by --data FILE or FOLDER; or a folder of your own",
        "size": "0.4 M parameters",
    }
    Config = SegmentationConfig
    metric = "val_mean_iou"
    examples = "scenes"
    part_files = ("classes.json",)

    def read(self, config: SegmentationConfig) -> data.SceneSplits:
        """The scenes that the settings name."""
        path = Path(config.data)
        if not path.exists():
            raise ValueError(
                f"{path} is not there: give CamVid's .npz file, or a folder of images and masks, "
                "by --data."
            )
        if (path / "classes.txt").exists():
            return data.read_scenes(path)
        return data.read_camvid(path)

    def learn_parts(self, config: SegmentationConfig, splits: data.SceneSplits) -> SceneClasses:
        """The classes of the data."""
        return SceneClasses(splits.classes, splits.void)

    def save_parts(self, parts: SceneClasses, run: RunDirectory) -> None:
        """A dict of both."""
        run.write_json("classes.json", parts._asdict())

    def load_parts(self, config: SegmentationConfig, run: RunDirectory) -> SceneClasses:
        """The classes of a run."""
        if not (run.path / "classes.json").exists():  # a run from before they were kept
            return self.learn_parts(config, self.read(config))
        kept = run.read_json("classes.json")
        return SceneClasses(tuple(kept["classes"]), kept["void"])

    def batches(
        self,
        config: SegmentationConfig,
        parts: SceneClasses,
        split: data.Scenes,
        training: bool = False,
        **options: Any,
    ) -> data.Batches:
        """Photos with their superpixels."""
        scenes = prepared(config, split)
        return data.scene_batches(
            scenes, config.batch_size, seed=config.seed, training=training, **options
        )

    def make_model(self, config: SegmentationConfig, parts: SceneClasses) -> GraphLSTMSegmenter:
        """The segmenter that the settings describe, built."""
        model = GraphLSTMSegmenter(
            len(parts.classes),
            units=config.units,
            blocks=config.blocks,
            graph_layers=config.graph_layers,
            graph=config.graph,
            dropout=config.dropout,
            seed=config.seed,
        )
        model.build()
        return model

    def begin(
        self, config: SegmentationConfig, parts: SceneClasses, model: GraphLSTMSegmenter
    ) -> None:
        """The weights of the run `stem`, all but those of its graph."""
        if config.stem is None:
            return
        other, known, stem = self.load(RunDirectory.open(config.stem))
        if known != parts:
            raise ValueError(f"`stem`: {config.stem} has other classes, {known.classes}.")
        for name in ("units", "blocks"):
            theirs, ours = getattr(other, name), getattr(config, name)
            if theirs != ours:
                raise ValueError(f"`stem`: {config.stem} has {name}={theirs}, this run {ours}.")
        model.take_stem(stem)

    def objective(self, config: SegmentationConfig, parts: SceneClasses) -> dict[str, Any]:
        """The cross-entropy of each pixel's class, and that of the initial confidence map."""
        return {
            "loss": {
                name: keras.losses.SparseCategoricalCrossentropy(True, ignore_class=parts.void)
                for name in ("logits", "confidence")
            },
            "loss_weights": {"logits": 1.0, "confidence": config.confidence_weight},
        }

    def score(
        self,
        config: SegmentationConfig,
        parts: SceneClasses,
        model: GraphLSTMSegmenter,
        split: data.Scenes,
        batches: data.Batches,
    ) -> Callable[[], dict[str, float]]:
        """The mean IoU."""
        segment = segmenting(model)  # one graph for all epochs
        return lambda: {"val_mean_iou": overlap(segment, batches, parts)["mean_iou"]}

    def measure(
        self,
        config: SegmentationConfig,
        parts: SceneClasses,
        model: GraphLSTMSegmenter,
        split: data.Scenes,
        splits: data.SceneSplits,
    ) -> dict[str, float]:
        """The mean IoU, that of each class, and the accuracy."""
        return overlap(segmenting(model), self.batches(config, parts, split), parts)

    def pictures(
        self,
        config: SegmentationConfig,
        parts: SceneClasses,
        model: GraphLSTMSegmenter,
        folder: Path,
    ) -> list[Path]:
        """Four scenes with superpixels, truth and prediction."""
        held_out = self.read(config).validation
        rows = np.linspace(0, len(held_out.images) - 1, 4).round().astype(int)
        chosen = data.Scenes(*([part[i] for i in np.unique(rows)] for part in held_out))
        scenes = prepared(config, chosen)
        inputs, _ = next(iter(data.scene_batches(scenes, len(rows), training=False).dataset))
        predictions = np.argmax(model(inputs)["logits"], axis=-1)
        picture = folder / "scenes.png"
        plot_segmentation(
            scenes.image,
            scenes.superpixels,
            scenes.labels,
            predictions,
            parts.classes,
            void=parts.void,
            path=picture,
        )
        return [picture]

    def servable(
        self, config: SegmentationConfig, parts: SceneClasses, model: GraphLSTMSegmenter
    ) -> ImageSegmenter:
        """From images of any size to masks."""
        size = (config.height, config.width)
        return ImageSegmenter(model, size, config.superpixels, parts.classes)


def prepared(config: SegmentationConfig, scenes: data.Scenes) -> data.PreparedScenes:
    """The scenes at the size of the settings, with their superpixels."""
    size = (config.height, config.width)
    return data.prepare_scenes(scenes, size, config.superpixels, config.compactness)


def segmenting(model: GraphLSTMSegmenter) -> Callable[[Any], Any]:
    """From the inputs of the model to the logits of each pixel, in a graph."""
    return tf.function(lambda inputs: model(inputs, training=False)["logits"])


def overlap(
    segment: Callable[[Any], Any], batches: data.Batches, parts: SceneClasses
) -> dict[str, float]:
    """Mean IoU, that of each class, and the share of right pixels; void is ignored."""
    metric = keras.metrics.MeanIoU(len(parts.classes), ignore_class=parts.void, sparse_y_pred=False)
    for inputs, labels in batches.dataset.take(batches.steps):
        metric.update_state(labels["logits"], segment(inputs))
    confusion = keras.ops.convert_to_numpy(metric.total_cm)  # (true, predicted)
    right = np.diag(confusion)
    union = confusion.sum(0) + confusion.sum(1) - right
    values = {
        "mean_iou": float(metric.result()),
        "accuracy": float(right.sum() / confusion.sum()),
    }
    for name, hit, of in zip(parts.classes, right, union, strict=True):
        if of:
            values[f"iou_{name}"] = float(hit / of)
    return values
