"""The recipe `characters`, on a text so regular that it takes seconds."""

import gzip
import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from kblocks import data
from kblocks.export import TextGenerator
from kblocks.models import GPT2
from kblocks.recipes import get
from kblocks.recipes.characters import CharactersConfig
from kblocks.recipes.run import RunDirectory
from kblocks.text import CharacterVocabulary


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Words of letters in the order of the alphabet, drawn by their first one."""
    path = tmp_path_factory.mktemp("text")
    words = ["abcd", "efgh", "ijkl", "mnöp"]
    text = " ".join(np.random.default_rng(0).choice(words, 1000))
    (path / "input.txt.gz").write_bytes(gzip.compress(text.encode()))
    return path


def config(folder, **changes):
    tiny = {"data": str(folder), "layers": 1, "heads": 2, "width": 16, "context": 10}
    few = {"steps": 240, "epochs": 2, "warm_up": 20, "learning_rate": 0.02, "continuation": 25}
    return CharactersConfig(**{**tiny, **few, **changes})


@pytest.mark.slow
def test_from_training_to_export(folder, tmp_path):
    recipe, settings = get("characters"), config(folder)
    run = RunDirectory.create(tmp_path / "run", "characters", settings)
    last = recipe.train(settings, run, quiet=True)
    measured = recipe.evaluate(run)
    assert measured["val_nats"] == pytest.approx(-last["val_log_likelihood"], rel=1e-5)
    # A word in five characters is a choice of four; of 17 characters by chance it would be 2.8.
    assert math.log(4) / 5 < measured["val_nats"] < 0.6
    assert json.loads((run.path / "results.json").read_text())["metrics"].keys() == {"val_nats"}
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in recipe.plot(run))

    exported = tf.saved_model.load(str(recipe.export(run, tmp_path / "models")))
    serve = exported.signatures["serving_default"]
    texts = tf.constant(["mn", "abcd efgh ijkl ", "", "§"])
    first, second = (serve(text=texts)["continuation"].numpy() for _ in range(2))
    assert first.tolist() != second.tolist()  # each request draws anew
    said = first[0].decode()
    assert len(said) == 25
    assert said.startswith("öp ")
    assert {*said.split()[1:-1]} <= {"abcd", "efgh", "ijkl", "mnöp"}


def test_the_splits(folder, tmp_path):
    read = get("characters").read
    splits = read(config(folder))
    assert [len(split) for split in splits] == [4499, 500]
    (tmp_path / "other.txt").write_bytes(b"ab\r\nc\n" * 10)
    train, validation = read(config(tmp_path / "other.txt", held_out=0.5))
    assert train + validation == "ab\r\nc\n" * 10
    with pytest.raises(ValueError, match="needs --data"):
        read(config(folder, data=None))
    with pytest.raises(ValueError, match=r"has neither input\.txt nor"):
        read(config(tmp_path))
    with pytest.raises(ValueError, match="`held_out` must be over 0"):
        read(config(folder, held_out=1))
    (tmp_path / "input.txt").write_bytes(b"\xff")
    with pytest.raises(ValueError, match=r"input\.txt:1: the line is not UTF-8"):
        read(config(tmp_path))
    (tmp_path / "input.txt").unlink()
    packed = gzip.compress(b"ab" * 1000)
    for damaged in (packed[:-9], packed[:12] + b"\xff" * 9, b"plain"):
        (tmp_path / "input.txt.gz").write_bytes(damaged)
        with pytest.raises(ValueError, match=r"input\.txt\.gz: damaged gzip data"):
            read(config(tmp_path))


def test_biases_and_norms_are_not_decayed(folder):
    recipe, settings = get("characters"), config(folder, weight_decay=0.5)
    parts = CharacterVocabulary("abc")
    model = recipe.make_model(settings, parts)
    for variable in model.trainable_variables:
        variable.assign(keras.ops.ones_like(variable))
    recipe.compile(settings, parts, model, steps=10)
    nothing = [keras.ops.zeros_like(variable) for variable in model.trainable_variables]
    for _ in range(2):  # the first step has the rate 0
        model.optimizer.apply(nothing, model.trainable_variables)
    decayed = {v.path for v in model.trainable_variables if keras.ops.convert_to_numpy(v).max() < 1}
    kernels = {
        v.path for v in model.trainable_variables if v.path.endswith(("kernel", "embeddings"))
    }
    assert decayed == kernels
    assert len(kernels) == 2 + 6


def test_the_learning_rate_is_nanogpts():
    settings = CharactersConfig()
    rate = get("characters").learning_rate(settings, settings.steps // settings.epochs)
    for step, expected in ((0, 0.0), (50, 5e-4), (100, 1e-3), (1050, 5.5e-4), (2000, 1e-4)):
        assert float(rate(step)) == pytest.approx(expected, rel=1e-3, abs=1e-9)


def test_random_windows_follow_seed_and_epoch():
    def taken(number, **options):
        batches = data.random_windows(np.arange(50), 4, 3, steps=5, **options)
        assert (batches.steps, batches.left_out) == (5, 0)
        return [(x.numpy(), y.numpy()) for x, y in batches.dataset.take(number)]

    two_epochs, resumed = taken(10), taken(5, first_epoch=1)
    np.testing.assert_array_equal(two_epochs[5:], resumed)
    assert (np.array(two_epochs[:5]) != np.array(resumed)).any()
    assert (np.array(taken(5, seed=1)) != np.array(two_epochs[:5])).any()
    begins = {int(x[i, 0]) for x, _ in taken(300) for i in range(3)}
    assert begins == set(range(46))  # any window with a label behind it
    for tokens, labels in two_epochs:
        np.testing.assert_array_equal(tokens, tokens[:, :1] + np.arange(4))
        np.testing.assert_array_equal(labels, tokens + 1)


def test_all_windows_have_each_label_once():
    tokens, labels = zip(*data.all_windows(np.arange(11), 4, 2).dataset.take(2), strict=True)
    assert np.concatenate(tokens).tolist() == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, -1, -1]]
    assert np.concatenate(labels).tolist() == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, -1, -1]]


def test_too_short_a_text():
    for windows in (
        lambda: data.random_windows(np.arange(4), 4, 2, 1),
        lambda: data.all_windows(np.arange(1), 4, 2),
    ):
        with pytest.raises(ValueError, match="tokens is too short"):
            windows()
    with pytest.raises(ValueError, match="`steps` must be a positive"):
        data.random_windows(np.arange(9), 4, 2, 0)


def test_the_characters_of_a_vocabulary(tmp_path):
    vocabulary = CharacterVocabulary("naïve\n𝄞 no")
    assert vocabulary.size == 9
    text = "von 𝄞ï\n"
    assert [vocabulary.characters[i] for i in vocabulary.ids(text)] == [*text]
    found = vocabulary.encode([text, "", b"a\xffb"])
    assert found.to_list() == [vocabulary.ids(text).tolist(), [], vocabulary.ids("a").tolist()]
    back = vocabulary.decode(found.to_tensor(-1)).numpy()
    assert [b.decode() for b in back] == [text, "", "a"]
    vocabulary.save(tmp_path / "characters.txt")
    assert CharacterVocabulary.load(tmp_path / "characters.txt").characters == vocabulary.characters
    with pytest.raises(ValueError, match=r"`text` must be .* got \['x', 'y'\]"):
        vocabulary.ids("yx")
    with pytest.raises(ValueError, match="at least one character"):
        CharacterVocabulary("")


def test_a_generator_needs_the_models_vocabulary():
    model = GPT2(4, layers=1, hidden_dim=4, num_heads=1, max_length=4)
    with pytest.raises(ValueError, match="`vocabulary` must have 4 ids, got 3"):
        TextGenerator(model, CharacterVocabulary("abc"))
