"""SavedModels for TensorFlow Serving: a new version, written whole or not at all."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import tensorflow as tf


def save(model: Any, directory: str | os.PathLike[str], version: int | None = None) -> Path:
    """Export as `<directory>/<version>`, the next version by default."""
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    taken = [int(p.name) for p in directory.iterdir() if p.name.isdigit()]
    version = max(taken, default=0) + 1 if version is None else version
    beside = Path(tempfile.mkdtemp(prefix="writing-", dir=directory))
    try:
        tf.saved_model.save(model, beside, {"serving_default": model.translate})
        beside.rename(directory / str(version))
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return directory / str(version)
