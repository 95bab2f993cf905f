"""Labels of raw strings: any text has one, alone as in a batch; what does not fit is refused."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from kblocks.export import TextClassifier
from kblocks.models import BertClassifier, BertEncoder
from kblocks.text import WordPieceVocabulary

pytestmark = pytest.mark.slow

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "##ly", "!"]
ODD = {
    "nothing": b"",
    "space": b" \t\n",
    "zeros": b"\0\0",
    "no UTF-8": b"\xff\xfe good \xc3",
    "half a character": "ä".encode()[:1],
    "controls": b"\x01good\x7f",
    "special pieces": b"[CLS][SEP] [PAD]",
    "one long word": b"x" * 10**6,
    "a megabyte of words": b"good! " * 170_000,
}


def classifier(num_classes: int = 2, **arguments: Any) -> TextClassifier:
    encoder = BertEncoder(len(PIECES), layers=1, hidden_dim=4, num_heads=2, max_length=8)
    model = BertClassifier(encoder, num_classes)
    model.build()
    classes = ["no", "yes"] if num_classes > 1 else []
    options = {"classes": classes, "max_length": 8, **arguments}
    return TextClassifier(model, WordPieceVocabulary(PIECES), **options)


@pytest.fixture(scope="module")
def served() -> TextClassifier:
    return classifier()


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_any_bytes_have_a_label(served: TextClassifier, text: bytes) -> None:
    alone = served.classify(tf.constant([text]))
    beside = served.classify(tf.constant([b"good bad", text]))
    assert alone["label"].numpy()[0] in (b"no", b"yes")
    np.testing.assert_allclose(alone["probability"].numpy().sum(), 1, rtol=1e-5)
    np.testing.assert_allclose(
        beside["probability"][1], alone["probability"][0], rtol=1e-4, atol=1e-6
    )


def test_what_is_dropped_changes_nothing(served: TextClassifier) -> None:
    p = served.classify(tf.constant([b"good", b"\xff\xfegood\xc3", b"\x01Good\x7f"]))["probability"]
    np.testing.assert_allclose(p[1:], [p[0]] * 2, rtol=1e-5)


def test_pairs_and_numbers() -> None:
    texts = tf.constant(list(ODD.values()))
    pairs = classifier(pairs=True)
    p = pairs.signatures()["serving_default"](texts, texts[::-1])["probability"].numpy()
    np.testing.assert_allclose(p.sum(1), 1, rtol=1e-5)
    numbers = classifier(num_classes=1)
    score = numbers.signatures()["serving_default"](texts)["score"]
    assert score.shape == len(ODD)
    assert np.isfinite(score).all()


def test_an_empty_batch(served: TextClassifier) -> None:
    outputs = served.classify(tf.zeros([0], tf.string))
    assert outputs["label"].shape == 0
    assert outputs["probability"].shape == (0, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"classes": ["no"]}, "`classes` must be 2 names"),
        ({"max_length": 9}, "`max_length` must be 3 to 8"),
        ({"max_length": 2}, "`max_length` must be 3 to 8"),
    ],
)
def test_what_does_not_fit(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        classifier(**arguments)


def test_a_vocabulary_of_another_model(served: TextClassifier) -> None:
    for pieces, message in (
        ([*PIECES, "more"], "must have the 9 ids of the encoder, got 10"),
        ([*PIECES[1:], PIECES[0]], "must pad with the encoder's id 0, got 8"),
    ):
        with pytest.raises(ValueError, match=message):
            TextClassifier(served.model, WordPieceVocabulary(pieces), ["no", "yes"], 8)
