"""The recipe `parsing` on a made-up grammar: trained, measured, drawn, exported."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kblocks.data import Tree, parse_tree, read_constituency
from kblocks.export.served import Served
from kblocks.models import BahdanauTranslator, TransformerParser, TransformerTranslator
from kblocks.recipes import get
from kblocks.recipes.parsing import parsed, tag_accuracy
from kblocks.recipes.run import RunDirectory

NOUNS, VERBS = ("dog", "cat", "rat", "man"), ("sees", "likes", "hears")


def treebank(folder: Path, trees: int = 300, seed: int = 0) -> Path:
    """Where a phrase with `with` hangs depends on the verb: `sees` takes it, `likes` does not."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)

    def noun() -> str:
        return f"(NP (DT the) (NN {rng.choice(NOUNS)}))"

    def sentence() -> str:
        verb = rng.choice(VERBS)
        behind = f"(PP (IN with) {noun()})" if rng.random() < 0.5 else ""
        if behind and verb == "likes":
            verb_phrase = f"(VP (VBZ likes) (NP {noun()} {behind}))"
        else:
            verb_phrase = f"(VP (VBZ {verb}) {noun()} {behind})"
        return f"( (S (NP-SBJ (NP (DT a) (NN {rng.choice(NOUNS)}))) {verb_phrase} (. .)) )"

    for split, count in (("train", trees), ("dev", 20), ("test", 5)):
        (folder / f"{split}.mrg").write_text("\n".join(sentence() for _ in range(count)))
    return folder


SMALL: dict[str, Any] = {
    "layers": 1,
    "width": 32,
    "heads": 2,
    "inner": 32,
    "dropout": 0.0,
    "batch_size": 16,
    "learning_rate": 0.01,
    "average": 1,
    "max_words": 15,
}


@pytest.mark.slow
def test_from_trees_to_a_served_model(tmp_path: Path) -> None:
    recipe = get("parsing")
    config = recipe.Config(data=str(treebank(tmp_path / "bank")), epochs=4, **SMALL)
    run = RunDirectory.create(tmp_path / "run", "parsing", config)
    best = recipe.train(config, run, quiet=True)
    assert best["val_f1"] > 90
    assert best["loss"] < run.history()[0]["loss"]
    measured = recipe.evaluate(run)
    assert measured["val_f1"] > 90
    assert measured["val_tag_accuracy"] > 0.99
    assert measured["val_ill_formed"] == measured["test_ill_formed"] == 0
    assert measured["val_sentences_per_second"] > 0
    metrics = json.loads((run.path / "results.json").read_text())["metrics"]
    assert {"val_precision", "val_recall", "val_complete", "test_f1"} <= set(metrics)
    pictures = recipe.plot(run)
    assert {p.name for p in pictures} == {"curves.png", "tree_gold.png", "tree_predicted.png"}
    assert all(picture.stat().st_size > 5000 for picture in pictures)

    served = Served(recipe.export(run, tmp_path / "saved"))
    gold = read_constituency(tmp_path / "bank" / "dev.mrg")[0]
    [found] = served(["a dog likes the cat with the hat ."])
    tree = parse_tree(found["tree"])
    assert [child.label for child in tree.children] == ["NP", "VP", "."]
    assert found["words"] == ["a", "dog", "likes", "the", "cat", "with", "the", "hat", "."]
    assert gold.label == tree.label == "S"


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, TransformerParser),
        ({"surroundings": False}, TransformerTranslator),
        ({"model": "bahdanau", "units": 4, "embedding": 4}, BahdanauTranslator),
    ],
)
def test_one_argument_changes_the_model(tmp_path: Path, changes: dict, kind: type) -> None:
    recipe = get("parsing")
    config = recipe.Config(data=str(treebank(tmp_path, 20)), **{**SMALL, **changes})
    parts = recipe.learn_parts(config, recipe.read(config))
    model = recipe.make_model(config, parts)
    assert type(model) is kind
    assert model.built
    assert model.target_vocabulary_size == 4 + 2 + 4 + 5  # labels, tags


def test_a_share_and_no_parts_of_speech(tmp_path: Path) -> None:
    recipe = get("parsing")
    config = recipe.Config(data=str(treebank(tmp_path, 40)), share=0.25, tags=False, **SMALL)
    splits = recipe.read(config)
    assert [len(split) for split in splits] == [10, 20, 5]
    parts = recipe.learn_parts(config, splits)
    assert parts.brackets.tags == ()
    run = RunDirectory(tmp_path)
    recipe.save_parts(parts, run)
    loaded = recipe.load_parts(config, run)
    assert loaded.words.words.words == parts.words.words.words
    assert loaded.words.endings.words == parts.words.endings.words
    assert loaded.brackets.labels == parts.brackets.labels
    batches = recipe.batches(config, parts, splits.train, training=True)
    assert batches.steps == 1


def test_what_is_no_tree_over_the_words_counts_and_is_replaced() -> None:
    gold = [parse_tree("(S (NP (DT the) (NN dog)) (VBZ barks))")] * 3
    said = [
        "(S (NP (DT the) (NN dog)) (VBZ barks))",
        "(S (NP (DT the) (NN dog)))",  # a word is missing
        "(S (NP (DT the)",
    ]
    found, ill_formed = parsed(lambda texts: said, gold)  # type: ignore[arg-type]
    assert ill_formed == 2
    assert found[0] == gold[0]
    assert found[1] == found[2] == parse_tree("(S (XX the) (VP (XX dog) (XX barks)))")
    assert tag_accuracy(found, gold) == pytest.approx(3 / 9)


def test_wrong_data_are_told(tmp_path: Path) -> None:
    recipe = get("parsing")
    with pytest.raises(ValueError, match=r"needs --data FOLDER with train\.mrg and dev\.mrg"):
        recipe.read(recipe.Config())
    with pytest.raises(ValueError, match=r"neither train\.mrg nor train\.mrg\.gz"):
        recipe.read(recipe.Config(data=str(tmp_path)))
    config = recipe.Config(data=str(treebank(tmp_path, 20)), **SMALL)
    (tmp_path / "dev.mrg").write_text("( (S (-NONE- *)))")
    with pytest.raises(ValueError, match=r"dev\.mrg: no tree of the file has a word"):
        recipe.read(config)
    long = Tree("S", children=tuple(Tree("NN", "x") for _ in range(16)))
    parts = recipe.learn_parts(config, recipe.read(recipe.Config(data=str(treebank(tmp_path)))))
    for measure in (recipe.score, recipe.measure):
        with pytest.raises(ValueError, match=r"tree 0 has 16 words, over the 15 .*`max_words`"):
            measure(config, parts, recipe.make_model(config, parts), [long], None)
    with pytest.raises(ValueError, match="None of the 1 trees has at most 15 words"):
        recipe.batches(config, parts, [long])
