"""Answers to raw strings: the best span of all windows, by its place in the text."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from kblocks.export import QuestionAnswerer
from kblocks.models import BertEncoder, BertSpanClassifier
from kblocks.text import WordPieceVocabulary
from tests.export.test_text_classifier import ODD

pytestmark = pytest.mark.slow

WORDS = ["who", "?", ".", "anna", "ben", "sail", "##s", "on", "lake", "é"]
PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
LONG = "Ben  sails on Lake É. Anna sails on.  Who sails? Ben, on Anna."


def answerer(**arguments: Any) -> QuestionAnswerer:
    encoder = BertEncoder(
        len(PIECES), layers=1, hidden_dim=4, num_heads=2, max_length=12, pooler=False
    )
    model = BertSpanClassifier(encoder)
    model.build()
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    options = {"max_length": 12, "stride": 3, "max_question": 4, "max_answer": 2, **arguments}
    return QuestionAnswerer(model, WordPieceVocabulary(PIECES), **options)


@pytest.fixture(scope="module")
def served() -> QuestionAnswerer:
    return answerer()


def asked(served: QuestionAnswerer, questions: list, contexts: list) -> list[dict[str, Any]]:
    outputs = served.answer(tf.constant(questions), tf.constant(contexts))
    columns = [value.numpy().tolist() for value in outputs.values()]
    return [dict(zip(outputs, row, strict=True)) for row in zip(*columns, strict=True)]


def test_the_best_of_all_windows(served: QuestionAnswerer) -> None:
    """Each window by itself, and its span put back into the text by hand."""
    [found] = asked(served, ["Who sails?"], [LONG])
    vocabulary, best = served.vocabulary, []
    question = vocabulary.encode(["Who sails?"]).to_list()[0]
    pieces, begins, ends = (x.to_list()[0] for x in vocabulary.encode_with_offsets([LONG]))
    room = 12 - 3 - len(question)
    assert len(pieces) > 2 * room
    for first in range(0, len(pieces) - room + 3, 3):
        window = pieces[first : first + room]
        tokens = [2, *question, 3, *window, 3]
        segments = [0] * (len(question) + 2) + [1] * (len(window) + 1)
        inputs = {"tokens": np.array([tokens]), "segments": np.array([segments])}
        i, j, score, log_p = served.model.best_spans(inputs, 2).numpy()[0]
        shift = first - len(question) - 2
        best.append((float(score), begins[int(i) + shift], ends[int(j) + shift], np.exp(log_p)))
        if first + room >= len(pieces):
            break
    score, start, end, p = max(best)
    assert len(best) > 2
    assert found["answer"].decode() == LONG[start:end]
    assert found["start"] == start
    np.testing.assert_allclose([found["score"], found["probability"]], [score, p], rtol=1e-4)


def test_alone_as_in_a_batch(served: QuestionAnswerer) -> None:
    texts = [LONG, "Anna.", "", LONG.replace("Anna", "Ben"), "lake " * 300]
    together = asked(served, ["Who sails?"] * 5, texts)
    for text, found in zip(texts, together, strict=True):
        [alone] = asked(served, ["Who sails?"], [text])
        assert (alone["answer"], alone["start"]) == (found["answer"], found["start"])
        np.testing.assert_allclose(alone["score"], found["score"], rtol=1e-3)


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_any_bytes_have_an_answer(served: QuestionAnswerer, text: bytes) -> None:
    clean = text.decode(errors="ignore")
    [found], [other] = asked(served, ["Who?"], [text]), asked(served, [text], [LONG])
    answer, start = found["answer"].decode(), found["start"]
    if start < 0:
        assert (answer, found["probability"]) == ("", 0)
    else:
        assert clean[start : start + len(answer)] == answer != ""
    assert other["answer"].decode() in LONG


def test_no_answer(served: QuestionAnswerer) -> None:
    [given] = asked(served, ["Who sails?"], [LONG])
    for threshold, says in ((given["score"] - 0.1, True), (given["score"] + 0.1, False)):
        [found] = asked(answerer(threshold=threshold), ["Who sails?"], [LONG])
        assert found["score"] == pytest.approx(given["score"], rel=1e-4)
        assert (found["answer"] == given["answer"]) == says
        assert (found["start"], found["probability"] > 0) == (given["start"] if says else -1, says)


def test_an_empty_batch(served: QuestionAnswerer) -> None:
    none = tf.zeros([0], tf.string)
    assert all(output.shape == 0 for output in served.answer(none, none).values())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_length": 13}, "`max_length` must be 3 to 12"),
        ({"stride": 6}, "`stride` must be from 1 to .* = 5, got 6"),
        ({"max_answer": 0}, "`max_answer` must be positive, got 0"),
    ],
)
def test_what_does_not_fit(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        answerer(**arguments)
