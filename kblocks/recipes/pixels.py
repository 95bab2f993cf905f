"""Images pixel by pixel: Row LSTMs, Diagonal BiLSTMs and masked convolutions of equal size.

    kblocks train pixels --data folder --set layer=row --out runs/row

The folder holds the four files of Fashion-MNIST, as Debian's package `dataset-fashion-mnist` puts
them into `/usr/share/datasets/fashion-mnist`. The images are made binary; the last of the training
images are kept for validation.
"""

import dataclasses
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import keras
import numpy as np

from kblocks import data
from kblocks.models import PixelRNN
from kblocks.models.vision import count_weights, negative_log_likelihood
from kblocks.plotting import plot_images
from kblocks.recipes.images import divided
from kblocks.recipes.largest import largest
from kblocks.recipes.learning_rate import rise_and_fall
from kblocks.recipes.recipe import Recipe, TrainingConfig


@dataclasses.dataclass
class PixelsConfig(TrainingConfig):
    """The settings of a run; `--set name=value` changes one."""

    data: str = "/usr/share/datasets/fashion-mnist"  # a folder
    images: int | None = None  # the first so many of the training images; none: all
    validation: int = 5000  # the last of the training images, kept apart
    binarise: int | None = None  # by chance, with this seed; none: at half of the brightness

    layer: Literal["row", "diagonal", "conv"] = "diagonal"
    layers: int = 4
    parameters: int = 60_000  # at most; the width of the model follows from it
    units: int | None = None  # the width of the model; then `parameters` has no say

    batch_size: int = 32
    patience: int | None = 3
    learning_rate: float = 2e-3
    clip_norm: float = 100.0  # of the gradient of an image's nats


class BinaryImages(NamedTuple):
    """Images of zeros and ones, (number, height, width, 1), of each split."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


class Pixels(Recipe):
    """The recipe `pixels`; it has no parts, as the model takes images of any size."""

    name = "pixels"
    summary = "generative model of binary images: Row LSTM, Diagonal BiLSTM, masked convolutions"
    facts: ClassVar = {
        "data": "Fashion-MNIST, binarised: --data FOLDER with its four files",
        "size": "60 k parameters, whichever the layer",
    }
    Config = PixelsConfig
    metric = "val_log_likelihood"  # nats of an image, the higher the better
    examples = "images"

    def read(self, config: PixelsConfig) -> BinaryImages:
        """The images of the folder, the last of the training images for validation."""
        files = data.read_fashion_mnist(config.data)
        train, held_out = divided(len(files.train_images), config)
        splits = files.train_images[train], files.train_images[held_out], files.test_images
        return BinaryImages(
            *(
                data.binarise(images, None if config.binarise is None else config.binarise + number)
                for number, images in enumerate(splits)
            )
        )

    def batches(
        self,
        config: PixelsConfig,
        parts: None,
        split: np.ndarray,
        training: bool = False,
        **options: Any,
    ) -> data.Batches:
        """Images, which are their own targets."""
        seed = config.seed if training else 0
        return data.image_batches(split, config.batch_size, seed, **options)

    def make_model(self, config: PixelsConfig, parts: None = None) -> PixelRNN:
        """The model that the settings describe, built."""
        if config.units is None:
            units, features = width_for(config.layer, config.layers, config.parameters)
        else:
            units, features = config.units, 2 * config.units
        model = PixelRNN(config.layer, units, config.layers, features)
        model.build()
        return model

    def objective(self, config: PixelsConfig, parts: None) -> dict[str, Any]:
        """The likelihood of an image, as loss and as metric."""

        def log_likelihood(images: Any, logits: Any) -> Any:
            return -negative_log_likelihood(images, logits)

        metric = keras.metrics.MeanMetricWrapper(log_likelihood, name="log_likelihood")
        return {"loss": negative_log_likelihood, "metrics": [metric]}

    def learning_rate(self, config: PixelsConfig, steps: int) -> Any:
        """Up for some steps, as an epoch is long, then along a cosine to zero."""
        return rise_and_fall(config.learning_rate, config.epochs * steps)

    def measure(
        self,
        config: PixelsConfig,
        parts: None,
        model: PixelRNN,
        split: np.ndarray,
        splits: BinaryImages,
    ) -> dict[str, float]:
        """The mean of -log p(x) in nats."""
        values = super().measure(config, parts, model, split, splits)
        return {"nats": -values["log_likelihood"]}

    def count_parameters(self, model: PixelRNN) -> int:
        """How many weights the model has, without those that the masks leave out."""
        return count_weights(model.layer, model.units, model.number_of_layers, model.features)

    def pictures(
        self, config: PixelsConfig, parts: None, model: PixelRNN, folder: Path
    ) -> list[Path]:
        """Samples of the model, and images of the data beside them."""
        drawn, true = folder / "samples.png", folder / "images.png"
        images = self.read(config).validation[:32]
        height, width = images.shape[1:3]
        samples = model.sample(len(images), height, width, config.seed)
        plot_images(keras.ops.convert_to_numpy(samples), path=drawn)
        plot_images(images, path=true)
        return [drawn, true]

    def servable(self, config: PixelsConfig, parts: None, model: PixelRNN) -> keras.Model:
        """From images to their likelihoods and each pixel's probability."""
        images = keras.Input((None, None, 1), name="images")
        logits = model(images)
        outputs = {
            "log_likelihood": -negative_log_likelihood(images, logits),
            "probability": keras.ops.sigmoid(logits),
        }
        return keras.Model({"images": images}, outputs)


def width_for(layer: str, layers: int, parameters: int) -> tuple[int, int]:
    """Units and features of the largest model with at most so many parameters.

    The features are twice the units as in the paper, and some more: as many as there is room for.

    Raises:
        ValueError: There is no such model.
    """
    units = largest(0, lambda units: count_weights(layer, units, layers), parameters)
    if not units:
        raise ValueError(
            f"`parameters` must be at least {count_weights(layer, 1, layers)} for {layers} layers "
            f"of kind {layer!r}, got {parameters}."
        )
    return units, largest(
        2 * units, lambda features: count_weights(layer, units, layers, features), parameters
    )
