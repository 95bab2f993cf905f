"""A model from a checkpoint."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kblocks.checkpoints.form import Form, form_of
from kblocks.checkpoints.google_bert import CONFIG, GoogleBert
from kblocks.checkpoints.layouts import assign
from kblocks.checkpoints.tensor_files import TensorFiles
from kblocks.files import read_json

_FILES = ["*.json", "*.safetensors", "vocab.txt", "merges.txt"]
_OLD_NORMS = {".gamma": ".weight", ".beta": ".bias"}  # LayerNorm's, in files of 2018 and 2019


def from_pretrained(model_class: type, source: str | Path, **changes: Any) -> Any:
    """The model of a checkpoint, its weights read; see `Model.from_pretrained`.

    Args:
        model_class: `BertEncoder` or `GPT2`.
        source: A directory with `config.json` and safetensors, or Google's of a BERT with
            `bert_config.json` and a TensorFlow checkpoint, or the name of one on Hugging Face's
            hub ("organisation/name"), which is downloaded by `huggingface_hub`.
        changes: Arguments of the constructor that differ from the checkpoint's.

    Raises:
        ValueError: A file is broken, or does not fit the model; what does not is listed.
        FileNotFoundError: The directory or a file in it is missing.
        ImportError: A package is missing that this needs.
    """
    model = model_class(**{**read_arguments(model_class, source), **changes})
    model.build()
    load_weights(model, source)
    return model


def read_arguments(model_class: type, source: str | Path) -> dict[str, Any]:
    """The constructor's arguments of a checkpoint's model; no weights are read."""
    form, directory = form_of(model_class), find(source)
    google = _is_google(directory, form)
    config = read_config(directory / (CONFIG if google else "config.json"))
    if config.get("model_type", form.model_type) != form.model_type:
        raise ValueError(
            f"{directory} holds a {config['model_type']!r}, {model_class.__name__} reads "
            f"{form.model_type!r}."
        )
    return form.arguments(config)


def load_weights(model: Any, source: str | Path) -> None:
    """Give a built model of the checkpoint's shape its weights, all of them or none."""
    form, directory = form_of(type(model)), find(source)
    google = _is_google(directory, form)
    found = GoogleBert(directory) if google else _Renamed(TensorFiles(directory), form.prefix)
    assign(list(form.entries(model)), form.divided(found), str(directory), form.ignored)


def _is_google(directory: Path, form: Form) -> bool:
    return form.model_type == "bert" and (directory / CONFIG).is_file()


def find(source: str | Path) -> Path:
    """The directory, or that of a download."""
    directory = Path(source)
    if directory.is_dir():
        return directory
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", str(source)) or directory.parent.is_dir():
        raise FileNotFoundError(f"there is no directory {directory}.")
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise ImportError(
            f"there is no directory {directory}; to look for it on Hugging Face's hub: "
            "pip install huggingface_hub"
        ) from None
    return Path(snapshot_download(str(source), allow_patterns=_FILES))


def read_config(path: Path) -> dict[str, Any]:
    """The configuration of a checkpoint."""
    if not path.is_file():
        raise FileNotFoundError(f"{path.parent} has no {path.name}.")
    return read_json(path)


class _Renamed(Mapping[str, np.ndarray]):
    """Arrays by the names that the newest programs use: no prefix, no old ones."""

    def __init__(self, arrays: Mapping[str, np.ndarray], prefix: str) -> None:
        self._arrays = arrays
        self._name_of = {self._new(name, prefix): name for name in arrays}

    @staticmethod
    def _new(name: str, prefix: str) -> str:
        name = name.removeprefix(prefix)
        for old, new in _OLD_NORMS.items():
            if name.endswith(old):
                return name.removesuffix(old) + new
        return name

    def __getitem__(self, name: str) -> np.ndarray:
        return self._arrays[self._name_of[name]]

    def __contains__(self, name: object) -> bool:
        return name in self._name_of

    def __iter__(self) -> Iterator[str]:
        return iter(self._name_of)

    def __len__(self) -> int:
        return len(self._name_of)
