"""SQuAD, questions on paragraphs: Rajpurkar et al. 2016 (arXiv:1606.05250), 2018 (1806.03822).

Files in its public form, https://rajpurkar.github.io/SQuAD-explorer, version 1.1 or 2.0:

    {"data": [{"paragraphs": [{"context": "...", "qas": [
        {"id": "...", "question": "...", "answers": [{"text": "...", "answer_start": 7}],
         "is_impossible": false}]}]}]}

In 2.0 some questions are impossible: they have no answer in their paragraph.
"""

import os
from collections.abc import Iterator
from typing import Any, NamedTuple

from kblocks.files import MIB, read_json

_LARGEST = 1024 * MIB  # SQuAD 2.0's training file has 42 MB


class Question(NamedTuple):
    """A question, the text that it is about, and its answers there.

    Attributes:
        id: Its name in the file.
        question: A string.
        context: The text.
        answers: The right answers, pieces of the text; none if there is no answer.
        starts: Where each begins, in characters.
    """

    id: str
    question: str
    context: str
    answers: tuple[str, ...]
    starts: tuple[int, ...]


def read_squad(path: str | os.PathLike[str]) -> list[Question]:
    """The questions of a file.

    Args:
        path: A JSON file, plain or `.gz`.

    Raises:
        FileNotFoundError: No such file.
        ValueError: It is no such JSON, a field is missing or of another type, an id stands there
            twice, or an answer is not where it is said to be (names file and place).
    """
    path = os.fspath(path)
    questions: dict[str, Question] = {}
    for where, context, raw in _raw_questions(read_json(path, _LARGEST), path):
        question = _question(where, context, raw)
        if question.id in questions:
            raise ValueError(f"{where}: the id {question.id!r} stands there already.")
        questions[question.id] = question
    if not questions:
        raise ValueError(f"{path} has no question.")
    return list(questions.values())


def _raw_questions(content: dict[str, Any], path: str) -> Iterator[tuple[str, str, Any]]:
    """Where each question stands, its context, and what is there."""
    for i, article in enumerate(_field(content, "data", list, path)):
        of_article = f"{path}: data[{i}]"
        for j, paragraph in enumerate(_field(article, "paragraphs", list, of_article)):
            of_paragraph = f"{of_article}.paragraphs[{j}]"
            context = _text(paragraph, "context", of_paragraph)
            for k, raw in enumerate(_field(paragraph, "qas", list, of_paragraph)):
                yield f"{of_paragraph}.qas[{k}]", context, raw


def _question(where: str, context: str, raw: Any) -> Question:
    identity, question = _text(raw, "id", where), _text(raw, "question", where)
    impossible = raw.get("is_impossible", False)
    if not isinstance(impossible, bool):
        raise ValueError(f"{where}: `is_impossible` must be true or false, got {impossible!r}.")
    answers, starts = [], []
    for i, answer in enumerate(_field(raw, "answers", list, where)):
        of_answer = f"{where}.answers[{i}]"
        text, start = (
            _text(answer, "text", of_answer),
            _field(answer, "answer_start", int, of_answer),
        )
        if not text:
            raise ValueError(f"{of_answer}: `text` must not be empty.")
        if start < 0 or not context.startswith(text, start):
            stands = context[max(0, start) : max(0, start) + len(text)]
            raise ValueError(
                f"{of_answer}: {text[:40]!r} does not stand at `answer_start` {start} of the "
                f"context, {stands[:40]!r} does."
            )
        answers.append(text)
        starts.append(start)
    if impossible == bool(answers):
        has = f"{len(answers)} answers" if answers else "no answer"
        raise ValueError(f"{where}: it has {has}, and `is_impossible` is {impossible}.")
    return Question(identity, question, context, tuple(answers), tuple(starts))


def _field(found: Any, name: str, kind: type, where: str) -> Any:
    """A field of an object, of a type."""
    if not isinstance(found, dict):
        raise ValueError(f"{where}: expected an object, found {type(found).__name__}.")
    if name not in found:
        raise ValueError(f"{where}: the field `{name}` is missing.")
    value = found[name]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(
            f"{where}: `{name}` must be a {kind.__name__}, found {type(value).__name__}."
        )
    return value


def _text(found: Any, name: str, where: str) -> str:
    """A string, without halves of characters, which JSON can hold and UTF-8 cannot."""
    text: str = _field(found, name, str, where)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{where}: `{name}` has half a character at {error.start}, {text[error.start]!r}."
        ) from error
    return text
