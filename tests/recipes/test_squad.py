"""The recipe `squad` at toy size: from SQuAD's JSON to a model that answers raw strings."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from kblocks.cli import app
from kblocks.data import Question
from kblocks.export.served import Served
from kblocks.metrics import squad_scores
from kblocks.models import BertEncoder
from kblocks.recipes import get
from kblocks.recipes.run import RunDirectory
from kblocks.text import WordPieceVocabulary

pytest.importorskip("safetensors")
NAMES, WORDS = ["anna", "ben"], ["sails", "on", "the", "lake", "it", "is", "late"]


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = WordPieceVocabulary([*special, *NAMES, *WORDS, "who", "?", "."])
    encoder = BertEncoder(
        vocabulary.size, layers=1, hidden_dim=16, num_heads=2, max_length=16, dropout=0.0
    )
    encoder.build()
    encoder.save_pretrained(tmp_path / "tiny")
    vocabulary.save(tmp_path / "tiny" / "vocab.txt")
    return tmp_path / "tiny"


def content(count: int, seed: int, version: str) -> dict:
    """Paragraphs of words at random, many longer than a window; a name in them answers, if any."""
    rng = np.random.default_rng(seed)
    paragraphs = []
    for number in range(count):
        words = [*rng.choice(WORDS, rng.integers(4, 24))]
        qa = {"id": str(number), "question": "Who sails?", "answers": []}
        if version == "2.0" and number % 3 == 0:
            qa["is_impossible"] = True
        else:
            place = int(rng.integers(len(words)))
            words[place] = str(rng.choice(NAMES)).title()
            start = len(" ".join(words[:place])) + (place > 0)
            qa["answers"] = [{"text": words[place], "answer_start": start}]
        paragraphs.append({"context": " ".join(words) + ".", "qas": [qa]})
    return {"version": version, "data": [{"title": "toy", "paragraphs": paragraphs}]}


def settings(folder: Path, checkpoint: Path, version: str, **changes: object) -> dict:
    folder.mkdir()
    for split, count, seed in (("train", 120, 0), ("dev", 40, 1)):
        path = folder / f"{split}-v{version}.json"
        path.write_text(json.dumps(content(count, seed, version)))
    small = {"max_length": 16, "stride": 5, "max_question": 4, "max_answer": 3, "batch_size": 16}
    own = {"data": str(folder), "pretrained": str(checkpoint), "version": version}
    return {**small, **own, "dropout": 0.0, **changes}


@pytest.mark.slow
def test_from_a_file_to_a_served_model(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = get("squad")
    options = {"epochs": 4, "learning_rate": 1e-2, "layer_decay": 0.9, "weight_decay": 0.01}
    config = recipe.Config(**settings(tmp_path / "data", checkpoint, "2.0", **options))
    run = RunDirectory.create(tmp_path / "toy", "squad", config)
    reached = recipe.train(config, run, quiet=True)
    assert reached["val_f1"] > 95
    values = recipe.evaluate(run)
    assert values["val_f1"] == pytest.approx(reached["val_f1"])
    kinds = ("", "answerable_", "impossible_")
    assert {f"val_{kind}{name}" for kind in kinds for name in ("exact", "f1")} <= {*values}

    _, answers, table = recipe.plot(run)
    questions = recipe.read(config).validation
    said = json.loads(answers.read_text())
    assert said.keys() == {question.id for question in questions}
    right = [question.answers for question in questions]
    assert squad_scores([said[q.id] for q in questions], right)["f1"] == pytest.approx(
        values["val_f1"]
    )
    header, *rows = (line.split("\t") for line in table.read_text().splitlines())
    assert header == ["f1", "right", "said", "probability", "question", "text"]
    of_rows = [float(row[0]) for row in rows]
    assert of_rows == sorted(of_rows)
    assert len(rows) == 40

    version = recipe.export(run, tmp_path / "served")
    long = "It is late on the lake. " * 4 + "Ben sails. " + "It is late. " * 3
    served = Served(version.parent)
    assert served.inputs == ("question", "context")
    found, none = served(["WHO sails?"] * 2, [long, "It is late."])
    assert (found["answer"], found["start"]) == ("Ben", long.index("Ben"))
    assert 0.5 < found["probability"] <= 1
    assert (none["answer"], none["start"], none["probability"]) == ("", -1, 0)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["predict", "served/toy", "Who sails?", "On it Anna sails."])
    told = json.loads(result.stdout)
    assert (result.exit_code, told["answer"], told["start"]) == (0, "Anna", 6)


@pytest.mark.slow
def test_in_1_1_there_is_always_an_answer(checkpoint: Path, tmp_path: Path) -> None:
    recipe = get("squad")
    config = recipe.Config(**settings(tmp_path / "data", checkpoint, "1.1", threshold=1e9))
    splits = recipe.read(config)
    assert [len(split) for split in splits] == [120, 40]
    parts = recipe.learn_parts(config, splits)
    model = recipe.make_model(config, parts)
    recipe.begin(config, parts, model)  # the pooler of the checkpoint is left aside
    theirs = BertEncoder.from_pretrained(checkpoint).token_embedding.embeddings
    np.testing.assert_array_equal(
        np.array(model.encoder.token_embedding.embeddings), np.array(theirs)
    )
    some: list[Question] = splits.validation[:3]
    values = recipe.measure(config, parts, model, some, splits)
    assert values.keys() == {"exact", "f1"}
    answerer = recipe.servable(config, parts, model)
    outputs = answerer.answer([q.question for q in some], [q.context for q in some])
    for question, said in zip(some, outputs["answer"].numpy(), strict=True):
        assert said
        assert said.decode() in question.context


def test_what_it_needs(checkpoint: Path, tmp_path: Path) -> None:
    recipe = get("squad")
    given = settings(tmp_path / "data", checkpoint, "1.1")
    for changes, message in (
        ({"data": None}, "needs --data FOLDER with the JSON files of SQuAD"),
        ({"version": "2.0"}, r"has neither train-v2\.0\.json nor train-v2\.0\.json\.gz"),
    ):
        with pytest.raises(ValueError, match=message):
            recipe.read(recipe.Config(**{**given, **changes}))
    with pytest.raises(ValueError, match="the recipe squad needs --set pretrained=CHECKPOINT"):
        recipe.learn_parts(recipe.Config(**{**given, "pretrained": None}), None)
