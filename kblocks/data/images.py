"""Images in the IDX format of MNIST and Fashion-MNIST, and batches of them."""

import gzip
import math
import os
import zlib
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import numpy as np
import tensorflow as tf

from kblocks.data.pipelines import Batches, prefetched
from kblocks.files import need_file

_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


class LabelledImages(NamedTuple):
    """Images (number, height, width) of 0 to 255 and labels (number,), of two splits."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray


def read_idx(path: str | os.PathLike[str]) -> np.ndarray:
    """Read an array from an IDX file, plain or `.gz`.

    The file begins with two zero bytes, the type of the numbers, the number of axes, and the size
    of each axis in four bytes; then come the numbers, all of it with the highest byte first.

    Args:
        path: The file; a name that ends in `.gz` is read through gzip.

    Returns:
        An array of the shape and the dtype that the file states, in this machine's byte order.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The header is none of an IDX file, the file is shorter or longer than it states,
            or the gzip data are damaged; names the file.

    Example:

    >>> import pathlib, tempfile
    >>> from kblocks.data import read_idx
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "labels-idx1-ubyte"
    >>> _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 0, 9]))
    >>> read_idx(path).tolist()
    [7, 0, 9]
    """
    path = Path(path)
    opener = gzip.open if path.suffix == ".gz" else open
    with cast(BinaryIO, opener(path, "rb")) as file:
        try:
            header = file.read(4)
            if len(header) < 4 or header[:2] != b"\0\0" or header[2] not in _DTYPES:
                raise ValueError(
                    f"{path}: no IDX file: it must begin with two zero bytes, a type and the "
                    f"number of axes, and begins with {header!r}."
                )
            axes = file.read(4 * header[3])
            if len(axes) < 4 * header[3]:
                raise ValueError(f"{path}: the header states {header[3]} axes and ends before.")
            shape = tuple(int(size) for size in np.frombuffer(axes, ">u4"))
            dtype = np.dtype(_DTYPES[header[2]])
            stated = math.prod(shape) * dtype.itemsize
            # Read what there is: a damaged size must not ask for more memory than the file fills.
            data = file.read()
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"{path}: damaged gzip data: {error}") from error
    if len(data) != stated:
        raise ValueError(
            f"{path}: the header states the shape {shape}, which is {stated} bytes, and "
            f"{len(data)} follow."
        )
    return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def read_fashion_mnist(folder: str | os.PathLike[str]) -> LabelledImages:
    """Read Fashion-MNIST, MNIST or another set of their form from its four files.

    Debian's package `dataset-fashion-mnist` puts them into
    `/usr/share/datasets/fashion-mnist`.

    Args:
        folder: It holds `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`,
            `t10k-images-idx3-ubyte` and `t10k-labels-idx1-ubyte`, each plain or `.gz`.

    Returns:
        `LabelledImages(train_images, train_labels, test_images, test_labels)`.

    Raises:
        ValueError: A file is missing, damaged, or holds something else; names it.
    """
    folder = Path(folder)
    arrays = []
    for name in _FILES:
        path = need_file(folder, name)
        array = read_idx(path)
        axes = 3 if "images" in name else 1
        if array.ndim != axes or array.dtype != np.uint8:
            raise ValueError(
                f"{path}: expected bytes along {axes} axes, found {array.dtype} of the shape "
                f"{array.shape}."
            )
        arrays.append(array)
    for images, labels, name in ((0, 1, "train"), (2, 3, "t10k")):
        if len(arrays[images]) != len(arrays[labels]):
            raise ValueError(
                f"{folder}: the {name} files have {len(arrays[images])} images and "
                f"{len(arrays[labels])} labels."
            )
    return LabelledImages(*arrays)


def binarise(images: np.ndarray, seed: int | None = None) -> np.ndarray:
    """Images of zeros and ones from images of 0 to 255.

    Args:
        images: Bytes (number, height, width).
        seed: Without one a pixel is 1 from half of the brightness on, 128; with one it is 1 with
            its brightness, of 255, as the probability, drawn by the seed once for all.

    Returns:
        Floats (number, height, width, 1).

    Raises:
        ValueError: The images are no bytes, or of another rank.

    Example:

    >>> import numpy as np
    >>> from kblocks.data import binarise
    >>> binarise(np.array([[[0, 127, 128, 255]]], "uint8"))[0, 0, :, 0].tolist()
    [0.0, 0.0, 1.0, 1.0]
    """
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 3:
        raise ValueError(
            "`images` must be bytes (number, height, width), got "
            f"{images.dtype} of the shape {images.shape}."
        )
    if seed is None:
        ones = images >= 128
    else:
        # From 0 to 254: 0 is never above it, 255 always.
        ones = images > np.random.default_rng(seed).integers(0, 255, images.shape, "uint8")
    return ones.astype("float32")[..., None]


def image_batches(
    images: np.ndarray,
    batch_size: int,
    seed: int = 0,
    first_epoch: int = 0,
    drop_remainder: bool = False,
    labels: np.ndarray | None = None,
) -> Batches:
    """Batches of images and their targets, shuffled anew in each epoch.

    The order within an epoch depends on `seed` and the epoch's number alone, so that a run resumed
    with `first_epoch` sees what it would have seen.

    Args:
        images: (number, height, width, channels).
        batch_size: Images in a batch; the last of an epoch may have fewer.
        seed: Of the shuffling.
        first_epoch: Epochs already done.
        drop_remainder: Leave out the batch that is not full, other images in each epoch.
        labels: The targets, one for each image, (number, ...); by default the images themselves.

    Returns:
        `Batches(dataset, steps, left_out)`; the dataset yields `(images, targets)`.

    Raises:
        ValueError: There are too few images for a batch, or more or fewer labels than images.
    """
    number = len(images)
    steps = number // batch_size if drop_remainder else math.ceil(number / batch_size)
    if not steps:
        raise ValueError(f"{number} images are too few for a batch of {batch_size}.")
    if labels is not None and len(labels) != number:
        raise ValueError(f"`labels` must be as many as the {number} images, got {len(labels)}.")
    held = tf.constant(images)
    targets = held if labels is None else tf.constant(labels)

    def epoch(k: Any) -> tf.data.Dataset:
        order = tf.argsort(tf.random.stateless_uniform([number], [seed, k]))
        chosen = tf.data.Dataset.from_tensor_slices(order)
        return chosen.batch(batch_size, drop_remainder)

    dataset = tf.data.Dataset.range(first_epoch, np.iinfo(np.int64).max // 2).flat_map(epoch)
    dataset = dataset.map(lambda rows: (tf.gather(held, rows), tf.gather(targets, rows)))
    return Batches(prefetched(dataset), steps, number - min(number, steps * batch_size))
