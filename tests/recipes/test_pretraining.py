"""The recipe `pretraining` on a toy text: both objectives learn; a checkpoint to fine-tune."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kblocks import checkpoints, data
from kblocks.export.served import Served
from kblocks.models import BertEncoder
from kblocks.recipes import get
from kblocks.recipes.pretraining import PretrainingConfig
from kblocks.recipes.run import RunDirectory
from kblocks.text import WordPieceVocabulary

pytest.importorskip("tokenizers", reason="needs tokenizers, the extra `pretrained`")
pytest.importorskip("safetensors", reason="needs safetensors, the extra `pretrained`")

TOPICS = [[f"{a}{b}" for b in ("am", "en", "is", "or", "um")] for a in "bdfglmnp"]


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Documents that speak of one of eight topics each, which has five words of its own."""
    rng = np.random.default_rng(0)
    documents = [
        "\n".join(" ".join(rng.choice(TOPICS[i % 8], 5)) for _ in range(24)) for i in range(160)
    ]
    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("\n\n".join(documents) + "\n")
    return path


def config(text: Path, **changes: Any) -> PretrainingConfig:
    size = {"vocabulary": 90, "layers": 1, "heads": 2, "width": 32, "context": 24}
    steps = {"predictions": 4, "batch_size": 16, "epochs": 10, "learning_rate": 1e-2}
    return PretrainingConfig(**{"data": str(text), **size, **steps, **changes})


def trained(settings: PretrainingConfig, path: Path) -> tuple[RunDirectory, dict[str, Any]]:
    run = RunDirectory.create(path, "pretraining", settings)
    return run, get("pretraining").train(settings, run, quiet=True)


def write_glue(folder: Path) -> Path:
    """Is a text of the first topic, or of the second?"""
    folder.mkdir()
    rng = np.random.default_rng(1)
    for split in ("train", "dev"):
        labels = rng.integers(0, 2, 40).tolist()
        lines = [f"{' '.join(rng.choice(TOPICS[y], 4))}\t{y}" for y in labels]
        (folder / f"SST-2.{split}.tsv").write_text("\n".join(["sentence\tlabel", *lines]) + "\n")
    return folder


@pytest.mark.slow
def test_from_text_to_a_fine_tuned_classifier(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, settings = get("pretraining"), config(text)
    run, last = trained(settings, tmp_path / "run")
    assert "training on 144 documents of 120 pieces" in capsys.readouterr().err
    # By chance a word is one of 40, log 40 = 3.7; of a known topic it is one of 5, log 5 = 1.6.
    measured = recipe.evaluate(run)
    assert measured["val_masked_nats"] == pytest.approx(
        -last["val_masked_log_likelihood"], rel=1e-4
    )
    assert 1.5 < measured["val_masked_nats"] < 2.2
    assert measured["val_masked_accuracy"] > 0.12
    assert measured["val_next_accuracy"] > 0.8
    kept = json.loads((run.path / "results.json").read_text())["metrics"]
    assert kept["val_next_nats"] == measured["val_next_nats"]
    assert [p.read_bytes()[:4] for p in recipe.plot(run)] == [b"\x89PNG"]

    exported = recipe.export(run, tmp_path / "models")
    [first, again] = Served(exported.parent)(["bam ben", "bis bor bum"])
    assert len(first["embedding"]) == 32
    assert np.dot(first["embedding"], again["embedding"]) > 0

    encoder = BertEncoder.from_pretrained(run.path / "checkpoint")
    _, _, model = recipe.load(run)
    for ours, theirs in zip(encoder.get_weights(), model.encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    glue = get("glue")
    tuning = glue.Config(
        data=str(write_glue(tmp_path / "glue")),
        pretrained=str(run.path / "checkpoint"),
        max_length=16,
        batch_size=8,
        epochs=4,
        learning_rate=1e-3,
        dropout=0.0,
    )
    fine = RunDirectory.create(tmp_path / "fine", "glue", tuning)
    assert glue.train(tuning, fine, quiet=True)["val_score"] > 0.9


@pytest.mark.full
def test_a_run_that_stopped_reaches_what_it_would_have(text: Path, tmp_path: Path) -> None:
    recipe, settings = get("pretraining"), config(text, epochs=2)
    _, whole = trained(settings, tmp_path / "whole")

    class Stop(Exception):
        pass

    def stop(self: RunDirectory, *arguments: Any, **options: Any) -> None:
        save(self, *arguments, **options)
        raise Stop

    save = RunDirectory.save
    run = RunDirectory.create(tmp_path / "stopped", "pretraining", settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunDirectory, "save", stop)
        with pytest.raises(Stop):
            recipe.train(settings, run, quiet=True)
    assert not (run.path / "checkpoint").exists()
    resumed = recipe.train(settings, run, quiet=True)
    for name, value in whole.items():
        if name != "minutes":
            assert resumed[name] == pytest.approx(value, rel=1e-5)
    assert recipe.train(settings, run, quiet=True) == resumed  # nothing to do: written again
    assert (run.path / "checkpoint" / "model.safetensors").is_file()
    assert sorted(p.name for p in run.path.glob("checkpoint*")) == ["checkpoint", "checkpoints"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"next_sentence": False, "objective": "left_to_right"},
        {"next_sentence": False, "packed": True, "dynamic": False, "whole_words": True},
    ],
)
def test_the_papers_comparisons(text: Path, tmp_path: Path, changes: dict[str, Any]) -> None:
    recipe, settings = get("pretraining"), config(text, epochs=4, **changes)
    run, last = trained(settings, tmp_path / "run")
    assert -last["val_masked_log_likelihood"] < 2.3
    measured = recipe.evaluate(run)
    assert {"val_masked_nats", "val_masked_accuracy", "parameters"} == measured.keys()
    assert recipe.plot(run)[0].is_file()
    causal = "objective" in changes
    encoder = BertEncoder.from_pretrained(run.path / "checkpoint")
    assert encoder.causal == causal
    tokens = np.array([[2, 7, 8, 9, 3], [2, 7, 8, 10, 3]])
    first, second = encoder(tokens)["sequence"].numpy()
    assert np.allclose(first[:3], second[:3]) == causal


def test_held_out_documents_are_whole(text: Path) -> None:
    splits = get("pretraining").read(config(text, held_out=0.25))
    assert (len(splits.train), len(splits.validation)) == (120, 40)
    both = [tuple(document) for part in splits[:2] for document in part]
    assert len({*both}) == 160


@pytest.mark.slow
def test_shards_bring_their_vocabulary(text: Path, tmp_path: Path) -> None:
    recipe, settings = get("pretraining"), config(text)
    splits = recipe.read(settings)
    vocabulary = recipe.learn_parts(settings, splits)
    documents = data.tokenise(data.read_documents(text), vocabulary)
    data.write_shards(documents, vocabulary, tmp_path / "shards", shards=3)
    sharded = config(tmp_path / "shards")
    same = recipe.read(sharded)
    assert recipe.learn_parts(sharded, same).pieces == vocabulary.pieces
    for a, b in zip(same.validation, data.tokenise(splits.validation, vocabulary), strict=True):
        np.testing.assert_array_equal(a, b)
    first = [
        next(iter(recipe.batches(settings, vocabulary, part.train, training=True).dataset))
        for part in (splits, same)
    ]
    np.testing.assert_array_equal(*(inputs["tokens"] for inputs, _ in first))


@pytest.mark.parametrize(
    ("content", "changes", "message"),
    [
        ("one\ntwo\n", {}, "of a single document none can be held out"),
        ("one\ntwo\n\nthree\nfour\n", {}, "the train documents: .* two documents at least"),
        ("", {}, "holds no text"),
        ("a\nb\n\nc\n\nd\ne\n", {"vocabulary": 8}, "`size` must be at least"),
        ("a\nb\n\nc\n\nd\ne\n", {"held_out": 1.0}, "`held_out` must be"),
    ],
)
def test_data_that_do_not_do(
    tmp_path: Path, content: str, changes: dict[str, Any], message: str
) -> None:
    (tmp_path / "text.txt").write_text(content)
    settings = config(tmp_path / "text.txt", **changes)
    run = RunDirectory.create(tmp_path / "run", "pretraining", settings)
    with pytest.raises(ValueError, match=message):
        get("pretraining").train(settings, run, quiet=True)


def test_it_needs_data() -> None:
    with pytest.raises(ValueError, match="needs --data"):
        get("pretraining").read(PretrainingConfig())


def test_a_vocabulary_beside_a_checkpoint(tmp_path: Path) -> None:
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "Ab"]
    for lower_case in (False, True):
        checkpoints.save_vocabulary(WordPieceVocabulary(pieces, lower_case), tmp_path)
        found = checkpoints.load_vocabulary(tmp_path)
        assert found.pieces == tuple(pieces)
        assert found.lower_case == lower_case
