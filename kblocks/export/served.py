"""An exported model, loaded back and used as TensorFlow Serving would."""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

Output = dict[str, Any]

_FIRST = ("text", "question")  # of two inputs


class Served:
    """A SavedModel from strings or images to named outputs, by its default signature.

    Args:
        directory: A directory of versions, of which the newest is taken (the highest number, as
            TensorFlow Serving takes it), or one version.

    Call arguments:
        texts: Strings; of a signature with several inputs as many for each, in the order of
            `inputs`.

    Returns:
        For each string the outputs by name, as Python values. `run` gives those of a batch, of
        strings or of images, as arrays.

    Attributes:
        version: The path of the version that was taken.
        inputs: The names of its inputs; `text` or `question` comes first.
        takes_images: Whether it takes images, uint8 (batch, height, width, 3), and not strings.

    Raises:
        ValueError: There is no export at that place, or its signature takes neither.

    Example:

    >>> import pathlib, tempfile
    >>> import tensorflow as tf
    >>> from kblocks.export.served import Served
    >>> directory = pathlib.Path(tempfile.mkdtemp()) / "shout"
    >>> strings = tf.TensorSpec([None], tf.string, "text")
    >>> upper = tf.function(lambda text: {"shout": tf.strings.upper(text)}, [strings])
    >>> tf.saved_model.save(tf.Module(), directory / "1", upper.get_concrete_function())
    >>> Served(directory)(["hello", "you"])
    [{'shout': 'HELLO'}, {'shout': 'YOU'}]
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        # The ops of its tokenizers come with it; an export without them needs no such package.
        with contextlib.suppress(ImportError):
            import tensorflow_text  # noqa: F401
        self.version = _newest(Path(directory))
        # Whoever holds the signature must hold the model, whose variables it uses.
        self._model = tf.saved_model.load(str(self.version))
        self._signature = self._model.signatures.get("serving_default")
        inputs = self._signature.structured_input_signature[1] if self._signature else {}
        dtypes = [spec.dtype for spec in inputs.values()]
        if {*dtypes} != {tf.string} and dtypes != [tf.uint8]:
            found = ", ".join(f"{name} ({spec.dtype.name})" for name, spec in inputs.items())
            raise ValueError(
                f"{self.version}: the default signature must take inputs of strings, or one of "
                f"images (uint8), and takes {found or 'none'}."
            )
        # A signature keeps no order.
        self.inputs = tuple(sorted(inputs, key=lambda name: (name not in _FIRST, name)))
        self.takes_images = dtypes == [tf.uint8]

    def run(self, *batches: Any) -> dict[str, np.ndarray]:
        """The outputs of a batch by name, as arrays; the arguments are one batch for each input."""
        dtype = tf.uint8 if self.takes_images else tf.string
        pairs = zip(self.inputs, batches, strict=True)
        outputs = self._signature(**{name: tf.constant(batch, dtype) for name, batch in pairs})
        return {name: output.numpy() for name, output in outputs.items()}

    def __call__(self, *texts: Sequence[str]) -> list[Output]:
        outputs = self.run(*(list(column) for column in texts))
        values = {name: _plain(output.tolist()) for name, output in outputs.items()}
        return [{name: rows[i] for name, rows in values.items()} for i in range(len(texts[0]))]


def _newest(directory: Path) -> Path:
    """The directory itself if it is a version, else its version of the highest number."""
    if (directory / "saved_model.pb").is_file():
        return directory
    if not directory.is_dir():
        raise ValueError(f"{directory}: no such directory; expected an exported model.")
    versions = [path for path in directory.iterdir() if path.name.isdecimal()]
    if not (versions := [path for path in versions if (path / "saved_model.pb").is_file()]):
        raise ValueError(f"{directory}: no exported model, which would be in {directory / '1'}.")
    return max(versions, key=lambda path: int(path.name))


def _plain(value: Any) -> Any:
    """Nested lists with text for bytes."""
    if isinstance(value, list):
        return [_plain(element) for element in value]
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else value
