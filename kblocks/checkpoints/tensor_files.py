"""The weights of a checkpoint directory: safetensors, whole or in shards. Nothing is unpickled."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kblocks.files import read_json

WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"


class TensorFiles(Mapping[str, np.ndarray]):
    """The arrays of a checkpoint by name, each read from its file when asked for.

    Args:
        directory: With `model.safetensors`, or with `model.safetensors.index.json` and what it
            names.

    Raises:
        FileNotFoundError: There is neither, or a shard is missing.
        ValueError: A file is broken, or the index names one outside of the directory.
    """

    def __init__(self, directory: Path) -> None:
        whole, index = directory / WHOLE, directory / INDEX
        self._file_of: dict[str, Path] = {}
        if whole.is_file():
            self._file_of = dict.fromkeys(_names(whole), whole)
        elif index.is_file():
            self._file_of = _of_index(directory, index)
        else:
            other = [p.name for p in sorted(directory.glob("*.bin"))]
            hint = f"; {other[0]} is a pickle, which is not read" if other else ""
            raise FileNotFoundError(f"{directory} has neither {WHOLE} nor {INDEX}{hint}.")

    def __getitem__(self, name: str) -> np.ndarray:
        path = self._file_of[name]
        with _opened(path) as tensors:
            return tensors.get_tensor(name)

    def __contains__(self, name: object) -> bool:
        return name in self._file_of

    def __iter__(self) -> Iterator[str]:
        return iter(self._file_of)

    def __len__(self) -> int:
        return len(self._file_of)


def _of_index(directory: Path, index: Path) -> dict[str, Path]:
    """Where each array lies, as the index says, and as the shards have it."""
    shard_of = read_json(index).get("weight_map")
    if not isinstance(shard_of, dict) or not all(isinstance(s, str) for s in shard_of.values()):
        raise ValueError(f"{index} has no `weight_map` from names to files.")
    for shard in set(shard_of.values()):
        if Path(shard).name != shard or not shard.endswith(".safetensors"):
            raise ValueError(f"{index} names {shard!r}, which is no safetensors file beside it.")
        if not (directory / shard).is_file():
            raise FileNotFoundError(f"{directory / shard}, which {index.name} names, is missing.")
    held = {shard: set(_names(directory / shard)) for shard in set(shard_of.values())}
    lost = [name for name, shard in shard_of.items() if name not in held[shard]]
    if lost:
        raise ValueError(f"{index} looks for {lost[0]} in {shard_of[lost[0]]}, which has no such.")
    return {name: directory / shard for name, shard in shard_of.items()}


def _names(path: Path) -> list[str]:
    with _opened(path) as tensors:
        return list(tensors.keys())


def _opened(path: Path) -> Any:
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError:
        raise ImportError(
            "checkpoints need the package safetensors: pip install kblocks[pretrained]"
        ) from None
    try:
        return safe_open(path, framework="numpy")
    except SafetensorError as error:
        raise ValueError(f"{path} is broken or cut short: {error}.") from None
