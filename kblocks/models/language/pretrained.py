"""The door to checkpoints from the outside, which `kblocks.checkpoints` opens."""

import importlib
from pathlib import Path
from typing import Any, Self


class Pretrained:
    """The base of the models that `kblocks.checkpoints` reads and writes.

    The room of checkpoints stands above this one, and is looked for when it is asked.
    """

    @classmethod
    def from_pretrained(cls, source: str | Path, **changes: Any) -> Self:
        """The model of a checkpoint, its weights read.

        Args:
            source: A directory in Hugging Face's form (`config.json` and `model.safetensors`), or
                the name of one on its hub, which needs the package `huggingface_hub`.
            changes: Arguments of the constructor that differ from the checkpoint's, such as
                `dropout`.

        Raises:
            ValueError: The checkpoint does not fit the model; the message lists what is missing,
                left over or of another shape.
            FileNotFoundError: It is not there.

        References:
            `kblocks.checkpoints`
        """
        checkpoints: Any = importlib.import_module("kblocks.checkpoints")
        return checkpoints.from_pretrained(cls, source, **changes)

    def save_pretrained(self, directory: str | Path) -> None:
        """Write the model in the form that `from_pretrained` reads, whole or not at all.

        Args:
            directory: Where; it must not exist.

        References:
            `kblocks.checkpoints`
        """
        checkpoints: Any = importlib.import_module("kblocks.checkpoints")
        checkpoints.save_pretrained(self, directory)
