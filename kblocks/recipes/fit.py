"""The training loop of every recipe: epochs that can be stopped at any moment and gone on with."""

import time
from collections.abc import Callable
from typing import Any

import keras
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from kblocks.data import Batches
from kblocks.distribute import is_chief, prepare, read_cluster
from kblocks.recipes.run import History, RunDirectory, best_epoch


def fit(
    model: keras.Model,
    train: Batches,
    validation: Batches,
    run: RunDirectory,
    *,
    epochs: int,
    metric: str,
    score: Callable[[], dict[str, float]] = dict,
    patience: int | None = None,
    minutes: float | None = None,
    average: int = 1,
    seed: int = 0,
    quiet: bool = False,
) -> History:
    """Train a compiled model, from the newest checkpoint of the run if it has one.

    After each epoch the model is measured, by Keras and by `score`, and the state is kept in the
    run. What happens in an epoch depends on the state it begins with, on
    `seed` and on its number alone, so that a run which was stopped reaches what it would have.

    Args:
        model: Built and compiled.
        train: Batches from the first epoch that is still to be done.
        validation: Batches of the validation set.
        run: Where everything is written.
        epochs: Passes over the data, those already done included.
        metric: The value of the log, the higher the better, that says which epoch is best.
        score: Measures the model after each epoch, beside Keras' own metrics.
        patience: Stop when so many epochs brought no better `metric`.
        minutes: Stop within an epoch after so much training time.
        average: How many checkpoints in a row are kept, to be averaged.
        seed: Of everything drawn at random in the layers.
        quiet: A line an epoch instead of a progress bar.

    Returns:
        The history: one dict of values for each epoch done.

    Raises:
        ValueError: `minutes` is set and there are several workers, whose clocks differ.
        KeyboardInterrupt: With a message that says what was kept.
    """
    cluster = read_cluster()
    if minutes is not None and cluster is not None and len(cluster.workers) > 1:
        raise ValueError("`minutes` cannot stop several workers at one batch: set `epochs`.")
    history = run.history()
    done = len(history)
    if done:
        model.optimizer.build(model.trainable_variables)  # its state is in the checkpoint
        run.load_newest(model)
    bar = _Bar(train.steps, epochs, quiet)
    callbacks: list[keras.callbacks.Callback] = [
        _Reseed(seed),
        _Score(score),
        _Keep(run, history, metric, patience, average),
        bar,
    ]
    if is_chief():
        callbacks.append(keras.callbacks.TensorBoard(str(run.tensorboard), write_graph=False))
    if minutes is not None:
        callbacks.append(_Clock(minutes))
    if done >= epochs or _out_of_patience(history, metric, patience):
        return history
    try:
        prepare(model).fit(
            train.dataset,
            steps_per_epoch=train.steps,
            validation_data=validation.dataset,
            validation_steps=validation.steps,
            initial_epoch=done,
            epochs=epochs,
            callbacks=callbacks,
            verbose=0,
            shuffle=False,
        )
    except KeyboardInterrupt:
        kept = f"epoch {len(history)} is kept in {run.path}" if history else "no epoch was finished"
        raise KeyboardInterrupt(f"interrupted: {kept}; --resume goes on from there.") from None
    finally:
        bar.close()
    return history


def _out_of_patience(history: History, metric: str, patience: int | None) -> bool:
    return (
        bool(history)
        and patience is not None
        and (len(history) - best_epoch(history, metric) >= patience)
    )


class _Reseed(keras.callbacks.Callback):
    """Begin each epoch with random states that depend on the seed and its number alone."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = seed

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        for i, variable in enumerate(self.model.variables):
            if variable.path.endswith("seed_generator_state"):
                state = [self.seed * 1_000_003 + epoch, i]
                variable.assign(keras.ops.cast(state, variable.dtype))


class _Score(keras.callbacks.Callback):
    """Add a measurement of the model to the values of the epoch."""

    def __init__(self, score: Callable[[], dict[str, float]]) -> None:
        super().__init__()
        self.score = score

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs.update(self.score())


class _Keep(keras.callbacks.Callback):
    """Keep the state of each epoch in the run, and stop when it no longer gets better."""

    def __init__(
        self,
        run: RunDirectory,
        history: History,
        metric: str,
        patience: int | None,
        average: int,
    ) -> None:
        super().__init__()
        self.run, self.history, self.metric, self.patience = run, history, metric, patience
        self.average = average

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.began = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        row = {name: float(value) for name, value in logs.items()}
        row["minutes"] = (time.monotonic() - self.began) / 60
        self.history.append(row)
        if is_chief():
            self.run.save(self.model, self.history, self.metric, self.average)
        if _out_of_patience(self.history, self.metric, self.patience):
            self.model.stop_training = True


class _Clock(keras.callbacks.Callback):
    """Stop after some minutes."""

    def __init__(self, minutes: float) -> None:
        super().__init__()
        self.seconds = 60 * minutes

    def on_train_begin(self, logs: Any = None) -> None:
        self.end = time.monotonic() + self.seconds

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if time.monotonic() > self.end:
            self.model.stop_training = True


class _Bar(keras.callbacks.Callback):
    """A progress bar over the whole training, and a line for each epoch, on stderr."""

    def __init__(self, steps: int, epochs: int, quiet: bool) -> None:
        super().__init__()
        self.steps, self.epochs = steps, epochs
        self.console = Console(stderr=True, highlight=False)
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("left:"),
            TimeRemainingColumn(elapsed_when_finished=False, compact=True),
            TextColumn("{task.fields[values]}"),
            console=self.console,
            disable=quiet or not is_chief(),
            transient=True,
        )

    def on_train_begin(self, logs: Any = None) -> None:
        self.task = self.progress.add_task("", total=self.steps * self.epochs, values="")

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = epoch
        self.progress.start()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        # Reading a value waits for the device; once in ten batches is enough to look at.
        if batch % 10 == 0:
            self.progress.update(
                self.task,
                completed=self.epoch * self.steps + batch + 1,
                description=f"epoch {self.epoch + 1}/{self.epochs}",
                values=_readable(logs),
            )

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if is_chief():
            line = f"epoch {epoch + 1}/{self.epochs}  {_readable(logs)}"
            self.console.print(line, soft_wrap=True)

    def close(self) -> None:
        """Give the terminal back, its cursor and stderr, however the training ended."""
        if self.progress.live.is_started:
            self.progress.stop()


def _readable(logs: dict[str, Any]) -> str:
    return "  ".join(f"{name} {float(value):.4g}" for name, value in logs.items())
