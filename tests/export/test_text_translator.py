"""Any text has a translation; alone as in a batch; the vocabulary outlives a new seed."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kblocks import tokens
from tests.export.conftest import tiny_translator

pytestmark = pytest.mark.slow

ANY = {
    "empty": b"",
    "spaces": b" \t\r\n ",
    "controls": b"\x00\x01\x7f",
    "unknown letters": "Ωμέγα 日本語 עברית".encode(),
    "emoji with joiners": "👩‍👩‍👧 🏳️‍🌈".encode(),
    "combining marks": ("e" + "\u0301" * 50).encode(),
    "right to left, a mark of order": "\ufeff\u202eabc".encode(),
    "no character": "\ufffe\uffff\U0010ffff".encode(),
    "invalid UTF-8": b"\xff\xfe click \xc3",
    "half of a pair": b"\xed\xa0\x80 click",
    "very long": b"click the button " * 6000,
    "one long word": b"x" * 50_000,
    "subword markers": "▁ <unk> <s> </s> <pad> <0xFF>".encode(),
}


@pytest.fixture(scope="module")
def signature(exported):
    loaded = tf.saved_model.load(str(exported))
    signature = loaded.signatures["serving_default"]
    signature.keep = loaded
    return signature


@pytest.mark.parametrize("text", ANY.values(), ids=ANY)
def test_any_text_has_defined_outputs(signature, translator, text):
    outputs = {name: x.numpy() for name, x in signature(text=tf.constant([text])).items()}
    (translation,), (score,) = outputs["translation"], outputs["score"]
    translation.decode()
    source, target = (outputs[name][0] for name in ("source_tokens", "translation_tokens"))
    assert all(piece.decode() for piece in [*source, *target])
    assert len(source) <= translator.max_length + 1
    assert len(target) <= translator.max_length
    assert source[-1] == translator.source_vocabulary.id_to_piece(tokens.END).numpy()
    assert np.isfinite(score)
    assert score <= 0
    alignment = outputs["alignment"][0]
    assert alignment.shape == (len(target), len(source))
    np.testing.assert_allclose(alignment.sum(-1), 1.0, atol=1e-5)


@pytest.mark.parametrize("text", [b"", b" \n", b"\x00"])
def test_nothing_visible_has_the_empty_translation(signature, text):
    outputs = signature(text=tf.constant([text]))
    assert outputs["translation"].numpy().tolist() == [b""]
    assert outputs["score"].numpy().tolist() == [0.0]
    assert outputs["translation_tokens"].shape == (1, 0)


def test_an_empty_batch(signature):
    outputs = signature(text=tf.constant([], tf.string))
    assert [len(output) for output in outputs.values()] == [0] * 5


def test_alone_as_in_a_batch(signature):
    texts = [text for text in ANY.values() if len(text) < 100] + [b"Click the button."]
    together = {name: x.numpy() for name, x in signature(text=tf.constant(texts)).items()}
    backwards = {name: x.numpy() for name, x in signature(text=tf.constant(texts[::-1])).items()}
    for i, text in enumerate(texts):
        alone = {name: x.numpy() for name, x in signature(text=tf.constant([text])).items()}
        for batch, row in ((together, i), (backwards, len(texts) - 1 - i)):
            assert batch["translation"][row] == alone["translation"][0]
            np.testing.assert_allclose(batch["score"][row], alone["score"][0], atol=1e-5)
            for name in ("source_tokens", "translation_tokens"):
                pieces = [piece for piece in batch[name][row] if piece]
                assert pieces == alone[name][0].tolist()
            target, source = alone["alignment"].shape[1:]
            padded = batch["alignment"][row].copy()
            np.testing.assert_allclose(padded[:target, :source], alone["alignment"][0], atol=1e-5)
            padded[:target, :source] = 0
            assert not padded.any()


def test_a_list_of_any_length_is_translated_in_its_order(translator):
    texts = ["Click the button.", "", "file", "Choose a file, then press Enter.", "Enter"]
    alone = [translator([text])[0] for text in texts]
    assert len({*alone}) == len(texts)
    assert translator(texts, batch_size=2) == alone


def test_a_new_seed_does_not_lose_the_vocabulary(vocabulary):
    """`set_random_seed` clears TensorFlow's kernels, and with them what they hold."""
    translator = tiny_translator(vocabulary, length=3)
    before = translator.translate(tf.constant(["Click"]))
    eager = vocabulary.encode(["Click"]).to_list()
    keras.utils.set_random_seed(5)
    after = translator.translate(tf.constant(["Click"]))
    assert after["translation"].numpy().tolist() == before["translation"].numpy().tolist()
    assert vocabulary.encode(["Click"]).to_list() == eager
