"""The recipe `glue-gpt`: a tiny GPT over characters, pre-trained, fine-tuned and served."""

from pathlib import Path

import numpy as np
import pytest

from kblocks.export.served import Served
from kblocks.recipes import get
from kblocks.recipes.run import RunDirectory
from kblocks.training import LayerwiseAdam
from tests.recipes.test_glue import write


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of `characters` over the letters of the texts, of a few steps."""
    folder = tmp_path_factory.mktemp("gpt")
    words = ["good", "bad", "the", "film", "was", "so", "plot", "very", "it", "is"]
    text = " ".join(np.random.default_rng(0).choice(words, 400))
    (folder / "input.txt").write_text(text)
    recipe = get("characters")
    tiny = {"layers": 1, "heads": 2, "width": 16, "context": 64, "steps": 10, "epochs": 1}
    config = recipe.Config(data=str(folder), **tiny)
    run = RunDirectory.create(folder / "run", "characters", config)
    recipe.train(config, run, quiet=True)
    return run.path


@pytest.mark.slow
def test_the_weights_are_the_runs_unless_from_scratch(pretrained: Path) -> None:
    recipe = get("glue-gpt")
    *_, trained = get("characters").load(RunDirectory.open(pretrained))
    for from_scratch in (False, True):
        config = recipe.Config(
            pretrained=str(pretrained), max_length=64, from_scratch=from_scratch, layer_decay=0.5
        )
        parts = recipe.learn_parts(config, None)
        model = recipe.make_model(config, parts)
        assert model.language_weight == 0.5
        recipe.begin(config, parts, model)
        theirs, ours = (np.array(m.token_embedding.embeddings) for m in (trained, model.gpt))
        assert len(ours) == len(theirs) + 3
        assert np.ptp(ours[-3:], axis=1).min() > 0
        pairs = [(ours[:-3], theirs)]
        pairs += [
            (np.array(a), np.array(b))
            for a, b in zip(model.gpt.weights, trained.weights, strict=True)
            if a.shape == b.shape
        ]
        assert all(np.array_equal(a, b) for a, b in pairs) != from_scratch
        recipe.compile(config, parts, model, steps=10)
        optimizer = model.optimizer.optimizer
        assert isinstance(optimizer, LayerwiseAdam)
        assert {*optimizer.depths} == {0, 1, 2}


@pytest.mark.slow
@pytest.mark.parametrize("language_weight", [pytest.param(0.0, marks=pytest.mark.full), 0.5])
def test_from_a_run_to_a_served_model(
    pretrained: Path, tmp_path: Path, language_weight: float
) -> None:
    recipe = get("glue-gpt")
    config = recipe.Config(
        data=str(write(tmp_path / "data", "SST-2")),
        pretrained=str(pretrained),
        max_length=64,
        dropout=0.0,
        batch_size=16,
        epochs=4,
        learning_rate=1e-2,
        language_weight=language_weight,
    )
    run = RunDirectory.create(tmp_path / "run", "glue-gpt", config)
    reached = recipe.train(config, run, quiet=True)
    assert reached["val_score"] > 0.9
    # While training the language model's loss, of nats a character, is added.
    assert (reached["loss"] > reached["val_loss"] + 0.3) == (language_weight > 0)
    assert recipe.evaluate(run)["val_accuracy"] == pytest.approx(reached["val_score"])
    if language_weight:
        assert recipe.plot(run)[1].name == "predictions.tsv"
        served = Served(recipe.export(run, tmp_path / "served"))
        good, bad, odd, empty = served(["it was good", "it was bad", "§ö", ""])
        assert (good["label"], bad["label"]) == ("1", "0")
        assert odd["probability"] == pytest.approx(empty["probability"], rel=1e-4)


def test_what_it_needs(pretrained: Path, tmp_path: Path) -> None:
    recipe = get("glue-gpt")
    (tmp_path / "config.json").write_text('{"recipe": "glue"}')
    for settings, message in (
        ({}, "needs --set pretrained=RUN"),
        ({"pretrained": str(tmp_path / "nowhere")}, "is no run directory"),
        ({"pretrained": str(tmp_path)}, "is no run of the recipe characters"),
        ({"pretrained": str(pretrained)}, "`max_length` must be 3 to 64, the `context` of"),
    ):
        with pytest.raises(ValueError, match=message):
            recipe.learn_parts(recipe.Config(**settings), None)
