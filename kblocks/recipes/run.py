"""A run directory: what a training run was told, what it reached, and where it can go on."""

import csv
import dataclasses
import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any, Literal

import keras

from kblocks.recipes.provenance import provenance

History = list[dict[str, float]]
Keep = Literal["best", "last"]


class RunDirectory:
    """A folder with a run's configuration, log, checkpoints and pictures.

        config.json      recipe, settings, command, commit, package versions
        log.csv          one line an epoch
        checkpoints/     epoch-N/: weights, optimizer state and the history so far
        pictures/        tensorboard/

    A checkpoint is written beside and renamed, so that a kill at any moment leaves the one before
    whole; the newest and the best are kept.

    Args:
        path: The folder.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.pictures = self.path / "pictures"
        self.tensorboard = self.path / "tensorboard"
        self.log = self.path / "log.csv"

    @classmethod
    def create(cls, path: str | os.PathLike[str], recipe: str, config: Any) -> "RunDirectory":
        """Make the folder, and write down what is to be run, and where it comes from.

        Args:
            path: The folder, not there yet or empty.
            recipe: The recipe's name.
            config: Its settings, a dataclass.

        Raises:
            ValueError: The folder exists and is not empty.
        """
        run = cls(path)
        if run.path.exists() and (not run.path.is_dir() or any(run.path.iterdir())):
            raise ValueError(
                f"{run.path} exists already: choose another --out, or go on with it by --resume."
            )
        run.path.mkdir(parents=True, exist_ok=True)
        settings = dataclasses.asdict(config)
        run.write_json("config.json", {"recipe": recipe, "settings": settings, **provenance()})
        return run

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> "RunDirectory":
        """Take up a run directory.

        Raises:
            ValueError: It is none.
        """
        run = cls(path)
        if not (run.path / "config.json").is_file():
            raise ValueError(f"{run.path} is no run directory: it has no config.json.")
        return run

    def read_json(self, name: str) -> Any:
        """The content of a JSON file of the run.

        Raises:
            ValueError: The file is missing or damaged.
        """
        try:
            return json.loads((self.path / name).read_text(encoding="utf-8"))
        except (FileNotFoundError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise ValueError(f"{self.path / name}: missing or damaged ({error}).") from error

    def write_json(self, name: str, content: Any) -> None:
        """Write a JSON file of the run, whole or not at all."""
        beside = self.path / f"{name}.tmp"
        beside.write_text(
            json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        beside.replace(self.path / name)

    # Checkpoints.

    def epochs_done(self) -> int:
        """How many epochs the newest checkpoint has seen; 0 without one."""
        return max(self._numbers(), default=0)

    def history(self) -> History:
        """The logged values of each epoch done."""
        done = self.epochs_done()
        return self.read_json(f"checkpoints/epoch-{done}/history.json") if done else []

    def save(self, model: Any, history: History, metric: str, average: int = 1) -> None:
        """Keep the state after an epoch: `history` has one entry for each epoch done.

        Kept are the newest `average` checkpoints, and the best with those just before it.

        Raises:
            OSError: The disk has no room for it, or cannot be written.
        """
        done = len(history)
        _need_room(self.path, model)
        beside = self.path / "checkpoints" / f"writing-{done}"
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        model.save_weights(beside / "model.weights.h5")
        (beside / "history.json").write_text(json.dumps(history))
        target = self._checkpoint(done)
        shutil.rmtree(target, ignore_errors=True)
        beside.rename(target)
        self._write_log(history)
        wanted = {*_up_to(done, average), *_up_to(best_epoch(history, metric), average)}
        for number in self._numbers():
            if number not in wanted:
                shutil.rmtree(self._checkpoint(number))

    def load_newest(self, model: Any) -> None:
        """Bring model and optimizer to where the newest checkpoint was."""
        self._load(model, self.epochs_done())

    def load_kept(self, model: Any, metric: str, keep: Keep = "best", average: int = 1) -> None:
        """Bring the model to the epoch with the highest `metric`, or to the last one.

        With `average` over 1 its weights are the mean of those after so many epochs up to it.

        Raises:
            ValueError: No epoch was finished.
        """
        if not self.epochs_done():
            raise ValueError(f"{self.path} has no checkpoint: not one epoch was finished.")
        *before, kept = _up_to(kept_epoch(self.history(), metric, keep), average)
        totals: list[Any] = []
        for number in before:
            self._load(model, number)
            values = [value.astype("float64") for value in model.get_weights()]
            totals = [a + b for a, b in zip(totals, values, strict=True)] if totals else values
        self._load(model, kept)
        if before:
            pairs = zip(totals, model.get_weights(), strict=True)
            model.set_weights([(a + b) / (len(before) + 1) for a, b in pairs])

    def _load(self, model: Any, number: int) -> None:
        path = self._checkpoint(number) / "model.weights.h5"
        try:
            model.load_weights(path)
        except (ValueError, KeyError, OSError) as error:
            first = str(error).strip().splitlines()[0]
            raise ValueError(
                f"{path} does not fit the model that {self.path / 'config.json'} describes: {first}"
            ) from error

    def _checkpoint(self, number: int) -> Path:
        return self.path / "checkpoints" / f"epoch-{number}"

    def _numbers(self) -> list[int]:
        folders = (self.path / "checkpoints").glob("epoch-*")
        return [int(folder.name.removeprefix("epoch-")) for folder in folders]

    def _write_log(self, history: History) -> None:
        beside = self.log.with_suffix(".csv.tmp")
        with beside.open("w", newline="") as file:
            writer = csv.DictWriter(file, ["epoch", *history[0]])
            writer.writeheader()
            writer.writerows({"epoch": i, **row} for i, row in enumerate(history))
        beside.replace(self.log)


def _need_room(path: Path, model: Any) -> None:
    """Refuse to begin on a checkpoint that the disk has no room for.

    HDF5 would not only fail in the midst of it, but bring the process down.
    """
    optimizer = getattr(model, "optimizer", None)
    variables = [*model.variables, *(optimizer.variables if optimizer else [])]
    values = sum(keras.ops.convert_to_numpy(variable).nbytes for variable in variables)
    needed = values + 2048 * len(variables) + 65536  # HDF5's own, and history.json
    if shutil.disk_usage(path).free < needed:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def _up_to(number: int, count: int) -> range:
    """The numbers of so many epochs, `number` the last of them."""
    return range(max(1, number - count + 1), number + 1)


def best_epoch(history: History, metric: str) -> int:
    """The number, from 1, of the epoch with the highest `metric`; the first of equals."""
    values = [row[metric] for row in history]
    return 1 + values.index(max(values))


def kept_epoch(history: History, metric: str, keep: Keep) -> int:
    """The number, from 1, of the best epoch or of the last one."""
    return best_epoch(history, metric) if keep == "best" else len(history)
