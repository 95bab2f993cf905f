"""The recipe `tagging` on a made-up language: trained, measured, drawn, exported."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from kblocks.data import Batches, Tree, parse_tree, read_trees, tagged_sentences, tagging_batches
from kblocks.export import TextTagger
from kblocks.models import SequenceTagger
from kblocks.recipes import get
from kblocks.recipes.run import RunDirectory
from kblocks.recipes.tagging import accuracies, predicted
from kblocks.text import WordVocabulary

ENDS = {"NN": "oon", "VB": "ing", "NNP": "oon"}  # names are nouns with a capital


def treebank(folder: Path, sentences: int = 120, seed: int = 0) -> Path:
    """`the` noun verbs noun or name, with traces; the stems of `dev` are new ones."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)

    def leaf(tag: str, stems: str) -> str:
        stem = "".join(rng.choice(list(stems), 2))
        return f"({tag} {stem.title() if tag == 'NNP' else stem}{ENDS[tag]})"

    for split, count, stems in (("train", sentences, "bdgkl"), ("dev", 20, "mprtz")):
        lines = []
        for _ in range(count):
            last = leaf(str(rng.choice(["NN", "NNP"])), stems)
            trace = " (-NONE- *T*-1)" if rng.random() < 0.5 else ""
            lines.append(
                f"( (S (NP (DT the) {leaf('NN', stems)})\n (VP {leaf('VB', stems)}{trace} {last})))"
            )
        lines.append("( (S (-NONE- *)))")
        (folder / f"{split}.mrg").write_text("\n".join(lines))
    return folder


@pytest.mark.slow
def test_from_trees_to_a_served_model(tmp_path: Path) -> None:
    recipe = get("tagging")
    config = recipe.Config(
        data=str(treebank(tmp_path / "bank")),
        units=8,
        embedding=8,
        ending_embedding=6,
        min_count=3,
        batch_size=16,
        epochs=8,
        learning_rate=0.03,
        dropout=0.2,
    )
    run = RunDirectory.create(tmp_path / "run", "tagging", config)
    best = recipe.train(config, run, quiet=True)
    assert best["val_accuracy"] > 0.95
    assert best["loss"] < run.history()[0]["loss"]
    measured = recipe.evaluate(run)
    assert measured["val_accuracy"] == pytest.approx(best["val_accuracy"], abs=1e-6)
    assert measured["val_words"] == 80
    assert measured["val_unknown_words"] == 60  # all but `the`
    assert measured["val_unknown_accuracy"] > 0.95
    assert json.loads((run.path / "results.json").read_text())["metrics"]["val_words"] == 80
    assert all(picture.stat().st_size > 5000 for picture in recipe.plot(run))
    version = recipe.export(run, tmp_path / "saved")
    loaded = tf.saved_model.load(str(version))
    text = ["the mroon prating Rtoon", "", "  the   mroon "]
    found = loaded.signatures["serving_default"](text=tf.constant(text))
    assert found["tags"].numpy().tolist()[0] == [b"DT", b"NN", b"VB", b"NNP"]
    assert [t.decode() for t in found["tagged"].numpy()] == [
        "the/DT mroon/NN prating/VB Rtoon/NNP",
        "",
        "the/DT mroon/NN",
    ]


def tiny_tagger() -> TextTagger:
    words, endings = WordVocabulary(["the", "dog", "Dog"]), WordVocabulary(["the", "dog", "^dog"])
    model = SequenceTagger(
        words.size, 3, units=4, embedding_dim=4, ending_vocabulary_size=endings.size
    )
    model.build()
    model.set_weights([3 * weight for weight in model.get_weights()])
    return TextTagger(model, words, endings, ["DT", "NN", "NNP"])


def test_alone_as_in_a_batch() -> None:
    tagger = tiny_tagger()
    texts = [b"the dog", b"", b"Dog", b"a \xff\xfe b", "Ωμέγα 日本語 the 1987".encode(), b" \t\n "]
    together = {name: x.numpy() for name, x in tagger.tag(texts).items()}
    for i, text in enumerate(texts):
        alone = {name: x.numpy()[0] for name, x in tagger.tag([text]).items()}
        assert together["tagged"][i] == alone["tagged"]
        count = len(text.split())
        assert [w for w in together["words"][i] if w] == text.split()
        for name in ("words", "tags"):
            assert together[name][i][:count].tolist() == alone[name][:count].tolist()
            assert not any(together[name][i][count:])
        probability = together["probability"][i]
        np.testing.assert_allclose(probability[:count], alone["probability"][:count], atol=1e-6)
        assert (probability[:count] > 1 / 3).all()
        assert not probability[count:].any()
    assert [len(x) for x in tagger.tag(tf.constant([], tf.string)).values()] == [0] * 4


def test_a_tagger_of_another_vocabulary_is_refused() -> None:
    tagger = tiny_tagger()
    words = WordVocabulary(["a", "b", "c"])
    with pytest.raises(ValueError, match="`tags` must be 3 names"):
        TextTagger(tagger.model, words, words, ["A"])
    with pytest.raises(ValueError, match="`endings` must have 5 ids, got 3"):
        TextTagger(tagger.model, words, WordVocabulary(["a"]), ["A", "B", "C"])


def test_what_is_measured_is_the_share_of_words() -> None:
    tagger = tiny_tagger()
    trees = ["(S (DT the) (NN dog) (NNP Dog) (NN cat))", "(S (NN cat))"]
    sentences = tagged_sentences(map(parse_tree, trees))
    found = predicted(tagger, sentences, 1)
    assert found == predicted(tagger, sentences, 2)
    right = [
        tag == guess
        for s, guesses in zip(sentences, found, strict=True)
        for tag, guess in zip(s.tags, guesses, strict=True)
    ]
    values = accuracies(tagger, sentences, {"the", "dog", "Dog"}, 2)
    assert values["accuracy"] == pytest.approx(np.mean(right))
    assert values["unknown_accuracy"] == pytest.approx(np.mean(right[3:]))
    assert (values["words"], values["unknown_words"]) == (5, 2)
    assert "unknown_words" not in accuracies(tagger, sentences, {"the", "dog", "Dog", "cat"}, 2)


def test_missing_data_are_told(tmp_path: Path) -> None:
    config, read = get("tagging").Config, get("tagging").read
    with pytest.raises(ValueError, match=r"needs --data FOLDER with train\.mrg and dev\.mrg"):
        read(config())
    with pytest.raises(ValueError, match=r"neither train\.mrg nor train\.mrg\.gz"):
        read(config(data=str(tmp_path)))
    treebank(tmp_path)
    (tmp_path / "dev.mrg").write_text("( (S (-NONE- *)))")
    with pytest.raises(ValueError, match=r"dev\.mrg in .* has no tree with a word"):
        read(config(data=str(tmp_path)))


def batches(folder: Path, **options: object) -> Batches:
    sentences = tagged_sentences(read_trees(folder / "train.mrg"))
    words = WordVocabulary.count(w for s in sentences for w in s.words)
    tags = ("DT", "NN", "NNP", "VB")
    return tagging_batches(sentences, words, WordVocabulary(["oon"]), tags, 8, **options)


def test_batches_hold_every_word_with_its_ending_and_tag(tmp_path: Path) -> None:
    folder = treebank(tmp_path, 20)
    file = folder / "train.mrg"
    file.write_text(file.read_text() + "( (X (NN looon) (VB ing)))")
    made = batches(folder, shuffle=False)
    rows = list(made.dataset.take(made.steps).as_numpy_iterator())
    inputs, labels = rows[-1]
    assert labels[-1].tolist() == [1, 3, -1, -1]  # NN VB
    assert inputs["endings"][-1].tolist() == [2, 1, 0, 0]
    assert (inputs["words"][-1, 2:] == 0).all()
    count = sum(int((labels >= 0).sum()) for _, labels in rows)
    assert count == 20 * 4 + 2
    for inputs, labels in rows:
        np.testing.assert_array_equal(inputs["words"] > 0, labels >= 0)
        np.testing.assert_array_equal(inputs["endings"] > 0, labels >= 0)


def test_an_epoch_has_every_sentence_once_in_an_order_of_its_own(tmp_path: Path) -> None:
    made = batches(treebank(tmp_path, 20))
    epochs = [
        [sum(map(tuple, b[0]["words"].tolist()), ()) for b in some.as_numpy_iterator()]
        for some in (made.dataset.take(made.steps), made.dataset.skip(made.steps).take(made.steps))
    ]
    assert epochs[0] != epochs[1]
    assert sorted(sum(epochs[0], ())) == sorted(sum(epochs[1], ()))


def test_bad_sentences_are_told() -> None:
    words = WordVocabulary(["a"])
    sentences = tagged_sentences([Tree("DT", "a"), Tree("XX", "b")])
    with pytest.raises(ValueError, match="sentence 1: the tag 'XX' of 'b' is not one of DT, NN"):
        tagging_batches(sentences, words, words, ["DT", "NN"], 2)
    with pytest.raises(ValueError, match="`sentences` must hold at least one"):
        tagging_batches([], words, words, ["DT"], 2)
    with pytest.raises(ValueError, match="`batch_size` must be a positive integer, got 0"):
        tagging_batches(sentences, words, words, ["DT", "XX"], 0)
    with pytest.raises(ValueError, match="No 3 sentences of about equal length"):
        tagging_batches(sentences, words, words, ["DT", "XX"], 3, drop_remainder=True)
