"""Segmentation with Graph LSTM layers over superpixels: photos, masks, mean IoU.

    kblocks train segmentation --data camvid --out runs/graph
    kblocks train segmentation --data camvid --set graph=false --out runs/convolutions

The data are CamVid as one `.npz` file (or the folder with it), or a folder of images and masks; see
`kblocks.data.read_camvid` and `kblocks.data.read_scenes`.
"""

import dataclasses
from pathlib import Path
from typing import Any, ClassVar, Literal

import keras
import numpy as np
import tensorflow as tf

from kblocks import data
from kblocks.distribute import strategy
from kblocks.export import ImageSegmenter, save
from kblocks.models import GraphLSTMSegmenter
from kblocks.plotting import plot_curves, plot_segmentation
from kblocks.recipes.fit import fit
from kblocks.recipes.learning_rate import rise_and_fall
from kblocks.recipes.results import result
from kblocks.recipes.run import RunDirectory, best_epoch
from kblocks.training import GlobalNormClipping

METRIC = "val_mean_iou"


@dataclasses.dataclass
class SegmentationConfig:
    """The settings of a run; `--set name=value` changes one."""

    data: str = "camvid"  # a .npz file, a folder with one, or a folder of images and masks
    height: int = 90  # of the photos in pixels; they are brought to this size
    width: int = 120
    superpixels: int = 150  # about so many for a photo
    compactness: float = 10.0

    graph: bool = True  # false: convolutions of equal parameters in place of the Graph LSTM
    units: int = 64
    blocks: int = 4
    graph_layers: int = 2
    dropout: float = 0.1

    batch_size: int = 8
    epochs: int = 60
    patience: int | None = None
    minutes: float | None = None
    keep: Literal["best", "last"] = "best"  # the epoch that is measured and exported
    learning_rate: float = 2e-3  # at its height; it warms up for an epoch and falls to a cosine
    weight_decay: float = 1e-4
    confidence_weight: float = 0.4  # of the auxiliary loss on the initial confidence map
    clip_norm: float = 1.0
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    strategy: str = "auto"
    seed: int = 0


class Segmentation:
    """The recipe `segmentation`."""

    name = "segmentation"
    summary = "a class for each pixel, by Graph LSTM layers over superpixels"
    facts: ClassVar = {
        "data": "CamVid, 367 street photos, by --data FILE or FOLDER; or a folder of your own",
        "size": "0.4 M parameters",
    }
    Config = SegmentationConfig

    def train(
        self, config: SegmentationConfig, run: RunDirectory, quiet: bool = False
    ) -> dict[str, Any]:
        """Train into a run, or go on with it; returns the values of the best epoch."""
        chosen = strategy(config.strategy)
        keras.utils.set_random_seed(config.seed)
        keras.config.set_dtype_policy(config.precision)
        splits = read_data(config)
        train = data.scene_batches(
            prepare(config, splits.train),
            config.batch_size,
            seed=config.seed,
            first_epoch=run.epochs_done(),
            drop_remainder=chosen.num_replicas_in_sync > 1,  # replicas take equal shares
        )
        validation = data.scene_batches(
            prepare(config, splits.validation), config.batch_size, training=False
        )
        with chosen.scope():
            model = make_model(config, splits)
            compile_model(model, config, splits, train.steps)
        history = fit(
            model,
            train,
            validation,
            run,
            epochs=config.epochs,
            score=lambda: {METRIC: measure(model, validation, splits)[METRIC]},
            metric=METRIC,
            patience=config.patience,
            minutes=config.minutes,
            seed=config.seed,
            quiet=quiet,
        )
        return history[-1 if config.keep == "last" else best_epoch(history, METRIC) - 1]

    def evaluate(self, run: RunDirectory) -> dict[str, Any]:
        """Measure the best epoch on the validation scenes; writes `results.json`."""
        config, splits, model = self.load(run)
        scenes = prepare(config, splits.validation)
        batches = data.scene_batches(scenes, config.batch_size, training=False)
        measured: dict[str, Any] = measure(model, batches, splits)
        measured["parameters"] = model.count_params()
        run.write_json("results.json", result(run, measured))
        return measured

    def plot(self, run: RunDirectory) -> list[Path]:
        """Draw the learning curves, and four scenes with superpixels, truth and prediction."""
        config, splits, model = self.load(run)
        curves, picture = run.pictures / "curves.png", run.pictures / "scenes.png"
        plot_curves(run.log, metric=METRIC, path=curves)
        rows = np.linspace(0, len(splits.validation.images) - 1, 4).round().astype(int)
        chosen = data.Scenes(*([part[i] for i in np.unique(rows)] for part in splits.validation))
        scenes = prepare(config, chosen)
        inputs, _ = next(iter(data.scene_batches(scenes, len(rows), training=False).dataset))
        predictions = np.argmax(model(inputs)["logits"], axis=-1)
        plot_segmentation(
            scenes.image,
            scenes.superpixels,
            scenes.labels,
            predictions,
            splits.classes,
            void=splits.void,
            path=picture,
        )
        return [curves, picture]

    def export(self, run: RunDirectory, directory: str | Path) -> Path:
        """Export the best epoch, from images of any size to masks, under the name of the run."""
        config, splits, model = self.load(run)
        size = (config.height, config.width)
        servable = ImageSegmenter(model, size, config.superpixels, splits.classes)
        return save(servable, Path(directory) / run.path.resolve().name)

    def load(
        self, run: RunDirectory
    ) -> tuple[SegmentationConfig, data.SceneSplits, GraphLSTMSegmenter]:
        """The settings of a run, its data, and its best epoch."""
        config = SegmentationConfig(**run.read_json("config.json")["settings"])
        splits = read_data(config)
        model = make_model(config, splits)
        if config.keep == "last":
            run.load_newest(model)
        else:
            run.load_best(model, METRIC)
        return config, splits, model


def read_data(config: SegmentationConfig) -> data.SceneSplits:
    """The scenes that the settings name."""
    path = Path(config.data)
    if not path.exists():
        raise ValueError(
            f"{path} is not there: give CamVid's .npz file, or a folder of images and masks, by "
            "--data."
        )
    if (path / "classes.txt").exists():
        return data.read_scenes(path)
    return data.read_camvid(path)


def prepare(config: SegmentationConfig, scenes: data.Scenes) -> data.PreparedScenes:
    """The scenes at the size of the settings, with their superpixels."""
    size = (config.height, config.width)
    return data.prepare_scenes(scenes, size, config.superpixels, config.compactness)


def make_model(config: SegmentationConfig, splits: data.SceneSplits) -> GraphLSTMSegmenter:
    """The segmenter that the settings describe, built."""
    model = GraphLSTMSegmenter(
        len(splits.classes),
        units=config.units,
        blocks=config.blocks,
        graph_layers=config.graph_layers,
        graph=config.graph,
        dropout=config.dropout,
        seed=config.seed,
    )
    model.build()
    return model


def compile_model(
    model: GraphLSTMSegmenter, config: SegmentationConfig, splits: data.SceneSplits, steps: int
) -> None:
    """Adam with weight decay and clipping; the rate warms up for an epoch, then falls to zero."""
    rate = rise_and_fall(config.learning_rate, config.epochs * steps, warm_up=steps)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=config.weight_decay)
    loss = {
        name: keras.losses.SparseCategoricalCrossentropy(True, ignore_class=splits.void)
        for name in ("logits", "confidence")
    }
    model.compile(
        GlobalNormClipping(optimizer, config.clip_norm),
        loss,
        loss_weights={"logits": 1.0, "confidence": config.confidence_weight},
        jit_compile=False,
    )


def measure(
    model: GraphLSTMSegmenter, batches: data.Batches, splits: data.SceneSplits
) -> dict[str, float]:
    """Mean IoU, that of each class, and the share of right pixels; void is ignored."""
    metric = keras.metrics.MeanIoU(
        len(splits.classes), ignore_class=splits.void, sparse_y_pred=False
    )
    segment = tf.function(lambda inputs: model(inputs, training=False)["logits"])
    for inputs, labels in batches.dataset.take(batches.steps):
        metric.update_state(labels["logits"], segment(inputs))
    confusion = keras.ops.convert_to_numpy(metric.total_cm)  # (true, predicted)
    right = np.diag(confusion)
    union = confusion.sum(0) + confusion.sum(1) - right
    values = {METRIC: float(metric.result()), "val_accuracy": float(right.sum() / confusion.sum())}
    for name, hit, of in zip(splits.classes, right, union, strict=True):
        if of:
            values[f"val_iou_{name}"] = float(hit / of)
    return values
