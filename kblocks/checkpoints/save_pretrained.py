"""A checkpoint from a model."""

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from kblocks.checkpoints.form import form_of
from kblocks.checkpoints.tensor_files import WHOLE


def save_pretrained(model: Any, directory: str | Path) -> None:
    """Write `config.json` and `model.safetensors`, whole or not at all; see
    `model.save_pretrained`.

    Args:
        model: Built.
        directory: Where; it must not exist.

    Raises:
        FileExistsError: It does.
    """
    from safetensors.numpy import save_file

    form, directory = form_of(type(model)), Path(directory)
    if directory.exists():
        raise FileExistsError(f"{directory} exists: choose another directory, or remove it first.")
    directory.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    try:
        config = {"architectures": [form.architecture], **form.config(model)}
        text = json.dumps(config, indent=2) + "\n"
        (beside / "config.json").write_text(text, encoding="utf-8")
        arrays = {entry.name: entry.write() for entry in form.entries(model)}
        save_file(form.joined(arrays), beside / WHOLE, metadata={"format": "pt"})
        beside.chmod(0o755)
        os.rename(beside, directory)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
