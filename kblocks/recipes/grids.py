"""What the recipes on classes of images share: a recurrent classifier, over a grid or over lines.

The image is cut into patches, each the input of one place. Then, for each layer,

    h = LSTM2D(x), in four directions                          `layer=lstm2d`
        or a bidirectional LSTM over each row of patches       `layer=rows`
        or one over all patches, row after row                 `layer=raster`
    x = tanh(W h + b)                                          at each place

and the mean of the last x over all places, or the largest of each feature, is read out by a
softmax: the mean suits what is all over the image, the maximum what is at one place. Windows of
pixels as inputs and layers of tanh that collect the directions are those of Graves and Schmidhuber
(2009), "Offline Handwriting Recognition with Multidimensional Recurrent Neural Networks". All three
have about as many parameters.
"""

import dataclasses
from pathlib import Path
from typing import Any, Literal, NamedTuple

import keras
import numpy as np
from keras import ops

from kblocks import data
from kblocks.layers import LSTM, LSTM2D
from kblocks.plotting import plot_images
from kblocks.recipes.largest import largest
from kblocks.recipes.learning_rate import rise_and_fall
from kblocks.recipes.recipe import Recipe, TrainingConfig
from kblocks.recipes.run import RunDirectory

Shape = tuple[int, int, int]  # height, width, channels
Split = tuple[np.ndarray, np.ndarray]  # images (number, *shape) of 0 to 1, labels (number,)


@dataclasses.dataclass
class GridConfig(TrainingConfig):
    """The settings that all recipes on classes of images have."""

    layer: Literal["lstm2d", "rows", "raster"] = "lstm2d"
    layers: int = 1
    parameters: int = 30_000  # at most; the size of the states follows from it
    features: int = 32  # between the layers; the last ones are as many as there is room for
    patch: int = 1  # the side of a patch in pixels
    pooling: Literal["mean", "max"] = "mean"  # of the last features, over all places

    epochs: int = 20
    learning_rate: float = 3e-3
    clip_norm: float = 1.0


class ImageSplits(NamedTuple):
    """Images and labels to train on, to validate on while training, and to test on at the end."""

    train: Split
    validation: Split
    test: Split


class GridRecipe(Recipe):
    """A recipe on classes of images; a subclass says which images, and what the classes are.

    Its part is the shape of an image.
    """

    metric = "val_accuracy"
    examples = "images"
    part_files = ("shape.json",)

    # A subclass gives these.

    def read(self, config: Any) -> ImageSplits:
        """The training, validation and test images."""
        raise NotImplementedError

    def classes(self, config: Any) -> tuple[str, ...]:
        """The classes' names."""
        raise NotImplementedError

    # What they share.

    def learn_parts(self, config: Any, splits: ImageSplits) -> Shape:
        """The shape of the training images."""
        height, width, channels = splits.train[0].shape[1:]
        return height, width, channels

    def save_parts(self, parts: Shape, run: RunDirectory) -> None:
        """A list of three numbers."""
        run.write_json("shape.json", parts)

    def load_parts(self, config: Any, run: RunDirectory) -> Shape:
        """The shape of the images of a run."""
        height, width, channels = run.read_json("shape.json")
        return height, width, channels

    def batches(
        self, config: Any, parts: Shape, split: Split, training: bool = False, **options: Any
    ) -> data.Batches:
        """Images and their labels."""
        images, labels = split
        seed = config.seed if training else 0
        return data.image_batches(images, config.batch_size, seed, labels=labels, **options)

    def make_model(self, config: Any, parts: Shape) -> keras.Model:
        """The classifier that the settings describe, built: from images to logits."""
        height, width, channels = parts
        side = config.patch
        if side < 1 or height % side or width % side:
            raise ValueError(
                f"`patch` must divide the height and the width, {height} and {width}, got {side}."
            )
        classes = len(self.classes(config))
        units, last = width_for(config, channels * side * side, classes)
        inputs = keras.Input(parts)
        rows, columns = height // side, width // side
        x = ops.reshape(inputs, (-1, rows, side, columns, side, channels))
        x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
        x = ops.reshape(x, (-1, rows, columns, side * side * channels))
        for number in range(config.layers):
            if config.layer == "lstm2d":
                h = LSTM2D(units, directions=4)(x)
            else:
                # Each row of patches a sequence; or the whole image, row after row.
                steps = columns if config.layer == "rows" else rows * columns
                lines = ops.reshape(x, (-1, steps, x.shape[-1]))
                h = keras.layers.Bidirectional(LSTM(units, return_sequences=True))(lines)
                h = ops.reshape(h, (-1, rows, columns, 2 * units))
            features = last if number == config.layers - 1 else config.features
            x = keras.layers.Dense(features, "tanh")(h)
        mean, most = keras.layers.GlobalAveragePooling2D(), keras.layers.GlobalMaxPooling2D()
        x = mean(x) if config.pooling == "mean" else most(x)
        return keras.Model(inputs, keras.layers.Dense(classes, dtype="float32")(x))

    def objective(self, config: Any, parts: Shape) -> dict[str, Any]:
        """The cross-entropy of the classes, and the share that is right."""
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        return {"loss": loss, "metrics": ["accuracy"]}

    def learning_rate(self, config: Any, steps: int) -> Any:
        """Up for some steps, as an epoch is long, then along a cosine to zero."""
        return rise_and_fall(config.learning_rate, config.epochs * steps)

    def pictures(self, config: Any, parts: Shape, model: keras.Model, folder: Path) -> list[Path]:
        """Held-out images with what was found in them."""
        images, labels = (array[:32] for array in self.read(config).validation)
        names = self.classes(config)
        found = np.argmax(model.predict_on_batch(images), axis=-1)
        captions = [
            names[k] if k == true else f"{names[k]}, not {names[true]}"
            for k, true in zip(found, labels, strict=True)
        ]
        picture = folder / "predictions.png"
        plot_images(images[..., :1], captions=captions, path=picture)
        return [picture]

    def servable(self, config: Any, parts: Shape, model: keras.Model) -> keras.Model:
        """From images of 0 to 1 to the classes' probabilities."""
        images = keras.Input(parts, name="images")
        logits = model(images)
        outputs = {"probability": ops.softmax(logits), "class": ops.argmax(logits, axis=-1)}
        return keras.Model({"images": images}, outputs)


def count_weights(config: GridConfig, channels: int, classes: int, units: int, last: int) -> int:
    """How many weights the classifier has, for so many channels of a patch.

    Args:
        config: The layer, the number of layers and the features between them.
        channels: Numbers in a patch.
        classes: Number of classes.
        units: The size of the states of each direction.
        last: The features after the last layer.
    """
    count = 0
    for number in range(config.layers):
        if config.layer == "lstm2d":
            count += 4 * 5 * units * (channels + 2 * units + 1)
            outputs = 4 * units
        else:
            count += 2 * 4 * units * (channels + units + 1)
            outputs = 2 * units
        channels = last if number == config.layers - 1 else config.features
        count += (outputs + 1) * channels
    return count + (channels + 1) * classes


def width_for(config: GridConfig, channels: int, classes: int) -> tuple[int, int]:
    """Units and last features of the largest classifier with at most `config.parameters`.

    First the units, with `config.features` everywhere; then the last features.

    Raises:
        ValueError: There is no such classifier.
    """

    def count(units: int, last: int) -> int:
        return count_weights(config, channels, classes, units, last)

    most = config.parameters
    units = largest(0, lambda units: count(units, config.features), most)
    if not units:
        raise ValueError(
            f"`parameters` must be at least {count(1, config.features)} for {config.layers} layers "
            f"of kind {config.layer!r} with {config.features} features, got {most}."
        )
    return units, largest(config.features, lambda last: count(units, last), most)
