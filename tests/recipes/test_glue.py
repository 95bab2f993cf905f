"""The recipe `glue` with a tiny checkpoint: fine-tuned, measured, exported; pairs and numbers."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from kblocks.export.served import Served
from kblocks.models import BertEncoder
from kblocks.recipes import get
from kblocks.recipes.run import RunDirectory
from kblocks.text import WordPieceVocabulary

pytest.importorskip("safetensors")
WORDS = ["good", "bad", "the", "film", "was", "so", "plot", "very", "it", "is"]


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    vocabulary = WordPieceVocabulary(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS])
    encoder = BertEncoder(
        vocabulary.size, layers=1, hidden_dim=16, num_heads=2, max_length=24, dropout=0.0
    )
    encoder.build()
    encoder.save_pretrained(tmp_path / "tiny")
    vocabulary.save(tmp_path / "tiny" / "vocab.txt")
    return tmp_path / "tiny"


def sentences(count: int, seed: int) -> tuple[list[str], list[int]]:
    """Words at random, and whether `good` is among them or `bad`."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count).tolist()
    texts = []
    for label in labels:
        words = [*rng.choice(WORDS[2:], rng.integers(2, 8)), WORDS[1 - label]]
        texts.append(" ".join(rng.permutation(words)))
    return texts, labels


def write(folder: Path, task: str) -> Path:
    folder.mkdir()
    for split, count, seed in (("train", 300, 0), ("dev", 60, 1)):
        texts, labels = sentences(count, seed)
        if task == "SST-2":
            lines = ["sentence\tlabel"] + [f"{t}\t{y}" for t, y in zip(texts, labels, strict=True)]
        else:
            lines = ["sentence1\tsentence2\tscore"]
            lines += [f"{t}\tthe film\t{5 * y}" for t, y in zip(texts, labels, strict=True)]
        (folder / f"{task}.{split}.tsv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.slow
def test_from_a_checkpoint_to_a_served_model(checkpoint: Path, tmp_path: Path) -> None:
    recipe = get("glue")
    config = recipe.Config(
        data=str(write(tmp_path / "data", "SST-2")),
        pretrained=str(checkpoint),
        dropout=0.0,
        batch_size=16,
        epochs=6,
        learning_rate=5e-3,
        max_length=20,
    )
    run = RunDirectory.create(tmp_path / "run", "glue", config)
    reached = recipe.train(config, run, quiet=True)
    assert reached["val_score"] > 0.95
    values = recipe.evaluate(run)
    assert values["val_accuracy"] == values["val_score"] > 0.95

    version = recipe.export(run, tmp_path / "served")
    served = Served(version.parent)
    [good, empty] = served(["So GOOD it was", ""])
    assert good["label"] == "1"
    assert np.isclose(sum(good["probability"]), 1)
    assert np.isfinite(empty["probability"]).all()


@pytest.mark.slow
def test_pairs_with_a_number(checkpoint: Path, tmp_path: Path) -> None:
    recipe = get("glue")
    config = recipe.Config(
        data=str(write(tmp_path / "data", "STS-B")),
        task="STS-B",
        pretrained=str(checkpoint),
        from_scratch=True,
        dropout=0.0,
        batch_size=16,
        epochs=12,
        learning_rate=5e-3,
    )
    config.max_length = 24
    run = RunDirectory.create(tmp_path / "run", "glue", config)
    assert recipe.train(config, run, quiet=True)["val_score"] > 0.9
    servable = recipe.servable(*recipe.load(run))
    score = servable.signatures()["serving_default"](
        tf.constant(["it is good", "it is bad"]), tf.constant(["the film"] * 2)
    )["score"]
    assert score[0] > score[1]


def test_the_weights_are_the_checkpoints_unless_from_scratch(
    checkpoint: Path, tmp_path: Path
) -> None:
    recipe = get("glue")
    folder = str(write(tmp_path / "data", "SST-2"))
    theirs = BertEncoder.from_pretrained(checkpoint).get_weights()
    for from_scratch in (False, True):
        config = recipe.Config(data=folder, pretrained=str(checkpoint), from_scratch=from_scratch)
        parts = recipe.learn_parts(config, recipe.read(config))
        model = recipe.make_model(config, parts)
        recipe.begin(config, parts, model)
        same = [np.array_equal(*p) for p in zip(model.encoder.get_weights(), theirs, strict=True)]
        assert all(same) != from_scratch


@pytest.mark.parametrize("missing", ["data", "pretrained"])
def test_what_it_needs(checkpoint: Path, tmp_path: Path, missing: str) -> None:
    given = {"data": str(write(tmp_path / "data", "SST-2")), "pretrained": str(checkpoint)}
    recipe = get("glue")
    config = recipe.Config(**{**given, missing: None})
    run = RunDirectory.create(tmp_path / "run", "glue", config)
    with pytest.raises(ValueError, match=missing):
        recipe.train(config, run, quiet=True)
