"""What all recipes share: training into a run, measuring, drawing and exporting what it reached.

A recipe is a subclass of `Recipe` that says which data it reads, which model it trains on them, and
what is measured, drawn and served; its settings are a subclass of `TrainingConfig`.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

import keras

from kblocks.data import Batches
from kblocks.distribute import is_chief, strategy
from kblocks.export import save
from kblocks.plotting import plot_curves
from kblocks.recipes.fit import fit
from kblocks.recipes.learning_rate import rise_and_fall
from kblocks.recipes.results import result
from kblocks.recipes.run import Keep, RunDirectory, kept_epoch
from kblocks.training import FusedAdam, GlobalNormClipping


@dataclasses.dataclass
class TrainingConfig:
    """The settings that all recipes have; `--set name=value` changes one."""

    data: str | None = None  # where they are: a file, a folder, or what a recipe says
    batch_size: int = 64
    epochs: int = 10
    patience: int | None = None  # stop after so many epochs that are no better
    minutes: float | None = None  # stop after so much training
    keep: Keep = "best"  # "best" or "last": the epoch that is measured and exported
    average: int = 1  # its weights are the mean of those after so many epochs up to it
    learning_rate: float = 1e-3  # at its height; it rises, then falls along a cosine to zero
    weight_decay: float = 0.0
    accumulate: int = 1  # batches whose gradients make one step
    clip_norm: float = 5.0
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    strategy: str = "auto"
    seed: int = 0


class Recipe:
    """From the data to a trained, measured and exported model.

    A subclass has the class attributes `name`, `summary`, `facts`, `Config` (its settings) and

        metric      the value of an epoch, the higher the better, that says which is best
        examples    what the data are called in a message: "pairs", "trees"
        part_files  the files of a run that `save_parts` writes
        not_decayed words in the names of weights that weight decay leaves alone

    The parts are what the model must know of the data, such as vocabularies, classes or a shape.
    They are learnt when a run begins and kept in it, so that the model is made again without data.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    facts: ClassVar[dict[str, str]]
    Config: ClassVar[type[TrainingConfig]]
    metric: ClassVar[str]
    examples: ClassVar[str]
    part_files: ClassVar[tuple[str, ...]] = ()
    not_decayed: ClassVar[tuple[str, ...]] = ()

    # A subclass gives these.

    def read(self, config: Any) -> Any:
        """The data: an object with `train`, `validation` and perhaps `test`, which may be empty."""
        raise NotImplementedError

    def batches(
        self, config: Any, parts: Any, split: Any, training: bool = False, **options: Any
    ) -> Batches:
        """The batches of a split; `options` are `first_epoch` and `drop_remainder`."""
        raise NotImplementedError

    def make_model(self, config: Any, parts: Any) -> Any:
        """The model that the settings describe, built."""
        raise NotImplementedError

    def objective(self, config: Any, parts: Any) -> dict[str, Any]:
        """The `loss` and the `metrics`, as arguments of `model.compile`."""
        raise NotImplementedError

    def servable(self, config: Any, parts: Any, model: Any) -> Any:
        """What is exported: a model or a `Servable`, as `kblocks.export.save` takes them."""
        raise NotImplementedError

    # A subclass may give these.

    def learn_parts(self, config: Any, splits: Any) -> Any:
        """The parts, from the data."""
        return None

    def save_parts(self, parts: Any, run: RunDirectory) -> None:
        """Write the parts into a run."""

    def load_parts(self, config: Any, run: RunDirectory) -> Any:
        """The parts that a run has."""
        return None

    def begin(self, config: Any, parts: Any, model: Any) -> None:
        """Give a new model what it does not begin with at random, before its first epoch."""

    def learning_rate(self, config: Any, steps: int) -> Any:
        """Up for an epoch of so many steps, then along a cosine to zero."""
        return rise_and_fall(config.learning_rate, config.epochs * steps, warm_up=steps)

    def adam(self, config: Any) -> dict[str, Any]:
        """Further arguments of Adam."""
        return {}

    def optimizer(
        self, config: Any, model: Any, options: dict[str, Any]
    ) -> keras.optimizers.Optimizer:
        """Adam with what the settings make its arguments."""
        return FusedAdam(**options)

    def score(
        self, config: Any, parts: Any, model: Any, split: Any, batches: Batches
    ) -> Callable[[], dict[str, float]]:
        """What measures the model after each epoch on the validation split, beside Keras."""
        return dict

    def measure(
        self, config: Any, parts: Any, model: Any, split: Any, splits: Any
    ) -> dict[str, Any]:
        """The values of one of the splits: by default the loss and the metrics."""
        if not model.compiled:
            self.compile(config, parts, model, steps=1)
        batches = self.batches(config, parts, split)
        return model.evaluate(batches.dataset, steps=batches.steps, verbose=0, return_dict=True)

    def count_parameters(self, model: Any) -> int:
        """How many weights the model has."""
        return model.count_params()

    def pictures(self, config: Any, parts: Any, model: Any, folder: Path) -> list[Path]:
        """Draw what the model does; the learning curves are drawn already."""
        return []

    # What they share.

    def train(self, config: Any, run: RunDirectory, quiet: bool = False) -> dict[str, Any]:
        """Train into a run, or go on with it; returns the values of the epoch that is kept."""
        chosen = strategy(config.strategy)  # workers must find each other before any op
        keras.utils.set_random_seed(config.seed)
        keras.config.set_dtype_policy(config.precision)
        splits = self.read(config)
        parts = self._parts(config, run, splits)
        with self._named("train"):
            train = self.batches(
                config,
                parts,
                splits.train,
                training=True,
                first_epoch=run.epochs_done(),
                drop_remainder=chosen.num_replicas_in_sync > 1,  # replicas take equal shares
            )
        with self._named("validation"):
            validation = self.batches(config, parts, splits.validation)
        with chosen.scope():
            model = self.make_model(config, parts)
            if not run.epochs_done():
                self.begin(config, parts, model)
            self.compile(config, parts, model, train.steps)
        history = fit(
            model,
            train,
            validation,
            run,
            epochs=config.epochs,
            metric=self.metric,
            score=self.score(config, parts, model, splits.validation, validation),
            patience=config.patience,
            minutes=config.minutes,
            average=config.average,
            seed=config.seed,
            quiet=quiet,
        )
        return history[kept_epoch(history, self.metric, config.keep) - 1]

    def compile(self, config: Any, parts: Any, model: Any, steps: int) -> None:
        """Adam with clipping, and with weight decay where there is some; batches an epoch."""
        options = {
            "learning_rate": self.learning_rate(config, max(1, steps // config.accumulate)),
            "gradient_accumulation_steps": config.accumulate if config.accumulate > 1 else None,
            **self.adam(config),
        }
        if config.weight_decay:
            options["weight_decay"] = config.weight_decay
        optimizer = self.optimizer(config, model, options)
        if config.weight_decay:
            optimizer.exclude_from_weight_decay(var_names=[*self.not_decayed])
        model.compile(
            GlobalNormClipping(optimizer, config.clip_norm),
            **self.objective(config, parts),
            # Automatic XLA compiles once for each shape of a batch: minutes on a CPU, for no gain.
            jit_compile=False,
        )

    def evaluate(self, run: RunDirectory) -> dict[str, Any]:
        """Measure the epoch that is kept on the held-out data; writes `results.json`."""
        config, parts, model = self.load(run)
        splits = self.read(config)
        measured: dict[str, Any] = {}
        for short, name in (("val", "validation"), ("test", "test")):
            split = getattr(splits, name, ())
            if len(split):
                with self._named(name):
                    values = self.measure(config, parts, model, split, splits)
                measured |= {f"{short}_{key}": value for key, value in values.items()}
        measured["parameters"] = self.count_parameters(model)
        run.write_json("results.json", result(run, measured))
        return measured

    def plot(self, run: RunDirectory) -> list[Path]:
        """Draw the learning curves, and what the model does."""
        config, parts, model = self.load(run)
        curves = run.pictures / "curves.png"
        plot_curves(run.log, metric=self.metric, path=curves)
        return [curves, *self.pictures(config, parts, model, run.pictures)]

    def export(self, run: RunDirectory, directory: str | Path) -> Path:
        """Export the epoch that is kept, under the name of the run."""
        servable = self.servable(*self.load(run))
        return save(servable, Path(directory) / run.path.resolve().name)

    def load(self, run: RunDirectory) -> tuple[Any, Any, Any]:
        """The settings of a run, its parts, and its model at the epoch that is kept."""
        config = self.Config(**run.read_json("config.json")["settings"])
        parts = self.load_parts(config, run)
        model = self.make_model(config, parts)
        run.load_kept(model, self.metric, config.keep, config.average)
        return config, parts, model

    def _parts(self, config: Any, run: RunDirectory, splits: Any) -> Any:
        if all((run.path / name).exists() for name in self.part_files):
            return self.load_parts(config, run)
        parts = self.learn_parts(config, splits)
        if is_chief():  # every worker learns the same ones; the chief keeps them
            self.save_parts(parts, run)
        return parts

    @contextlib.contextmanager
    def _named(self, split: str) -> Iterator[None]:
        """Say in an error which split it is about."""
        try:
            yield
        except ValueError as error:
            raise ValueError(f"the {split} {self.examples}: {error}") from error
