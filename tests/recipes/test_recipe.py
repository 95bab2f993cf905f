"""The frame of all recipes, on points of a line."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from kblocks.data import Batches
from kblocks.recipes import Recipe, RunDirectory, TrainingConfig
from kblocks.training import FusedAdam


@dataclasses.dataclass
class LineConfig(TrainingConfig):
    slope: float = 3.0
    batch_size: int = 4
    learning_rate: float = 0.1


class Line(Recipe):
    """y = slope x, in units of the largest y; the scores of the epochs are given."""

    name, summary, facts = "line", "fits a line", {}
    Config = LineConfig
    metric = "val_score"
    examples = "points"
    part_files = ("largest.json",)

    def __init__(self, scores=(1.0, 3.0, 2.0)):
        self.scores = iter(scores)
        self.begun = 0

    def read(self, config):
        x = np.linspace(-1, 1, 12, dtype="float32")[:, None]
        pairs = x, config.slope * x
        return SimpleNamespace(train=pairs, validation=pairs, test=())

    def learn_parts(self, config, splits):
        return float(splits.train[1].max())

    def save_parts(self, parts, run):
        run.write_json("largest.json", parts)

    def load_parts(self, config, run):
        return run.read_json("largest.json")

    def batches(self, config, parts, split, training=False, first_epoch=0, drop_remainder=False):
        x, y = split
        if not len(x):
            raise ValueError("there are none.")
        points = tf.data.Dataset.from_tensor_slices((x, y / parts)).repeat()
        return Batches(points.batch(config.batch_size), len(x) // config.batch_size, 0)

    def make_model(self, config, parts):
        model = keras.Sequential([keras.layers.Dense(1, use_bias=False)])
        model.build((None, 1))
        return model

    def begin(self, config, parts, model):
        self.begun += 1
        model.set_weights([np.full((1, 1), -1.0)])

    def objective(self, config, parts):
        return {"loss": "mse", "metrics": ["mae"]}

    def score(self, config, parts, model, split, batches):
        return lambda: {"val_score": next(self.scores)}


def begin(path: Path, **settings):
    config = LineConfig(**{"epochs": 3, **settings})
    return config, RunDirectory.create(path / "run", "line", config)


@pytest.mark.parametrize(("keep", "number"), [("best", 1), ("last", 2)])
def test_the_epoch_that_is_kept_is_told_measured_and_loaded(tmp_path, keep, number):
    recipe, (config, run) = Line(), begin(tmp_path, keep=keep)
    told = recipe.train(config, run, quiet=True)
    history = run.history()
    assert told == history[number]
    losses = [row["val_loss"] for row in history]
    assert len(set(losses)) == 3
    measured = recipe.evaluate(run)
    assert list(measured) == ["val_loss", "val_mae", "parameters"]  # the test is empty
    assert measured["val_loss"] == pytest.approx(losses[number], rel=1e-6)
    assert measured["parameters"] == 1
    metrics = {name: value for name, value in measured.items() if name != "parameters"}
    assert run.read_json("results.json")["metrics"] == metrics
    assert [path.name for path in recipe.plot(run)] == ["curves.png"]


@pytest.mark.slow
def test_accumulated_batches_are_one_batch(tmp_path):
    """To the end of the run: the rate falls as it does with large batches."""
    slopes = []
    for accumulate in (1, 2):
        folder = tmp_path / str(accumulate)
        config, run = begin(folder, batch_size=4 // accumulate, accumulate=accumulate)
        Line().train(config, run, quiet=True)
        slopes.append(float(Line().load(run)[2].get_weights()[0][0, 0]))
    assert slopes[1] == pytest.approx(slopes[0], rel=1e-5)


def test_patience_counts_from_the_best_epoch(tmp_path):
    recipe, (config, run) = Line([2.0, 3.0, 1.0, 2.0, 9.0]), begin(tmp_path, epochs=9, patience=2)
    assert recipe.train(config, run, quiet=True)["val_score"] == 3.0
    assert [row["val_score"] for row in run.history()] == [2.0, 3.0, 1.0, 2.0]


def test_a_run_that_goes_on_keeps_its_parts_and_does_not_begin_anew(tmp_path):
    whole, (config, run) = Line(), begin(tmp_path / "whole")
    whole.train(config, run, quiet=True)
    stopped, (config, parts) = Line(), begin(tmp_path / "parts", patience=0)
    stopped.train(config, parts, quiet=True)
    assert parts.epochs_done() == 1
    config.patience = None
    stopped.learn_parts = None  # never again
    stopped.train(config, parts, quiet=True)
    assert stopped.begun == 1
    timeless = [
        [{**row, "minutes": 0} for row in history] for history in (run.history(), parts.history())
    ]
    assert timeless[0] == timeless[1]


def test_a_run_is_loaded_without_its_data(tmp_path):
    recipe, (config, run) = Line(), begin(tmp_path)
    with pytest.raises(ValueError, match=r"largest\.json: missing or damaged"):
        recipe.load(run)
    recipe.save_parts(3.0, run)
    with pytest.raises(ValueError, match="has no checkpoint: not one epoch was finished"):
        recipe.load(run)
    recipe.train(config, run, quiet=True)
    recipe.read = None
    loaded, parts, model = recipe.load(run)
    assert (loaded, parts) == (config, 3.0)
    assert model.count_params() == 1


def test_what_is_wrong_in_a_split_is_told_with_its_name(tmp_path):
    recipe, (config, run) = Line(), begin(tmp_path)
    splits = recipe.read(config)
    for name in ("validation", "train"):
        setattr(splits, name, ([], []))
        recipe.read = lambda config: splits
        recipe.learn_parts = lambda config, splits: 1.0
        with pytest.raises(ValueError, match=f"^the {name} points: there are none"):
            recipe.train(config, run, quiet=True)


def test_the_optimizer_is_that_of_the_settings():
    recipe = Line()
    for decay in (0.0, 0.25):
        config = LineConfig(epochs=4, weight_decay=decay, clip_norm=2.0)
        model = recipe.make_model(config, None)
        recipe.compile(config, None, model, steps=10)
        clipping = model.optimizer
        assert clipping.get_config()["norm"] == 2.0
        assert type(clipping.optimizer) is FusedAdam
        assert (clipping.optimizer.weight_decay or 0) == decay
        rates = [float(recipe.learning_rate(config, 10)(step)) for step in (0, 5, 10, 40)]
        np.testing.assert_allclose(rates, [0, 0.05, 0.1, 0], atol=1e-7)
        assert not model.jit_compile
