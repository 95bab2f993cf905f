"""Photos with a class for each pixel: readers, and batches of them with their superpixels."""

import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from kblocks.data.pipelines import Batches, _shuffled, prefetched
from kblocks.data.superpixels import superpixel_graph, superpixels

_IMAGES = (".png", ".jpg", ".jpeg")


class Scenes(NamedTuple):
    """Photos and their masks.

    Attributes:
        names: What an error calls each photo.
        images: uint8 (height, width, 3) each.
        masks: The class of each pixel, uint8 (height, width) each.
    """

    names: list[str]
    images: list[np.ndarray]
    masks: list[np.ndarray]


class SceneSplits(NamedTuple):
    """Scenes to train on and to validate on; the classes' names; the number that counts as none."""

    train: Scenes
    validation: Scenes
    classes: tuple[str, ...]
    void: int


def read_camvid(path: str | os.PathLike[str]) -> SceneSplits:
    """Read CamVid as one `.npz`, the bytes of all JPEG photos and PNG masks laid side by side.

    The file has, for `train` and `val`, `..._img_bytes`, `..._img_offsets`, `..._mask_bytes` and
    `..._mask_offsets`; file i is `bytes[offsets[i]:offsets[i + 1]]`. `classes` names the classes,
    the last of which is void.

    Args:
        path: The file, or a folder with one such file.

    Raises:
        FileNotFoundError: There is none.
        ValueError: Something in it is not of this kind; the message says what and where.
    """
    path = Path(path)
    if path.is_dir():
        found = sorted(path.glob("*.npz"))
        if len(found) != 1:
            raise FileNotFoundError(f"{path} must hold one .npz file, and holds {len(found)}.")
        path = found[0]
    with np.load(path, allow_pickle=False) as arrays:
        if "classes" not in arrays:
            raise ValueError(f"{path} has no array 'classes'; it has: {', '.join(arrays)}.")
        classes = tuple(str(name) for name in arrays["classes"])
        train, validation = (
            _packed(path, arrays, split, len(classes)) for split in ("train", "val")
        )
    return SceneSplits(train, validation, classes[:-1], len(classes) - 1)


def _packed(path: Path, arrays: Mapping[str, np.ndarray], split: str, classes: int) -> Scenes:
    files = []
    for kind in ("img", "mask"):
        keys = [f"{split}_{kind}_{part}" for part in ("bytes", "offsets")]
        for key in keys:
            if key not in arrays:
                raise ValueError(f"{path} has no array {key!r}; it has: {', '.join(arrays)}.")
        content, ends = arrays[keys[0]].tobytes(), arrays[keys[1]].tolist()
        files.append([content[a:b] for a, b in itertools.pairwise(ends)])
    names = [f"{path.name}, {split} image {i}" for i in range(len(files[0]))]
    if len(files[0]) != len(files[1]):
        raise ValueError(f"{path} has {len(files[0])} images and {len(files[1])} masks in {split}.")
    return _scenes(names, files[0], files[1], classes)


def read_scenes(folder: str | os.PathLike[str]) -> SceneSplits:
    """Read photos and masks from a folder of your own.

    It has `train/images`, `train/masks`, `val/images` and `val/masks`, PNG or JPEG photos and PNG
    masks of the same names, whose single channel is the class; and `classes.txt`, a class a line,
    in order. A pixel of value 255 has no class.

    Args:
        folder: The folder.

    Raises:
        FileNotFoundError: A part of it is missing.
        ValueError: A file is no such image, has no partner, or holds a class that is not listed;
            the message names the file.
    """
    folder = Path(folder)
    classes = tuple(
        line for line in (folder / "classes.txt").read_text("utf-8").split("\n") if line
    )
    if not classes or len(classes) > 255:
        raise ValueError(f"{folder / 'classes.txt'} must list 1 to 255 classes, a class a line.")
    train, validation = (_folder(folder / split, len(classes)) for split in ("train", "val"))
    return SceneSplits(train, validation, classes, 255)


def _folder(folder: Path, classes: int) -> Scenes:
    images, masks = (
        {path.stem: path for path in sorted((folder / kind).iterdir()) if path.suffix in _IMAGES}
        for kind in ("images", "masks")
    )
    for stem in sorted(images.keys() ^ masks.keys()):
        alone, partner = (images, "masks") if stem in images else (masks, "images")
        raise ValueError(f"{alone[stem]} has no partner in {folder / partner}.")
    if not images:
        raise ValueError(f"{folder / 'images'} holds no PNG or JPEG file.")
    names = [str(path) for path in images.values()]
    contents = [[files[stem].read_bytes() for stem in images] for files in (images, masks)]
    return _scenes(names, contents[0], contents[1], classes)


def _scenes(names: list[str], images: list[bytes], masks: list[bytes], classes: int) -> Scenes:
    scenes = Scenes(names, [], [])
    for name, image, mask in zip(names, images, masks, strict=True):
        scenes.images.append(_decoded(name, image, 3))
        scenes.masks.append(_decoded(f"the mask of {name}", mask, 1)[..., 0])
        if scenes.images[-1].shape[:2] != scenes.masks[-1].shape:
            raise ValueError(
                f"{name} is {scenes.images[-1].shape[:2]} pixels high and wide, and its mask "
                f"{scenes.masks[-1].shape}."
            )
        highest = scenes.masks[-1][scenes.masks[-1] != 255].max(initial=0)
        if highest >= classes:
            raise ValueError(
                f"the mask of {name} holds class {highest}, and there are {classes} classes from 0."
            )
    return scenes


def _decoded(name: str, content: bytes, channels: int) -> np.ndarray:
    try:
        return tf.io.decode_image(content, channels, expand_animations=False).numpy()
    except tf.errors.InvalidArgumentError as error:
        raise ValueError(f"{name} is no image that can be read: {error.message}") from error


def read_photo(path: str | os.PathLike[str]) -> np.ndarray:
    """Read a photo.

    Args:
        path: A PNG or JPEG file, in colours or not.

    Returns:
        uint8 (height, width, 3).

    Raises:
        ValueError: There is no such file, or it is no image that can be read.
        OSError: The file may not be read.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path} is no file; a photo is wanted, PNG or JPEG.")
    return _decoded(str(path), path.read_bytes(), 3)


class PreparedScenes(NamedTuple):
    """Scenes of one size with their graphs, as the model takes them; padded to the most nodes.

    Attributes:
        image: uint8 (scenes, height, width, 3).
        superpixels: int32 (scenes, height, width).
        neighbours: int32 (scenes, nodes, neighbours), -1 for none.
        labels: int32 (scenes, height, width).
    """

    image: np.ndarray
    superpixels: np.ndarray
    neighbours: np.ndarray
    labels: np.ndarray


def prepare_scenes(
    scenes: Scenes, size: tuple[int, int], count: int = 150, compactness: float = 10.0
) -> PreparedScenes:
    """Bring photos and masks to one size, and divide the photos into superpixels, once for all.

    Args:
        scenes: What a reader returned.
        size: Height and width.
        count: About how many superpixels for a photo.
        compactness: See `superpixels`.
    """
    images, labels, maps, graphs = [], [], [], []
    for name, image, mask in zip(*scenes, strict=True):
        small = tf.image.resize(image, size, method="area").numpy().round().astype("uint8")
        images.append(small)
        labels.append(tf.image.resize(mask[..., None], size, method="nearest").numpy()[..., 0])
        maps.append(superpixels(small, count, compactness, name))
        graphs.append(superpixel_graph(maps[-1]))
    nodes, most = np.max([graph.shape for graph in graphs], axis=0)
    neighbours = np.full((len(graphs), nodes, most), -1, "int32")
    for padded, graph in zip(neighbours, graphs, strict=True):
        padded[: graph.shape[0], : graph.shape[1]] = graph
    return PreparedScenes(
        np.stack(images), np.stack(maps), neighbours, np.stack(labels).astype("int32")
    )


def scene_batches(
    scenes: PreparedScenes,
    batch_size: int,
    outputs: Sequence[str] = ("logits", "confidence"),
    seed: int = 0,
    first_epoch: int = 0,
    training: bool = True,
    drop_remainder: bool = False,
) -> Batches:
    """Turn prepared scenes into batches, in training shuffled and mirrored anew in each epoch.

    What happens in an epoch depends on `seed` and the epoch's number alone.

    Args:
        scenes: What `prepare_scenes` returned.
        batch_size: Scenes in a batch; the last of an epoch may have fewer.
        outputs: The outputs of the model that are trained on the labels.
        seed: Of shuffling and mirroring.
        first_epoch: Epochs already done.
        training: Whether to shuffle, and to mirror half of the scenes left to right.
        drop_remainder: Leave out the last batch if it is not full.

    Returns:
        `Batches(dataset, steps, left_out)`; the dataset, without end, yields
        `({"image", "superpixels", "neighbours"}, {output: labels})`.
    """
    count = len(scenes.image)
    steps = count // batch_size if drop_remainder else -(-count // batch_size)
    if not steps:
        raise ValueError(f"No {batch_size} scenes (`batch_size`) are among the {count}.")
    arrays = [tf.constant(array) for array in scenes]

    def epoch(number: tf.Tensor) -> tf.data.Dataset:
        rows, mirrored = tf.range(count), tf.zeros([count], "bool")
        if training:
            rows = _shuffled(count, [seed, 2 * number])
            mirrored = tf.random.stateless_uniform([count], [seed, 2 * number + 1]) < 0.5
        dataset = tf.data.Dataset.from_tensor_slices((rows, mirrored))
        return dataset.batch(batch_size, drop_remainder).map(batch, num_parallel_calls=2)

    def batch(rows: Any, mirrored: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        image, labels_of, neighbours, classes = (tf.gather(array, rows) for array in arrays)
        image, labels_of, classes = (
            tf.where(tf.reshape(mirrored, [-1] + [1] * (len(x.shape) - 1)), x[:, :, ::-1], x)
            for x in (image, labels_of, classes)
        )
        inputs = {"image": image, "superpixels": labels_of, "neighbours": neighbours}
        return inputs, dict.fromkeys(outputs, classes)

    dataset = tf.data.Dataset.range(first_epoch, np.iinfo(np.int64).max // 2).flat_map(epoch)
    return Batches(prefetched(dataset), steps, 0)
