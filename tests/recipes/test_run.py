import dataclasses
import json

import keras
import numpy as np
import pytest

from kblocks.recipes.run import RunDirectory, best_epoch


@dataclasses.dataclass
class Config:
    seed: int = 3


def model(units: int = 2) -> keras.Model:
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(units)])


@pytest.fixture
def run(tmp_path):
    return RunDirectory.create(tmp_path / "run", "recipe", Config())


def test_a_new_run_says_what_it_is_and_where_it_comes_from(run):
    config = run.read_json("config.json")
    assert config["recipe"] == "recipe"
    assert config["settings"] == {"seed": 3}
    assert config["command"]
    assert config["versions"]["keras"] == keras.__version__
    assert config["cores"] >= 1
    assert RunDirectory.open(run.path).epochs_done() == 0


def test_an_existing_run_is_not_overwritten(run):
    with pytest.raises(ValueError, match=r"exists already.*--resume"):
        RunDirectory.create(run.path, "recipe", Config())


def test_a_file_in_the_way_is_not_overwritten(tmp_path):
    (tmp_path / "run").write_text("precious")
    with pytest.raises(ValueError, match="exists already"):
        RunDirectory.create(tmp_path / "run", "recipe", Config())
    assert (tmp_path / "run").read_text() == "precious"


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no run directory"):
        RunDirectory.open(tmp_path)


def test_a_damaged_configuration_is_named(run):
    (run.path / "config.json").write_text("{")
    with pytest.raises(ValueError, match=r"config\.json: missing or damaged"):
        run.read_json("config.json")


def test_a_full_disk_is_found_before_anything_is_written(run, monkeypatch):
    run.save(model(), [{"score": 1.0}], "score")
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with pytest.raises(OSError, match="No space left on device"):
        run.save(model(), [{"score": 1.0}, {"score": 2.0}], "score")
    assert [path.name for path in (run.path / "checkpoints").iterdir()] == ["epoch-1"]


def test_the_newest_and_the_best_checkpoint_are_kept(run):
    history, kept = [], {}
    for value in (1.0, 5.0, 2.0, 3.0):
        history.append({"score": value})
        kept[len(history)] = model()
        run.save(kept[len(history)], history, "score")
    names = sorted(p.name for p in (run.path / "checkpoints").iterdir())
    assert names == ["epoch-2", "epoch-4"]
    assert run.epochs_done() == 4
    assert run.history() == history
    assert run.log.read_text().splitlines() == ["epoch,score", "0,1.0", "1,5.0", "2,2.0", "3,3.0"]
    for load, number in ((run.load_newest, 4), (lambda m: run.load_kept(m, "score"), 2)):
        loaded = model()
        load(loaded)
        np.testing.assert_array_equal(loaded.get_weights()[0], kept[number].get_weights()[0])


def test_a_checkpoint_cut_off_by_a_kill_does_not_count(run):
    run.save(model(), [{"score": 1.0}], "score")
    cut = run.path / "checkpoints" / "writing-2"
    cut.mkdir()
    (cut / "model.weights.h5").write_bytes(b"half")
    assert run.epochs_done() == 1
    run.save(model(), [{"score": 1.0}, {"score": 2.0}], "score")
    assert not cut.exists()


def test_a_checkpoint_of_another_shape_is_one_sentence(run):
    run.save(model(2), [{"score": 1.0}], "score")
    with pytest.raises(ValueError, match=r"epoch-1.*does not fit the model that .*config\.json"):
        run.load_newest(model(5))


def test_a_run_without_an_epoch_has_no_best(run):
    with pytest.raises(ValueError, match="not one epoch was finished"):
        run.load_kept(model(), "score")


def test_json_is_written_whole(run):
    run.write_json("results.json", {"a": "ä"})
    assert json.loads((run.path / "results.json").read_text(encoding="utf-8")) == {"a": "ä"}
    assert not list(run.path.glob("*.tmp"))


def test_the_first_of_equal_epochs_is_best():
    assert best_epoch([{"b": 1.0}, {"b": 2.0}, {"b": 2.0}], "b") == 2


def test_the_mean_of_the_last_epochs(run):
    history, values = [], []
    for value in (1.0, 5.0, 2.0, 4.0):
        history.append({"score": value})
        one = model()
        values.append(one.get_weights()[0])
        run.save(one, history, "score", average=2)
    names = sorted(p.name for p in (run.path / "checkpoints").iterdir())
    assert names == ["epoch-1", "epoch-2", "epoch-3", "epoch-4"]
    for keep, among in (("last", values[2:]), ("best", values[:2])):
        loaded = model()
        run.load_kept(loaded, "score", keep, average=2)
        np.testing.assert_allclose(loaded.get_weights()[0], np.mean(among, axis=0), rtol=1e-6)
    run.load_kept(loaded, "score", "last", average=9)  # no more than there are
    np.testing.assert_allclose(loaded.get_weights()[0], np.mean(values, axis=0), rtol=1e-6)
