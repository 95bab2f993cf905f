"""The recipe `glue` with a tiny checkpoint: fine-tuned, measured, exported; pairs and numbers."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from kblocks.data import LabelledTexts
from kblocks.export.served import Served
from kblocks.models import BertEncoder
from kblocks.recipes import get
from kblocks.recipes.prediction_table import write_predictions
from kblocks.recipes.run import RunDirectory
from kblocks.text import WordPieceVocabulary
from kblocks.training import FusedAdam

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


def write(folder: Path, task: str, train: int = 300) -> Path:
    folder.mkdir()
    for split, count, seed in (("train", train, 0), ("dev", 60, 1)):
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

    _, table = recipe.plot(run)
    header, *rows = (line.split("\t") for line in table.read_text().splitlines())
    assert header == ["right", "said", "p(right)", "p(said)", "text"]
    by_text = dict(zip(*sentences(60, 1), strict=True))
    assert {row[4]: int(row[0]) for row in rows} == by_text
    assert len(rows) == 60
    of_right = [float(row[2]) for row in rows]
    assert of_right == sorted(of_right)
    right = [row[0] == row[1] for row in rows]
    assert np.mean(right) == pytest.approx(values["val_accuracy"])
    assert right == sorted(right)  # of two classes the wrong ones come first
    for row, hit in zip(rows, right, strict=True):
        assert (row[2] == row[3]) == hit

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
        pooling="mean",
        dropout=0.0,
        batch_size=16,
        epochs=12,
        learning_rate=5e-3,
    )
    config.max_length = 24
    run = RunDirectory.create(tmp_path / "run", "glue", config)
    assert recipe.train(config, run, quiet=True)["val_score"] > 0.9
    values = recipe.evaluate(run)
    header, *rows = (line.split("\t") for line in recipe.plot(run)[1].read_text().splitlines())
    assert header == ["right", "said", "error", "text", "second"]
    errors = [abs(float(row[2])) for row in rows]
    assert errors == sorted(errors, reverse=True)
    found, right = ([float(row[i]) for row in rows] for i in (1, 0))
    assert np.corrcoef(found, right)[0, 1] == pytest.approx(values["val_pearson"], abs=1e-3)

    servable = recipe.servable(*recipe.load(run))
    score = servable.signatures()["serving_default"](
        tf.constant(["it is good", "it is bad"]), tf.constant(["the film"] * 2)
    )["score"]
    assert score[0] > score[1]


@pytest.mark.slow
def test_early_stopping_keeps_the_best(checkpoint: Path, tmp_path: Path) -> None:
    """With a rate of nearly nothing no epoch is better than the first."""
    recipe = get("glue")
    config = recipe.Config(
        data=str(write(tmp_path / "data", "SST-2", train=32)),
        pretrained=str(checkpoint),
        epochs=4,
        learning_rate=1e-12,
        keep="best",
        patience=1,
    )
    run = RunDirectory.create(tmp_path / "run", "glue", config)
    reached = recipe.train(config, run, quiet=True)
    assert run.epochs_done() == 2
    assert reached == run.history()[0]
    kept = sorted(path.name for path in (run.path / "checkpoints").iterdir())
    assert kept == ["epoch-1", "epoch-2"]
    assert recipe.evaluate(run)["val_score"] == pytest.approx(reached["val_score"])


def test_what_the_optimizer_is(checkpoint: Path, tmp_path: Path) -> None:
    """Weight decay leaves biases and layer norms alone; each layer has a rate of its own."""
    recipe = get("glue")
    folder = str(write(tmp_path / "data", "SST-2"))
    settings = {"data": folder, "pretrained": str(checkpoint), "weight_decay": 0.5}
    config = recipe.Config(**settings, layer_decay=0.5, learning_rate=0.1, warm_up=0.0)
    parts = recipe.learn_parts(config, recipe.read(config))
    model = recipe.make_model(config, parts)
    recipe.compile(config, parts, model, steps=10)
    inner = model.optimizer.optimizer
    assert inner.depths == model.depths()
    before = [np.array(v) for v in model.trainable_variables]
    model.optimizer.apply([np.zeros_like(v) for v in before], model.trainable_variables)
    for variable, value, depth in zip(
        model.trainable_variables, before, model.depths(), strict=True
    ):
        plain = any(word in variable.name for word in ("bias", "gamma", "beta"))
        share = 0.0 if plain else 0.1 * 0.5**depth * 0.5
        np.testing.assert_allclose(np.array(variable), (1 - share) * value, rtol=1e-5)
    same = recipe.Config(**settings)
    recipe.compile(same, parts, model, steps=10)
    assert type(model.optimizer.optimizer) is FusedAdam


def test_a_table_of_odd_texts(tmp_path: Path) -> None:
    texts = ["a\tb", "c\r\nd", "back\\slash", "line\u2028"]
    logits = np.log([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.5, 0.5]])
    path = tmp_path / "new" / "table.tsv"
    write_predictions(path, LabelledTexts(texts, None, [0, 0, 1, 1]), logits, ("no", "yes"))
    assert path.read_bytes().decode().split("\n") == [
        "right\tsaid\tp(right)\tp(said)\ttext",
        "no\tyes\t0.2000\t0.8000\tc\\r\\nd",
        "yes\tno\t0.5000\t0.5000\tline\u2028",
        "yes\tyes\t0.6000\t0.6000\tback\\\\slash",
        "no\tno\t0.9000\t0.9000\ta\\tb",
        "",
    ]
    assert [p.name for p in path.parent.iterdir()] == ["table.tsv"]


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


def test_a_vocabulary_of_another_model(checkpoint: Path, tmp_path: Path) -> None:
    with (checkpoint / "vocab.txt").open("a") as file:
        file.write("more\n")
    config = get("glue").Config(pretrained=str(checkpoint))
    with pytest.raises(ValueError, match="its vocabulary has 16 pieces, its model 15"):
        get("glue").learn_parts(config, None)
    (checkpoint / "tokenizer_config.json").write_text("[]")
    with pytest.raises(ValueError, match=r"tokenizer_config\.json: expected a JSON object"):
        get("glue").learn_parts(config, None)


@pytest.mark.parametrize("missing", ["data", "pretrained"])
def test_what_it_needs(checkpoint: Path, tmp_path: Path, missing: str) -> None:
    given = {"data": str(write(tmp_path / "data", "SST-2")), "pretrained": str(checkpoint)}
    recipe = get("glue")
    config = recipe.Config(**{**given, missing: None})
    run = RunDirectory.create(tmp_path / "run", "glue", config)
    with pytest.raises(ValueError, match=missing):
        recipe.train(config, run, quiet=True)
