"""The command: its exit status, its one line an error, and what a failure leaves behind."""

import dataclasses
import json
import os
from pathlib import Path

import pytest
import tensorflow as tf

import kblocks
from kblocks import cli, recipes
from kblocks.data import libreoffice_help


@dataclasses.dataclass
class Config:
    data: str = "inside"
    epochs: int = 3
    units: int = 8
    precision: str = "float32"
    strategy: str = "auto"


class Counting:
    """A recipe that counts epochs instead of training, and fails when told to."""

    name = "counting"
    summary = "counts"
    Config = Config
    fails_after: tuple[int, BaseException] | None = None

    def train(self, config, run, quiet=False):
        for epoch in range(run.epochs_done(), config.epochs):
            if self.fails_after and epoch == self.fails_after[0]:
                raise self.fails_after[1]
            history = [{"val_bleu": float(i)} for i in range(epoch + 1)]
            run.save(Weights(), history, "val_bleu")
        return {"val_bleu": float(config.epochs - 1), "units": config.units}

    def evaluate(self, run):
        return {"val_bleu": 33.125, "parameters": 1_234_567}

    def plot(self, run):
        return [run.pictures / "curves.png"]

    def export(self, run, directory):
        return Path(directory) / run.path.name / "1"


class Weights:
    variables = ()

    def save_weights(self, path):
        Path(path).write_bytes(b"")


@pytest.fixture
def counting(monkeypatch):
    recipe = Counting()
    monkeypatch.setitem(recipes._RECIPES, "counting", recipe)
    return recipe


@pytest.fixture
def command(capsys, monkeypatch, tmp_path):
    """Runs the command in an empty folder: exit status, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        with pytest.raises(SystemExit) as stopped:
            cli.app([str(argument) for argument in arguments], prog_name="kblocks")
        return stopped.value.code, *capsys.readouterr()

    return run


def one_line(error):
    assert error.startswith("kblocks: ")
    assert error.count("\n") == 1
    return error.removeprefix("kblocks: ").rstrip("\n")


# What works.


def test_version_and_help(command):
    assert command("--version") == (0, f"kblocks {kblocks.__version__}\n", "")
    status, out, _ = command("--help")
    assert status == 0
    assert all(
        f"\n  {name} " in out for name in ["list", "train", "evaluate", "plot", "export", "predict"]
    )


def test_list_has_every_recipe(command):
    status, out, _ = command("list")
    assert status == 0
    assert [line.partition(":")[0] for line in out.splitlines() if line[0] != " "] == [
        recipe.name for recipe in recipes.all_recipes()
    ]
    assert "  size     3.4 M parameters\n" in out


def test_from_training_to_export(command, counting):
    status, out, _ = command(
        *("train", "counting", "--epochs", 2, "--set", "units=4", "--out", "runs/a")
    )
    assert status == 0
    assert "units                        4\n" in out
    assert json.loads(Path("runs/a/config.json").read_text())["settings"] == {
        "data": "inside",
        "epochs": 2,
        "units": 4,
        "precision": "float32",
        "strategy": "auto",
    }
    status, out, _ = command("evaluate", "runs/a")
    assert (status, out.split()) == (0, ["val_bleu", "33.12", "parameters", "1,234,567"])
    assert command("plot", "runs/a")[:2] == (0, "runs/a/pictures/curves.png\n")
    assert command("export", "runs/a", "--to", "out")[:2] == (0, "out/a/1\n")


def test_resume_goes_on_with_the_settings_it_was_begun_with(command, counting):
    command("train", "counting", "--epochs", 1, "--set", "units=4", "--out", "a")
    status, out, _ = command("train", "counting", "--resume", "--epochs", 3, "--out", "a")
    assert status == 0
    assert "val_bleu                     2\n" in out
    assert "units                        4\n" in out


# What does not.


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["counted"], "there is no recipe 'counted'; there are: "),
        (
            ["counting", "--set", "unit=3"],
            "no setting 'unit'; its settings are: data, epochs, units",
        ),
        (["counting", "--set", "units=x"], "'units' must be int, and is 'x'"),
        (["counting", "--set", "units"], "reads key=value, not 'units'"),
    ],
)
def test_wrong_usage_is_2_and_makes_nothing(command, counting, arguments, message):
    status, out, error = command("train", *arguments, "--out", "a")
    assert (status, out) == (2, "")
    assert message in one_line(error)
    assert not Path("a").exists()


@pytest.mark.parametrize("arguments", [["train", "counting"], ["trian"], ["list", "--fast"]])
def test_what_the_command_line_cannot_be_is_2(command, arguments):
    status, _, error = command(*arguments)
    assert status == 2
    assert "Error: " in error


def test_resume_with_other_settings_is_2(command, counting):
    command("train", "counting", "--epochs", 1, "--out", "a")
    status, _, error = command("train", "counting", "--resume", "--set", "units=9", "--out", "a")
    assert status == 2
    assert "goes on with the 'units' it was begun with, 8" in one_line(error)


def test_resume_of_another_recipe_is_2(command, counting):
    command("train", "counting", "--epochs", 1, "--out", "a")
    status, _, error = command("train", "translation", "--resume", "--out", "a")
    assert status == 2
    assert "a is a run of 'counting', not of 'translation'" in one_line(error)


def test_an_existing_run_is_kept(command, counting):
    command("train", "counting", "--out", "a")
    before = Path("a/config.json").read_bytes()
    status, _, error = command("train", "counting", "--set", "units=9", "--out", "a")
    assert status == 1
    assert "a exists already" in one_line(error)
    assert "--resume" in error
    assert Path("a/config.json").read_bytes() == before


@pytest.mark.parametrize("subcommand", ["evaluate", "plot", "export"])
def test_no_run_directory(command, subcommand):
    status, _, error = command(subcommand, "nowhere")
    assert status == 1
    assert "nowhere is no run directory" in one_line(error)
    assert os.listdir() == []


def test_a_damaged_configuration(command, counting):
    command("train", "counting", "--out", "a")
    Path("a/config.json").write_text('{"recipe": "coun')
    assert "a/config.json: missing or damaged" in one_line(command("evaluate", "a")[2])


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            OSError(28, "h5py: write failed\n(errno 28)", "a/w.h5"),
            "a/w.h5: No space left on device",
        ),
        (OSError(30, "x", None), "Read-only file system"),
        (ValueError("`units` must be\n even."), "`units` must be even."),
        (RuntimeError("out of luck"), "RuntimeError: out of luck (--debug shows where)"),
    ],
)
def test_a_failure_is_one_line_and_leaves_nothing_half_done(command, counting, error, message):
    counting.fails_after = (0, error)
    status, out, line = command("train", "counting", "--out", "a")
    assert (status, out) == (1, "")
    assert one_line(line) == message
    assert not Path("a").exists()


def test_a_failure_after_an_epoch_keeps_it(command, counting):
    counting.fails_after = (2, OSError(28, "full"))
    assert command("train", "counting", "--out", "a")[0] == 1
    counting.fails_after = None
    assert recipes.RunDirectory("a").epochs_done() == 2
    assert command("train", "counting", "--resume", "--out", "a")[0] == 0
    assert recipes.RunDirectory("a").epochs_done() == 3


def test_an_interrupted_run_can_be_resumed(command, counting):
    counting.fails_after = (0, KeyboardInterrupt("interrupted: no epoch was finished"))
    status, _, error = command("train", "counting", "--out", "a")
    assert (status, one_line(error)) == (1, "interrupted: no epoch was finished")
    counting.fails_after = None
    assert command("train", "counting", "--resume", "--out", "a")[0] == 0


def test_debug_shows_the_traceback(command, counting):
    counting.fails_after = (0, RuntimeError("out of luck"))
    error = command("train", "counting", "--out", "a", "--debug")[2]
    assert "Traceback (most recent call last)" in error
    assert error.splitlines()[-1].startswith("kblocks: RuntimeError: out of luck")


def test_a_run_directory_that_cannot_be_made(command, counting):
    Path("file").write_text("")
    status, _, error = command("train", "counting", "--out", "file/a")
    assert status == 1
    assert one_line(error).endswith("Not a directory")


# The data that the real recipe is given.


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "pairs.tsv: No such file or directory"),
        (b"", "pairs.tsv: the file holds no sentence pair."),
        (b"Good day.\tGuten Tag.\nHello.\n", "pairs.tsv:2: expected two columns"),
        (b"Good day.\tGuten Tag.\n", "pairs.tsv holds too few different sentence pairs"),
        ("Good day.\tSchöner Tag.\n".encode("latin-1"), "pairs.tsv:1: the line is not UTF-8"),
    ],
)
def test_bad_data_are_told_with_file_and_line(command, content, message):
    if content is not None:
        Path("pairs.tsv").write_bytes(content)
    status, _, error = command("train", "translation", "--data", "pairs.tsv", "--out", "a")
    assert status == 1
    assert message in one_line(error)
    assert not Path("a").exists()


# Predicting with what was exported.


@pytest.fixture
def shouting(tmp_path):
    """Two versions of an exported model; the newer one, 10, shouts."""
    for version, change in (("9", tf.strings.lower), ("10", tf.strings.upper)):
        strings = tf.TensorSpec([None], tf.string, "text")
        translate = tf.function(
            lambda text, change=change: {
                "translation": change(text, encoding="utf-8"),
                "score": tf.zeros_like(text, "float32"),
            },
            [strings],
        ).get_concrete_function()
        tf.saved_model.save(tf.Module(), str(tmp_path / "shout" / version), translate)
    return tmp_path / "shout"


def test_predict_takes_the_newest_version(command, shouting):
    assert command("predict", shouting, "Grüße")[:2] == (0, "GRÜSSE\n")
    assert command("predict", shouting / "9", "Grüße")[:2] == (0, "grüße\n")


def test_predict_takes_a_file_and_gives_json(command, shouting):
    Path("in.txt").write_text("one\n\n" + "two\n" * 40, encoding="utf-8")
    assert command("predict", shouting, "in.txt")[1].split("\n")[:3] == ["ONE", "", "TWO"]
    status, out, _ = command("predict", shouting, "in.txt", "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert (status, len(lines)) == (0, 42)
    assert lines[0] == {"translation": "ONE", "score": 0.0}


@pytest.mark.parametrize(
    ("outputs", "shown"),
    [
        (["score", "tree", "label"], "TREE a\n"),
        (["translation_tokens", "translation"], "TRANSLATION a\n"),
        (["label"], '{"label": "LABEL a"}\n'),  # no output that is shown by itself
    ],
)
def test_predict_shows_the_output_that_is_an_answer(command, tmp_path, outputs, shown):
    def answer(text):
        return {name: tf.strings.join([name.upper(), " ", text]) for name in outputs}

    strings = tf.TensorSpec([None], tf.string, "text")
    traced = tf.function(answer, [strings]).get_concrete_function()
    tf.saved_model.save(tf.Module(), str(tmp_path / "model" / "1"), traced)
    assert command("predict", "model", "a")[:2] == (0, shown)


def test_predict_with_a_model_of_two_texts(command, tmp_path):
    strings = [tf.TensorSpec([None], tf.string, name) for name in ("question", "context")]
    said = tf.function(lambda question, context: {"said": context + b"<" + question}, strings)
    tf.saved_model.save(tf.Module(), tmp_path / "two" / "1", said.get_concrete_function())
    assert command("predict", "two", "Who?", "Anna.")[:2] == (0, '{"said": "Anna.<Who?"}\n')
    (tmp_path / "in.tsv").write_text("a\tb\nc\td\n")
    assert command("predict", "two", "in.tsv")[1] == '{"said": "b<a"}\n{"said": "d<c"}\n'
    (tmp_path / "in.tsv").write_text("a\tb\nc\n")
    for given in (["in.tsv"], ["a", "b", "c"], ["a"]):
        status, _, error = command("predict", "two", *given)
        assert status == 2
        assert "this model takes question, context; got" in one_line(error)


def test_predict_without_a_model(command, shouting):
    assert "nowhere: no such directory" in one_line(command("predict", "nowhere", "Hello")[2])
    Path("empty").mkdir()
    status, _, error = command("predict", "empty", "Hello")
    assert status == 1
    assert "empty: no exported model" in one_line(error)


def test_predict_with_a_model_of_numbers(command, tmp_path):
    numbers = tf.TensorSpec([None], "float32", "x")
    double = tf.function(lambda x: {"y": 2 * x}, [numbers]).get_concrete_function()
    tf.saved_model.save(tf.Module(), str(tmp_path / "double" / "1"), double)
    error = command("predict", "double", "Hello")[2]
    assert (
        "must take inputs of strings, or one of images (uint8), and takes x (float32)"
        in one_line(error)
    )


def test_predict_with_a_photo_writes_its_mask(command, tmp_path, shouting):
    images = tf.TensorSpec([None, None, None, 3], "uint8", "image")
    names = tf.constant([["dark", "bright"]])
    segment = tf.function(
        lambda image: {"mask": tf.cast(image[..., 0] > 99, "int32"), "classes": names}, [images]
    ).get_concrete_function()
    tf.saved_model.save(tf.Module(), str(tmp_path / "halves" / "1"), segment)
    greys = tf.repeat(tf.constant([[[0], [0], [0], [200]]], "uint8"), 3, axis=2)
    Path("a.png").write_bytes(tf.io.encode_png(greys).numpy())
    status, out, _ = command("predict", "halves", "a.png")
    assert (status, out.splitlines()[0]) == (0, "a.mask.png")
    assert [line.split() for line in out.splitlines()[1:]] == [
        ["dark", "75.0%", "#56B4E9"],
        ["bright", "25.0%", "#D55E00"],
    ]
    status, _, error = command("predict", "halves", "a.png")
    assert (status, "a.mask.png is there already" in one_line(error)) == (1, True)
    status, out, _ = command("predict", "halves", "a.png", "--out", "b.png", "--json")
    assert json.loads(out) == {
        "mask": "b.png",
        "shares": {"dark": 0.75, "bright": 0.25},
        "colors": {"dark": "#56B4E9", "bright": "#D55E00"},
    }
    assert Path("b.png").read_bytes() == Path("a.mask.png").read_bytes()
    assert "Good day. is no file" in one_line(command("predict", "halves", "Good day.")[2])
    error = command("predict", "halves", "a.png", "--out", "nowhere/b.png")[2]
    assert one_line(error) == "nowhere/b.png: No such file or directory"
    status, _, error = command("predict", shouting, "Hello", "--out", "c.png")
    assert (status, "this model takes text" in one_line(error)) == (2, True)


# All of it, for real.


@pytest.mark.slow
def test_the_real_recipe_from_training_to_prediction(command):
    splits = libreoffice_help(max_words=6)
    pairs = splits.train[:400] + splits.validation[:20] + splits.test[:20]
    Path("pairs.tsv").write_text("".join(f"{s}\t{t}\n" for s, t in pairs), encoding="utf-8")
    sizes = (
        "units=8",
        "embedding=8",
        "vocabulary=400",
        "max_length=24",
        "batch_size=64",
        "beam=2",
    )
    options = [part for size in sizes for part in ("--set", size)]
    status, _, error = command(
        *("train", "translation", "--data", "pairs.tsv", "--epochs", 1, *options),
        *("--out", "runs/tiny", "--quiet"),
    )
    assert status == 0, error
    assert "val_bleu" in command("evaluate", "runs/tiny")[1]
    for picture in command("plot", "runs/tiny")[1].split():
        assert Path(picture).read_bytes().startswith(b"\x89PNG")
    assert command("export", "runs/tiny")[1] == "saved_models/tiny/1\n"
    status, out, _ = command("predict", "saved_models/tiny", "Click here.", "--json")
    assert status == 0
    assert {"translation", "score", "alignment"} <= set(json.loads(out))
