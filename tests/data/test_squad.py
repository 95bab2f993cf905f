"""SQuAD's files: read, refused where they are broken, and made into labelled windows."""

import copy
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kblocks.data import Question, question_batches, read_squad
from kblocks.text import WordPieceVocabulary

CONTEXT = "Zürich lies on a lake. Anna, 30, sails there."
CONTENT: dict[str, Any] = {
    "version": "v2.0",
    "data": [
        {
            "title": "Anna",
            "paragraphs": [
                {
                    "context": CONTEXT,
                    "qas": [
                        {
                            "id": "1",
                            "question": "Who sails?",
                            "answers": [
                                {"text": "Anna", "answer_start": 23},
                                {"text": "Anna, 30", "answer_start": 23},
                            ],
                            "is_impossible": False,
                        },
                        {
                            "id": "2",
                            "question": "Who swims?",
                            "answers": [],
                            "plausible_answers": [{"text": "Anna", "answer_start": 23}],
                            "is_impossible": True,
                        },
                    ],
                },
                {
                    "context": "漢字",
                    "qas": [  # as in version 1.1
                        {
                            "id": "3",
                            "question": "?",
                            "answers": [{"text": "字", "answer_start": 1}],
                        }
                    ],
                },
            ],
        }
    ],
}


def written(tmp_path: Path, content: Any) -> Path:
    path = tmp_path / "dev-v2.0.json"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def test_the_questions_of_a_file(tmp_path: Path) -> None:
    expected = [
        Question("1", "Who sails?", CONTEXT, ("Anna", "Anna, 30"), (23, 23)),
        Question("2", "Who swims?", CONTEXT, (), ()),
        Question("3", "?", "漢字", ("字",), (1,)),
    ]
    path = written(tmp_path, CONTENT)
    assert read_squad(path) == expected
    packed = tmp_path / "dev.json.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert read_squad(packed) == expected


PARAGRAPH = ("data", 0, "paragraphs", 0)
FIRST = (*PARAGRAPH, "qas", 0)
QAS = r"json: data\[0\]\.paragraphs\[0\]\.qas"


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("data",), None, r"json: `data` must be a list, found NoneType"),
        (("data", 0), 7, r"json: data\[0\]: expected an object, found int"),
        (("data",), [], "json has no question"),
        ((*PARAGRAPH, "context"), 5, r"paragraphs\[0\]: `context` must be a str, found int"),
        (FIRST, "Who?", rf"{QAS}\[0\]: expected an object, found str"),
        ((*FIRST, "id"), 1, rf"{QAS}\[0\]: `id` must be a str, found int"),
        ((*FIRST, "id"), "2", rf"{QAS}\[1\]: the id '2' stands there already"),
        ((*FIRST, "question"), "\ud800?", "`question` has half a character at 0, '.ud800'"),
        ((*FIRST, "answers"), [], "it has no answer, and `is_impossible` is False"),
        ((*FIRST, "is_impossible"), True, "it has 2 answers, and `is_impossible` is True"),
        ((*FIRST, "is_impossible"), "no", "`is_impossible` must be true or false, got 'no'"),
        ((*FIRST, "answers", 1, "text"), "", r"answers\[1\]: `text` must not be empty"),
        (
            (*FIRST, "answers", 0, "answer_start"),
            22,
            rf"{QAS}\[0\]\.answers\[0\]: 'Anna' does not stand at `answer_start` 22 of the "
            "context, ' Ann' does",
        ),
        ((*FIRST, "answers", 0, "answer_start"), -22, "does not stand at `answer_start` -22"),
        ((*FIRST, "answers", 0, "answer_start"), 10**9, "does not stand at `answer_start` 1000"),
        ((*FIRST, "answers", 0, "answer_start"), "23", "`answer_start` must be a int, found str"),
        ((*FIRST, "answers", 0, "answer_start"), True, "`answer_start` must be a int, found bool"),
    ],
)
def test_a_broken_field(place: tuple, value: Any, message: str, tmp_path: Path) -> None:
    content = copy.deepcopy(CONTENT)
    target = content
    for step in place[:-1]:
        target = target[step]
    target[place[-1]] = value
    with pytest.raises(ValueError, match=message) as caught:
        read_squad(written(tmp_path, content))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "place", [("data",), (*PARAGRAPH, "qas"), (*FIRST, "id"), (*FIRST, "answers")]
)
def test_a_missing_field(place: tuple, tmp_path: Path) -> None:
    content = copy.deepcopy(CONTENT)
    target = content
    for step in place[:-1]:
        target = target[step]
    del target[place[-1]]
    with pytest.raises(ValueError, match=f"the field `{place[-1]}` is missing"):
        read_squad(written(tmp_path, content))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"data": [', ":1: no JSON"),
        (b"[]", ": expected a JSON object, found list"),
        (b'{"data":' + b"[" * 100_000, ": its JSON is nested too deeply"),
        (b'{"data": "\xff"}', ":1: the line is not UTF-8"),
    ],
)
def test_a_broken_file(content: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"dev-v2\.0\.json{message}"):
        read_squad(written(tmp_path, content))


VOCABULARY = WordPieceVocabulary(
    ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "c", "d", "##d", "?"]
)


def labelled(questions: list[Question], **options: Any) -> list[tuple[list[int], int, int]]:
    """The tokens of each window, and its labels."""
    settings = {"batch_size": 2, "max_length": 10, "stride": 2, "max_question": 2, **options}
    batches = question_batches(questions, VOCABULARY, shuffle=False, **settings)
    found = []
    for inputs, labels in batches.dataset.take(batches.steps):
        assert inputs["tokens"].shape == inputs["segments"].shape
        rows = (inputs["tokens"], labels["start"], labels["end"])
        found += zip(*(x.numpy().tolist() for x in rows), strict=True)
    return found


@pytest.mark.slow
def test_windows_with_the_places_of_answers() -> None:
    """Beside a question of two pieces and three special ids a row has room for five."""
    question = Question("1", "b?", "a b c add b  ?", ("add",), (6,))
    assert labelled([question]) == [
        ([2, 6, 10, 3, 5, 6, 7, 5, 9, 3], 0, 0),  # the answer is not wholly in it
        ([2, 6, 10, 3, 7, 5, 9, 9, 6, 3], 5, 7),
        ([2, 6, 10, 3, 9, 9, 6, 10, 3], 0, 0),
    ]
    none = question._replace(answers=(), starts=())
    assert [labels for _, *labels in labelled([none])] == [[0, 0]] * 3


@pytest.mark.slow
def test_the_word_of_an_answer_within_it() -> None:
    within = Question("1", "?", "a bd ?", ("d",), (3,))
    assert labelled([within]) == [([2, 10, 3, 5, 6, 9, 10, 3], 4, 5)]
    long = within._replace(question="a b c d")  # cut
    assert labelled([long])[0] == ([2, 5, 6, 3, 5, 6, 9, 10, 3], 5, 6)


def test_an_answer_of_which_nothing_is_left() -> None:
    lost = Question("1", "?", "a \x01 b", ("\x01",), (2,))
    kept = lost._replace(answers=("b",), starts=(4,))
    batches = question_batches([lost, kept], VOCABULARY, 2, 10, 2, 2, shuffle=False)
    assert (batches.steps, batches.left_out) == (1, 1)
    inputs, labels = next(iter(batches.dataset))
    assert inputs["tokens"].numpy().tolist() == [[2, 10, 3, 5, 6, 3]]
    assert inputs["segments"].numpy().tolist() == [[0, 0, 0, 1, 1, 1]]
    assert labels["start"].numpy().tolist() == labels["end"].numpy().tolist() == [4]


@pytest.mark.slow
def test_all_windows_are_there_once_in_an_order_by_the_seed() -> None:
    rng = np.random.default_rng(0)
    questions = [
        Question(str(i), "?", " ".join(rng.choice(["a", "b", "c"], 12)), (), ()) for i in range(9)
    ]
    orders = []
    for seed in (0, 0, 1):
        batches = question_batches(questions, VOCABULARY, 4, 12, 4, 2, seed=seed)
        rows = [
            tuple(row)
            for inputs, _ in batches.dataset.take(batches.steps)
            for row in inputs["tokens"].numpy().tolist()
        ]
        orders.append(rows)
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2])
    assert len(orders[0]) == 9 * 2


def test_what_cannot_be_batches() -> None:
    question = Question("1", "?", "a b", (), ())
    with pytest.raises(ValueError, match="there are no questions"):
        question_batches([], VOCABULARY, 2)
    with pytest.raises(ValueError, match="no 2 windows of about equal length"):
        question_batches([question], VOCABULARY, 2, drop_remainder=True)
    with pytest.raises(ValueError, match=r"`stride` must be from 1 to .* = 5, got 6"):
        question_batches([question], VOCABULARY, 2, max_length=10, stride=6, max_question=2)
