"""The training loop: stopped at any moment and gone on with, it reaches what it would have."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from kblocks.data import Batches
from kblocks.recipes.fit import fit
from kblocks.recipes.run import RunDirectory

EPOCHS = 4


@dataclasses.dataclass
class Config:
    seed: int = 0


def batches(first_epoch: int = 0) -> Batches:
    """Three batches an epoch, which depend on the epoch's number."""
    random = [np.random.default_rng(epoch) for epoch in range(EPOCHS)]
    x = np.concatenate([r.normal(size=(3, 8, 5)) for r in random]).astype("float32")
    y = x.sum(axis=-1, keepdims=True)
    return Batches(tf.data.Dataset.from_tensor_slices((x, y)).skip(3 * first_epoch), 3, 0)


def make_model() -> keras.Model:
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Dense(8, "relu"), keras.layers.Dropout(0.5), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((5,)), *layers])
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model


def train(path, epochs=EPOCHS, score=lambda: {"score": 1.0}, **options):
    if path.exists():
        run = RunDirectory.open(path)
    else:
        run = RunDirectory.create(path, "recipe", Config())
    model = make_model()
    train_batches = batches(run.epochs_done())
    options = {"metric": "score", "quiet": True, **options}
    history = fit(model, train_batches, batches(), run, epochs=epochs, score=score, **options)
    return model, history


def timeless(history):
    return [{k: v for k, v in row.items() if k != "minutes"} for row in history]


@pytest.mark.slow
def test_resumed_equals_uninterrupted(tmp_path):
    whole, history = train(tmp_path / "whole")
    train(tmp_path / "parts", epochs=2)
    resumed, resumed_history = train(tmp_path / "parts")
    assert timeless(resumed_history) == timeless(history)
    for a, b in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(whole.optimizer.variables, resumed.optimizer.variables, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_an_interruption_keeps_the_last_epoch(tmp_path):
    count = iter(range(EPOCHS))

    def interrupted_in_the_third_epoch():
        if next(count) == 2:
            raise KeyboardInterrupt
        return {"score": 1.0}

    with pytest.raises(KeyboardInterrupt, match=r"epoch 2 is kept.*--resume"):
        train(tmp_path / "run", score=interrupted_in_the_third_epoch)
    _, history = train(tmp_path / "run")
    assert timeless(history) == timeless(train(tmp_path / "whole")[1])


def test_it_stops_when_it_gets_no_better_and_stays_stopped(tmp_path):
    scores = iter([1.0, 3.0, 2.0, 2.5])
    _, history = train(tmp_path / "run", score=lambda: {"score": next(scores)}, patience=1)
    assert [row["score"] for row in history] == [1.0, 3.0, 2.0]
    _, again = train(tmp_path / "run", score=lambda: {"score": 9.0}, patience=1)
    assert again == history


def test_it_stops_in_time(tmp_path):
    _, history = train(tmp_path / "run", minutes=0.0)
    assert len(history) == 1


def test_quiet_is_a_line_an_epoch(tmp_path, capsys):
    train(tmp_path / "run", epochs=2)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("  ")[0] for line in lines if line] == ["epoch 1/2", "epoch 2/2"]
    assert "score 1" in lines[0]


def test_tensorboard_has_the_epochs(tmp_path):
    train(tmp_path / "run", epochs=1)
    assert list((tmp_path / "run" / "tensorboard").rglob("events*"))
