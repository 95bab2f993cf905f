"""The recipes on trees, `sentiment` and `listops`, on data so small that they take seconds."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from kblocks import data
from kblocks.data import bracket_string, leaves, postorder
from kblocks.export.served import Served
from kblocks.models import TreeLSTMClassifier
from kblocks.recipes import get
from kblocks.recipes.listops import ListOpsConfig
from kblocks.recipes.run import RunDirectory
from kblocks.recipes.sentiment import SentimentConfig
from kblocks.recipes.trees import put_word_vectors
from kblocks.text import WordVocabulary

ADVERBS, ADJECTIVES = ("hardly", "Very"), {"bad": 1, "GRÄSSLICH": 1, "good": 3, "lovely": 3}
NOUNS = ("film", "plot", "cast", "ending", "joke")


def sentences() -> list[str]:
    """`hardly` turns round what the adjective says; `Very` makes it stronger."""
    trees = []
    for adverb, (adjective, label), noun in itertools.product(ADVERBS, ADJECTIVES.items(), NOUNS):
        both = 4 - label if adverb == "hardly" else 2 * label - 2
        trees.append(f"({both} ({both} (2 {adverb}) ({label} {adjective})) (2 {noun}))")
    # Neutral ones, and one long enough to be drawn.
    phrase = "(2 (2 a) (2 film))"
    for _ in range(3):
        phrase = f"(2 {phrase} (2 (2 and) (2 plot)))"
    return [*trees, "(2 (2 the) (2 film))", f"(4 {phrase} (4 lovely))"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "sst"
    path.mkdir()
    for name in ("train", "dev", "test"):
        # Neutral first: with two classes the first tree has none at its root.
        (path / f"{name}.txt").write_text("\n".join(reversed(sentences())), encoding="utf-8")
    return path


def sentiment(folder: Path, **changes: object) -> SentimentConfig:
    tiny = {"data": str(folder), "units": 8, "embedding": 6, "min_count": 1, "dropout": 0.0}
    return SentimentConfig(**{**tiny, "epochs": 1, "batch_size": 8, **changes})


@pytest.mark.slow
@pytest.mark.parametrize("classes", ["fine", pytest.param("binary", marks=pytest.mark.full)])
def test_sentiment_from_training_to_a_served_model(
    folder: Path, tmp_path: Path, classes: str
) -> None:
    recipe = get("sentiment")
    config = sentiment(folder, classes=classes, learning_rate=0.05, epochs=20)
    run = RunDirectory.create(tmp_path / "run", "sentiment", config)
    best = recipe.train(config, run, quiet=True)
    history = run.history()
    assert best["val_root_accuracy"] == max(row["val_root_accuracy"] for row in history)
    assert best["val_root_accuracy"] > 0.8

    measured = recipe.evaluate(run)
    assert list(measured) == [
        *("val_root_accuracy", "val_accuracy", "test_root_accuracy", "test_accuracy"),
        "parameters",
    ]
    for name in ("root_accuracy", "accuracy"):  # by hand as by Keras; the test is the validation
        assert measured[f"val_{name}"] == pytest.approx(best[f"val_{name}"], abs=1e-6)
        assert measured[f"test_{name}"] == measured[f"val_{name}"]
    results = json.loads((run.path / "results.json").read_text())
    assert results["metrics"] | {"parameters": results["parameters"]} == measured
    pictures = recipe.plot(run)
    assert [path.name for path in pictures] == ["curves.png", "tree.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in pictures)

    served = Served(recipe.export(run, tmp_path / "models").parent)
    tree = data.parse_tree("(4 (4 (2 very) (1 grässlich)) (2 Film))")
    [plain, labelled] = served(["(((very) (grässlich)) (Film))", bracket_string(tree)])
    words = [["", "", "very", "grässlich", "Film"]] * 2
    assert [plain.pop("node_words"), labelled.pop("node_words")] == words
    assert plain["node_labels"] == labelled["node_labels"]
    assert labelled["label"] == {"fine": "very-negative", "binary": "negative"}[classes]
    upper, lower, unknown = (
        served([text])[0]["probabilities"] for text in ("(GRÄSSLICH)", "(grässlich)", "(unheard)")
    )
    assert upper == lower != unknown
    _, vocabulary, model = recipe.load(run)
    assert model.num_classes == {"fine": 5, "binary": 2}[classes]
    assert vocabulary.words[:2] == ("hardly", "very")
    assert "Grässlich" in vocabulary


@pytest.mark.slow
def test_listops_by_depth_and_a_run_that_was_stopped(tmp_path: Path) -> None:
    recipe = get("listops")
    settings = {"expressions": 60, "held_out": 20, "max_depth": 3, "test_depth": 5}
    settings |= {"units": 6, "embedding": 4, "batch_size": 16, "tree": "child_sum"}
    runs = {}
    for name, stages in (("whole", [2]), ("stopped", [1, 2])):
        for epochs in stages:
            # The rate is of `epochs`; what a stopped run is told stays the same.
            config = ListOpsConfig(**settings, epochs=2)
            if name not in runs:
                runs[name] = RunDirectory.create(tmp_path / name, "listops", config)
            if epochs == 1:
                config.patience = 0  # stops after the first epoch
            recipe.train(config, runs[name], quiet=True)
            assert runs[name].epochs_done() == epochs
    whole, stopped = (
        [{k: v for k, v in row.items() if k != "minutes"} for row in run.history()]
        for run in runs.values()
    )
    assert whole == stopped

    run = runs["whole"]
    measured = recipe.evaluate(run)
    depths = [key for key in measured if key.startswith("test_root_accuracy_depth")]
    assert depths == [f"test_root_accuracy_depth_{depth:02}" for depth in (2, 3, 4, 5)]
    best = max(row["val_root_accuracy"] for row in whole)
    assert measured["val_root_accuracy"] == pytest.approx(best)
    splits = recipe.read(config)
    assert [len(split) for split in splits] == [60, 20, 40]
    within = [data.tree_depth(tree) for tree in splits.test[:20]]
    by_depth = sum(
        measured[f"test_root_accuracy_depth_{depth:02}"] * within.count(depth) for depth in (2, 3)
    )
    assert measured["test_root_accuracy"] == pytest.approx(by_depth / 20)
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in recipe.plot(run))
    served = Served(recipe.export(run, tmp_path / "models"))
    [found] = served([bracket_string(splits.test[0])])
    assert set(found["node_labels"]) <= set("0123456789")
    assert found["node_words"][0] == splits.test[0].word


@pytest.mark.slow
def test_several_replicas_take_the_trees(folder: Path, tmp_path: Path) -> None:
    config = sentiment(folder, strategy="mirrored", batch_size=4)
    run = RunDirectory.create(tmp_path / "run", "sentiment", config)
    assert 0 <= get("sentiment").train(config, run, quiet=True)["val_root_accuracy"] <= 1


# Word vectors.

GLOVE = "good 1 2 3 4 5 6\nverY 9 9 9 9 9 9\nvery -1 0 1 0 -1 0\nfilm 0 0 0 0 0 7\n"


@pytest.fixture
def glove(tmp_path: Path) -> Path:
    path = tmp_path / "glove.txt"
    path.write_text(GLOVE, encoding="utf-8")
    return path


def test_word_vectors_stand_where_the_file_has_the_word(glove: Path) -> None:
    vocabulary = WordVocabulary(["plot", "Film", "good", "Very", "film"])
    model = TreeLSTMClassifier(vocabulary.size, 2, units=4, embedding=6)
    model.build()
    before = np.array(model.word_embedding.embeddings)
    put_word_vectors(model, str(glove), vocabulary)
    after = np.array(model.word_embedding.embeddings)
    film = [0, 0, 0, 0, 0, 7]
    np.testing.assert_array_equal(after[3:], [film, [1, 2, 3, 4, 5, 6], [-1, 0, 1, 0, -1, 0], film])
    np.testing.assert_array_equal(after[:3], before[:3])
    assert np.abs(after[2]).max() > 0
    with pytest.raises(ValueError, match=r"glove.txt has none of the 1 words of the training"):
        put_word_vectors(model, str(glove), WordVocabulary(["plot"]))
    model = TreeLSTMClassifier(vocabulary.size, 2, units=4, embedding=5)
    with pytest.raises(ValueError, match=r"6 values, the model of 5: set embedding=6\.$"):
        put_word_vectors(model, str(glove), vocabulary)


@pytest.mark.slow
@pytest.mark.parametrize("tuned", [False, True])
def test_word_vectors_are_trained_or_stay(
    folder: Path, tmp_path: Path, glove: Path, tuned: bool
) -> None:
    recipe = get("sentiment")
    config = sentiment(folder, vectors=str(glove), tune_vectors=tuned, learning_rate=0.01, epochs=2)
    run = RunDirectory.create(tmp_path / "run", "sentiment", config)
    recipe.train(config, run, quiet=True)
    glove.unlink()  # a run has all that it needs
    recipe.train(config, run, quiet=True)
    _, vocabulary, model = recipe.load(run)
    vectors = np.array(model.word_embedding.embeddings)[vocabulary.ids(["Good", "very", "film"])]
    given = np.array([[1, 2, 3, 4, 5, 6], [-1, 0, 1, 0, -1, 0], [0, 0, 0, 0, 0, 7]])
    assert np.allclose(vectors, given, atol=0.2)
    assert np.array_equal(vectors, given) != tuned


def test_lower_case_is_a_setting(folder: Path, tmp_path: Path) -> None:
    recipe = get("sentiment")
    trees = recipe.read(sentiment(folder)).train
    words = {}
    for lowercase in (False, True):
        config = sentiment(folder, lowercase=lowercase)
        run = RunDirectory.create(tmp_path / str(lowercase), "sentiment", config)
        counted = recipe.learn_parts(config, recipe.read(config))
        recipe.save_parts(counted, run)
        loaded = recipe.load_parts(config, run)
        assert counted.words == loaded.words
        assert counted.lowercase == loaded.lowercase == lowercase
        words[lowercase] = set(counted.words)
    assert words[False] == {leaf.word for tree in trees for leaf in leaves(tree)}
    assert words[True] == {word.lower() for word in words[False]}
    assert "Very" in words[False]
    assert get("listops").Config().lowercase is False


# What a user may do wrong.


def trained(recipe: str, config: object, tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run", recipe, config)
    get(recipe).train(config, run, quiet=True)


def test_missing_data_are_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"sentiment needs --data FOLDER with train\.txt"):
        get("sentiment").read(SentimentConfig())
    (folder / "test.txt").unlink()
    assert get("sentiment").read(sentiment(folder)).test == []
    (folder / "dev.txt").unlink()
    with pytest.raises(ValueError, match=r"sst has neither dev\.txt nor dev\.txt\.gz\.$"):
        get("sentiment").read(sentiment(folder))
    with pytest.raises(ValueError, match=r"absent has neither train\.txt nor"):
        get("sentiment").read(sentiment(tmp_path / "absent"))
    with pytest.raises(ValueError, match="`data` of listops must be 'generated', got 'here'"):
        get("listops").read(ListOpsConfig(data="here"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("(2 (2 a) (2 film)", r"train\.txt:2:1: the bracket that opens here is never closed"),
        ("(2 (2 a) film)", r"train\.txt:2:10: the text 'film' stands after a bracket"),
        ("(2 (5 a) (2 film))", r"^the train trees: tree 1: the label '5' is not one of 0, 1, 2, 3"),
        ("(2 (2 a) (2 b) (2 c))", "^the train trees: tree 1: a node has 3 children: .* at most 2"),
    ],
)
def test_wrong_trees_are_named(folder: Path, tmp_path: Path, line: str, message: str) -> None:
    (folder / "train.txt").write_text(f"(2 (2 a) (2 film))\n{line}\n")
    with pytest.raises(ValueError, match=message):
        trained("sentiment", sentiment(folder), tmp_path)


def test_a_missing_file_of_vectors_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing\.txt"):
        trained("sentiment", sentiment(folder, vectors="nothing.txt"), tmp_path)


def test_neutral_trees_alone_are_no_binary_task(folder: Path, tmp_path: Path) -> None:
    (folder / "dev.txt").write_text("(2 (2 the) (2 film))")
    with pytest.raises(ValueError, match=r"^the validation trees: None of the 1 trees "):
        trained("sentiment", sentiment(folder, classes="binary"), tmp_path)


def test_the_models_are_those_of_the_settings() -> None:
    vocabulary = WordVocabulary(["a"])
    for changes in ({"tree": "child_sum"}, {"tied_forget": True, "max_children": 4}):
        config = SentimentConfig(**changes, units=4, embedding=3, dropout=0.25)
        found = get("sentiment").make_model(config, vocabulary).get_config()
        expected = {"kind": "nary", "units": 4, "embedding": 3, "dropout": 0.25, **changes}
        if "tree" in changes:
            expected["kind"] = expected.pop("tree")
        assert expected.items() <= found.items()


def test_the_expressions_of_the_splits_differ() -> None:
    config = ListOpsConfig(expressions=50, held_out=10, max_depth=4, test_depth=6)
    splits = get("listops").read(config)
    texts = [data.listops.write(tree) for split in splits for tree in split]
    assert len(set(texts)) == len(texts) == 80
    depths = [data.tree_depth(tree) for split in splits for tree in split]
    assert max(depths[:70]) <= 4 < min(depths[70:])
    assert all(len(postorder(tree)) > 1 for tree in splits.train)
