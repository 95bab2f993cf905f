"""Classes of images: a long short-term memory in two dimensions against one along the rows.

    kblocks train images --data folder --out runs/images
    kblocks train images --data folder --set layer=rows --out runs/rows

The folder holds the four files of Fashion-MNIST, or of MNIST, as Debian's package
`dataset-fashion-mnist` puts them into `/usr/share/datasets/fashion-mnist`. The last of the training
images are kept for validation.
"""

import dataclasses
from typing import Any, ClassVar

import numpy as np

from kblocks import data
from kblocks.recipes.grids import GridConfig, GridRecipe, ImageSplits, Split

FASHION = (
    *("T-shirt", "trousers", "pullover", "dress", "coat"),
    *("sandal", "shirt", "sneaker", "bag", "boot"),
)


@dataclasses.dataclass
class ImagesConfig(GridConfig):
    """The settings of a run; `--set name=value` changes one."""

    data: str = "/usr/share/datasets/fashion-mnist"  # a folder
    images: int | None = None  # the first so many of the training images; none: all
    validation: int = 5000  # the last of the training images, kept apart
    names: tuple[str, ...] = FASHION  # of the classes, from label 0 on

    patch: int = 4
    epochs: int = 15


class Images(GridRecipe):
    """The recipe `images`."""

    name = "images"
    summary = "classifier of images: 2D LSTM, LSTM along the rows, LSTM in raster order"
    facts: ClassVar = {
        "data": "Fashion-MNIST: --data FOLDER with its four files",
        "size": "30 k parameters, whichever the layer",
    }
    Config = ImagesConfig

    def read(self, config: ImagesConfig) -> ImageSplits:
        """The images of the folder, the last of the training images for validation."""
        files = data.read_fashion_mnist(config.data)
        train, held_out = divided(len(files.train_images), config)
        for part, labels in (("train", files.train_labels), ("t10k", files.test_labels)):
            if labels.max(initial=0) >= len(config.names):
                first = int(np.argmax(labels >= len(config.names)))
                raise ValueError(
                    f"{config.data}: image {first} of the {part} files has the label "
                    f"{labels[first]}, and `names` has {len(config.names)} classes, from 0 on."
                )

        def scaled(images: np.ndarray, labels: np.ndarray) -> Split:
            return images[..., None].astype("float32") / 255, labels.astype("int32")

        return ImageSplits(
            scaled(files.train_images[train], files.train_labels[train]),
            scaled(files.train_images[held_out], files.train_labels[held_out]),
            scaled(files.test_images, files.test_labels),
        )

    def classes(self, config: ImagesConfig) -> tuple[str, ...]:
        """The names that the settings give."""
        return tuple(config.names)


def divided(number: int, config: Any) -> tuple[slice, slice]:
    """Which of so many training images are trained on, and which validated on.

    Args:
        number: How many training images there are in `config.data`.
        config: `validation`, how many of the last are kept apart, and `images`, how many of the
            others are used; `None` for all.

    Raises:
        ValueError: There are not so many.
    """
    kept = number - config.validation
    if config.validation < 1 or kept < 1:
        raise ValueError(
            f"`validation` must be from 1 to {number - 1}, to leave images of the {number} in "
            f"{config.data} to train on, got {config.validation}."
        )
    return slice(kept if config.images is None else min(config.images, kept)), slice(kept, None)
