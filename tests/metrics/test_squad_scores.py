"""Exact match and F1 of answers, counted by hand by the rules of SQuAD's official program."""

import pytest

from kblocks.metrics import squad_scores
from kblocks.metrics.squad_scores import normalised


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("The  Eiffel-Tower.", "eiffeltower"),  # signs go, and leave no space
        ("an apple a day", "apple day"),
        ("theatre, Athens", "theatre athens"),  # articles are whole words
        ("U.S.A", "usa"),
        ("A.", ""),  # the dot goes first, then the article
        ("\tone\u00a0two\n", "one two"),
        ("«Été» – 5 €", "«été» – 5 €"),  # signs are ASCII's alone
        ("$1,000.50", "100050"),
        ("", ""),
    ],
)
def test_how_answers_are_compared(answer: str, expected: str) -> None:
    assert normalised(answer) == expected


@pytest.mark.parametrize(
    ("found", "right", "exact", "f1"),
    [
        ("the Seine", ["Seine"], 100, 100),
        ("in 1789", ["1789"], 0, 100 * 2 / 3),  # p 1/2, r 1
        ("Paris", ["London", "Paris, France"], 0, 100 * 2 / 3),  # the better one counts
        ("Paris", ["London", "Paris"], 100, 100),
        ("no no yes", ["no yes yes"], 0, 100 * 2 / 3),  # two shared of three and three
        ("Rome", ["Paris"], 0, 0),
        ("", ["Paris"], 0, 0),
        ("", [], 100, 100),
        ("Paris", [], 0, 0),
        ("the", [], 100, 100),  # of which nothing is left
        ("an", ["the"], 100, 100),  # a right answer of which nothing is left is none
        ("", ["the", "Paris"], 0, 0),  # unless there is another
    ],
)
def test_an_answer(found: str, right: list[str], exact: float, f1: float) -> None:
    assert squad_scores([found], [right]) == pytest.approx({"exact": exact, "f1": f1})


def test_the_mean_over_questions() -> None:
    scores = squad_scores(["a b c", "x", ""], [["b"], ["y"], []])  # f1 2/3, 0, 1
    assert scores == pytest.approx({"exact": 100 / 3, "f1": 100 * 5 / 9})


def test_wrong_numbers() -> None:
    for found, right in ((["a"], []), ([], [])):
        with pytest.raises(ValueError, match="`found` and `right` must be as many answers"):
            squad_scores(found, right)
