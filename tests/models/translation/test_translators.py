"""What the translators do beside the contract: decode, save, train, in each precision."""

import functools
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from kblocks import tokens
from kblocks.layers import AdditiveScore
from kblocks.models import BahdanauTranslator, LuongTranslator
from kblocks.models.translation import Translator
from kblocks.training import GlobalNormClipping, MaskedAccuracy, MaskedCrossentropy
from tests.contract.training import two_replicas
from tests.models.translation.samples import BAHDANAU, LUONG, made, pairs

KINDS = {
    "bahdanau": (BahdanauTranslator, BAHDANAU),
    "lstm": (BahdanauTranslator, {**BAHDANAU, "cell": "lstm", "readout": "tanh"}),
    "plain": (BahdanauTranslator, {**BAHDANAU, "attention": None}),
    "luong": (LuongTranslator, {**LUONG, "bidirectional": True}),
    "plain_luong": (LuongTranslator, {**LUONG, "attention": None, "input_feeding": False}),
}
every_kind = pytest.mark.parametrize("kind", KINDS)
both = pytest.mark.parametrize("kind", ["bahdanau", "luong"])
on_every_backend = pytest.mark.contract


@functools.cache
def model_of(kind: str, policy: str = "float32") -> Translator:
    return made(*KINDS[kind], dtype=policy)


def numpy(x: Any) -> np.ndarray:
    return ops.convert_to_numpy(x)


@on_every_backend
@every_kind
def test_one_token_at_a_time_gives_what_teacher_forcing_gives(kind: str) -> None:
    model, inputs = model_of(kind), pairs()
    logits, alignment = (numpy(x) for x in model(inputs, return_attention_scores=True))
    memory, carry = model.start(inputs["source"])
    for i in range(inputs["target"].shape[1]):
        token = ops.convert_to_tensor(inputs["target"][:, i])
        stepped, carry, looks = model.step(token, carry, memory)
        np.testing.assert_allclose(numpy(stepped), logits[:, i], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(numpy(looks), alignment[:, i], rtol=1e-5, atol=1e-6)


@on_every_backend
@every_kind
def test_padding_of_the_source_changes_nothing(kind: str) -> None:
    model, inputs = model_of(kind), pairs()
    logits, alignment = (numpy(x) for x in model(inputs, return_attention_scores=True))
    for row, source in enumerate(inputs["source"]):
        alone = {"source": source[source != 0][None], "target": inputs["target"][row : row + 1]}
        expected, looks = model(alone, return_attention_scores=True)
        np.testing.assert_allclose(logits[row], numpy(expected)[0], rtol=1e-5, atol=1e-6)
        length = alone["source"].shape[1]
        np.testing.assert_allclose(alignment[row, :, :length], numpy(looks)[0], atol=1e-6)
        assert not alignment[row, :, length:].any()
        total = 0.0 if "plain" in kind else 1.0
        np.testing.assert_allclose(alignment[row].sum(-1), total, atol=1e-5)


@every_kind
def test_a_source_of_nothing_but_padding_is_finite(kind: str) -> None:
    inputs = {**pairs(), "source": np.zeros((2, 4), "int32")}
    for output in model_of(kind)(inputs, return_attention_scores=True):
        assert np.isfinite(numpy(output)).all()


@on_every_backend
@both
def test_the_beams_scores_are_those_of_teacher_forcing(kind: str) -> None:
    model, source = model_of(kind), pairs()["source"]
    decoded = model.translate(source, max_length=4, beam_width=3, length_penalty=1.0)
    for i in range(3):
        found = numpy(decoded.tokens)[:, i]
        starts = np.full((2, 1), tokens.START, "int32")
        target = np.concatenate([starts, found[:, :-1]], 1)
        logits, looks = model({"source": source, "target": target}, return_attention_scores=True)
        logits = numpy(logits).astype("float64")
        logits[..., : tokens.END] = -np.inf
        log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        real = found != tokens.PADDING
        chosen = np.take_along_axis(log_p, np.maximum(found, tokens.END)[..., None], -1)[..., 0]
        scores = (chosen * real).sum(1) / ((5 + real.sum(1)) / 6)
        np.testing.assert_allclose(numpy(decoded.scores)[:, i], scores, rtol=1e-4)
        expected = numpy(looks) * real[..., None]
        np.testing.assert_allclose(numpy(decoded.alignment)[:, i], expected, atol=1e-5)


@both
@pytest.mark.full
def test_translating_under_xla_with_free_sizes(kind: str) -> None:
    import tensorflow as tf

    model, source = model_of(kind), pairs()["source"]
    signature = [tf.TensorSpec([None, None], tf.int32)]
    translate = functools.partial(model.translate, max_length=5, beam_width=3)
    compiled = tf.function(translate, input_signature=signature, jit_compile=True)
    for part in (source, source[:1, :3]):
        found, expected = compiled(tf.constant(part)), translate(part)
        np.testing.assert_array_equal(found.tokens, expected.tokens)
        np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-4)
        np.testing.assert_allclose(found.alignment, expected.alignment, atol=1e-5)


def test_a_new_translator_translates() -> None:
    """It is built by then, as a call would have built it."""
    model = BahdanauTranslator(**BAHDANAU)
    assert model.translate([[4, 5, 3]], max_length=3, beam_width=1).tokens.shape == (1, 1, 3)
    assert len(model.weights) == len(model_of("bahdanau").weights)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
@every_kind
def test_policies(kind: str, policy: str) -> None:
    model, inputs = model_of(kind, policy), pairs()
    logits = model(inputs)
    stored = "float64" if policy == "float64" else "float32"
    assert keras.backend.standardize_dtype(logits.dtype) == stored
    assert {v.dtype for v in model.trainable_variables} == {stored}
    assert {layer.compute_dtype for layer in _within(model)} == {model.compute_dtype}
    expected = numpy(model_of(kind)(inputs))
    tolerance = {"mixed_float16": 1e-2, "mixed_bfloat16": 1e-1, "float64": 1e-6}[policy]
    error = np.abs(numpy(logits) - expected).max() / np.abs(expected).max()
    assert error < tolerance
    for width in (1, 2):
        decoded = model.translate(inputs["source"], max_length=4, beam_width=width)
        assert np.isfinite(numpy(decoded.scores)).all()
        assert keras.backend.standardize_dtype(decoded.alignment.dtype) == "float32"


def _within(model: keras.Model) -> list[keras.layers.Layer]:
    weighty = [layer for layer in model._flatten_layers() if layer.weights]
    return [layer for layer in weighty if not isinstance(layer, keras.layers.Bidirectional)]


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("bahdanau", {"dtype": "mixed_bfloat16"}),
        ("bahdanau", {"tie_embeddings": "target", "dropout": 0.2}),
        ("luong", {"tie_embeddings": "all", "target_vocabulary_size": 9, "embedding_dim": 6}),
    ],
)
def test_a_keras_file_gives_the_same_translator(kind: str, changes: dict, tmp_path: Path) -> None:
    model_class, arguments = KINDS[kind]
    model = made(model_class, {**arguments, **changes})
    loaded = saved_and_loaded(model, tmp_path)
    assert loaded.get_config() == model.get_config()
    assert loaded.dtype_policy.name == model.dtype_policy.name


def test_a_keras_file_with_a_score_layer(tmp_path: Path) -> None:
    model = made(LuongTranslator, {**LUONG, "attention": AdditiveScore(3)})
    loaded = saved_and_loaded(model, tmp_path)
    assert type(loaded.score) is AdditiveScore
    assert loaded.score.get_config() == model.score.get_config()


def saved_and_loaded(model: Translator, directory: Path) -> Translator:
    model.save(directory / "model.keras")
    loaded = keras.models.load_model(directory / "model.keras")
    assert type(loaded) is type(model)
    np.testing.assert_array_equal(numpy(loaded(pairs())), numpy(model(pairs())))
    return loaded


@pytest.mark.full
def test_two_replicas_take_the_step_of_one() -> None:
    import tensorflow as tf

    model_class, arguments = KINDS["luong"]
    inputs = {name: np.concatenate([ids, ids[:, ::-1]]) for name, ids in pairs().items()}
    inputs["target"][:, 0] = tokens.START
    labels = np.array([[4, 5, 3], [6, 3, 0], [3, 0, 0], [5, 5, 3]], "int32")

    def step(strategy: Any) -> tuple[list[np.ndarray], dict]:
        with strategy.scope():
            model = made(model_class, arguments)
            optimizer = GlobalNormClipping(keras.optimizers.SGD(1.0), 0.5)
            model.compile(optimizer, MaskedCrossentropy(0.1), metrics=[MaskedAccuracy()])
        history = model.fit(inputs, labels, batch_size=4, shuffle=False, verbose=0).history
        return model.get_weights(), history

    alone, history = step(tf.distribute.get_strategy())
    together, found = step(two_replicas())
    for name, values in history.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-5)
    for a, b in zip(together, alone, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [
        lambda: BahdanauTranslator(12, 12, embedding_dim=16, units=24),
        lambda: LuongTranslator(12, 12, embedding_dim=16, units=24, layers=1, bidirectional=True),
    ],
    ids=["bahdanau", "luong"],
)
def test_learns_to_reverse(model: Any) -> None:
    rng = np.random.default_rng(0)
    lengths = rng.integers(2, 6, size=1536)
    words = rng.integers(4, 12, size=(1536, 5)) * (np.arange(5) < lengths[:, None])
    labels = np.zeros((1536, 6), "int32")
    for row, (sentence, n) in enumerate(zip(words, lengths, strict=True)):
        labels[row, : n + 1] = [*sentence[:n][::-1], tokens.END]
    starts = np.full((1536, 1), tokens.START)
    inputs = {
        "source": words.astype("int32"),
        "target": np.concatenate([starts, labels[:, :-1]], 1).astype("int32"),
    }
    model = model()
    optimizer = GlobalNormClipping(keras.optimizers.Adam(0.01), 1.0)
    model.compile(optimizer, MaskedCrossentropy(), jit_compile=False)
    train, test = slice(0, 1408), slice(1408, None)
    model.fit({k: v[train] for k, v in inputs.items()}, labels[train], 32, epochs=8, verbose=0)
    decoded = model.translate(inputs["source"][test], max_length=6, beam_width=1)
    right = (numpy(decoded.tokens)[:, 0] == labels[test]).all(axis=1)
    assert right.mean() > 0.9
    # Each word looks at the place that it came from.
    looks = numpy(decoded.alignment)[:, 0].argmax(-1)
    places = lengths[test, None] - 1 - np.arange(5)
    real = labels[test, :5] >= tokens.END + 1
    assert (looks[:, :5] == places)[real].mean() > 0.8
