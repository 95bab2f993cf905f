"""Pathfinder in small: whether two marked points are the ends of one curve (`data.pathfinder`).

    kblocks train pathfinder --out runs/pathfinder
    kblocks train pathfinder --set layer=rows --out runs/pathfinder-rows

A row alone says nothing about it: the curve has to be followed through both dimensions.
"""

import dataclasses
from typing import ClassVar, Literal

import numpy as np

from kblocks.data import pathfinder
from kblocks.recipes.grids import GridConfig, GridRecipe, ImageSplits, Split


@dataclasses.dataclass
class PathfinderConfig(GridConfig):
    """The settings of a run; `--set name=value` changes one."""

    data: str = "generated"  # by `kblocks.data.pathfinder`; there is nothing else
    images: int = 20_000  # to train on
    held_out: int = 2_000  # to validate on, and as many to test on
    size: int = 12  # the height and width in pixels
    length: int = 8  # of the long curves, in pixels
    distractors: int = 2  # short curves
    draw: int = 0  # the seed of the images

    pooling: Literal["mean", "max"] = "max"  # the mean over all places hardly learns it
    epochs: int = 30
    learning_rate: float = 5e-3


class Pathfinder(GridRecipe):
    """The recipe `pathfinder`."""

    name = "pathfinder"
    summary = "whether one curve joins two marks: 2D LSTM, LSTM along the rows, in raster order"
    facts: ClassVar = {"data": "generated", "size": "30 k parameters, whichever the layer"}
    Config = PathfinderConfig

    def read(self, config: PathfinderConfig) -> ImageSplits:
        """The images drawn by the seed, first those held out."""
        if config.data != "generated":
            raise ValueError(f"`data` of pathfinder must be 'generated', got {config.data!r}.")
        few = config.held_out
        if few < 1:
            raise ValueError(f"`held_out` must be at least 1, got {few}.")
        drawn = pathfinder.generate(
            config.images + 2 * few, config.draw, config.size, config.length, config.distractors
        )
        images = drawn.images[..., None].astype("float32") / pathfinder.MARK
        labels = drawn.labels.astype("int32")

        def split(start: int, stop: int | None) -> Split:
            chosen: tuple[np.ndarray, np.ndarray] = (images[start:stop], labels[start:stop])
            return chosen

        return ImageSplits(split(2 * few, None), split(0, few), split(few, 2 * few))

    def classes(self, config: PathfinderConfig) -> tuple[str, ...]:
        """What label 0 and label 1 mean."""
        return "two curves", "one curve"
