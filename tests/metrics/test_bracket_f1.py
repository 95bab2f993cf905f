"""Brackets counted by hand."""

import pytest

from kblocks.data import parse_tree
from kblocks.metrics import BracketScores, bracket_f1

GOLD = """(TOP (S (NP-SBJ (DT The) (NN dog)) (, ,)
    (VP (VBD saw) (NP (NP (DT a) (NN man)) (PP (IN with) (NP (DT a) (NN telescope))))) (. .)))"""


def score(predicted: str, gold: str) -> BracketScores:
    return bracket_f1([parse_tree(predicted)], [parse_tree(gold)])


def test_attached_elsewhere() -> None:
    """The words that count: The dog saw a man with a telescope, 0 to 7.

    gold:      S(0,8) NP(0,2) VP(2,8) NP(3,8) NP(3,5) PP(5,8) NP(6,8)   7 brackets
    predicted: S(0,8) NP(0,2) VP(2,8)         NP(3,5) PP(5,8) NP(6,8)   6, all of them right
    precision = 6/6, recall = 6/7, F1 = 2 * 6 / (6 + 7)
    """
    scores = score(
        """(S (NP (DT The) (NN dog) (, ,)) (VP (VBD saw) (NP (DT a) (NN man))
        (PP (IN with) (NP (DT a) (NN telescope))) (. .)))""",
        GOLD,
    )
    assert (scores.matched, scores.predicted, scores.gold) == (6, 6, 7)
    assert scores.precision == 100.0
    assert scores.recall == pytest.approx(600 / 7)
    assert scores.f1 == pytest.approx(1200 / 13)
    assert scores.complete == 0.0


def test_a_wrong_label_and_a_crossing_bracket() -> None:
    """As above, the gold brackets are 7.

    predicted: S(0,8) NP(0,2) FRAG(2,8) X(4,8) PP(5,8) NP(6,8): right are S, NP, PP, NP
    precision = 4/6, recall = 4/7, F1 = 2 * 4 / 13
    """
    scores = score(
        """(S (NP (DT The) (NN dog)) (, ,) (FRAG (VBD saw) (DT a) (X (NN man)
        (PP (IN with) (NP (DT a) (NN telescope)))))(. .))""",
        GOLD,
    )
    assert (scores.matched, scores.predicted, scores.gold) == (4, 6, 7)
    assert scores.f1 == pytest.approx(800 / 13)


@pytest.mark.parametrize(
    ("predicted", "gold", "counts"),
    [
        # ADVP and PRT are the same, on either side.
        ("(S (ADVP (RB up)))", "(S (PRT (RP up)))", (2, 2, 2)),
        ("(S (PRT (RB up)))", "(S (ADVP (RP up)))", (2, 2, 2)),
        # A bracket that stands twice is right twice, if it is twice in both.
        ("(NP (NP (NN x)))", "(NP (NP (NN x)))", (2, 2, 2)),
        ("(NP (NP (NN x)))", "(NP (NN x))", (1, 2, 1)),
        ("(NP (NN x))", "(NP (NP (NP (NN x))))", (1, 1, 3)),
        # TOP is not counted; functions and indices are cut.
        ("(TOP (S=2 (NN x)))", "(S-TPC-1 (NN x))", (1, 1, 1)),
        # What holds only punctuation is no bracket; `$`, `#` and -LRB- are words.
        ("(S (NP (NN x)) (PRN (: --)))", "(S (NP (NN x)) (X (: --)))", (2, 2, 2)),
        ("(S (NP ($ $)) (NN x))", "(S ($ $) (NN x))", (1, 2, 1)),
        ("(S (PRN (-LRB- -LRB-)) (NN x))", "(S (X (-LRB- -LRB-)) (NN x))", (1, 2, 2)),
        # The gold tags say what is punctuation: the quote is, whatever the prediction calls it.
        ("(S (NP (NN ')) (NN x))", "(S ('' ') (NP (NN x)))", (1, 1, 2)),
        ("(S (NP ('' ')) (NN x))", "(S (POS ') (NP (NN x)))", (1, 2, 2)),
        ("(S (XX x) (XX .))", "(S (NN x) (. .))", (1, 1, 1)),
    ],
)
def test_rules(predicted: str, gold: str, counts: tuple[int, int, int]) -> None:
    scores = score(predicted, gold)
    assert (scores.matched, scores.predicted, scores.gold) == counts


def test_the_whole_corpus_counts_brackets_not_sentences() -> None:
    """Two sentences: 1 of 1 and 1, and 2 of 3 and 4; a sentence of punctuation does not count.

    precision = 3/4, recall = 3/5, F1 = 2 * 3 / 9; complete: 1 of 2
    """
    gold = ["(NP (NN x))", "(S (NP (NN x)) (VP (VB y) (NP (NN z))))", "(X (. .) (: --))"]
    guess = ["(NP (NN x))", "(S (NP (NN x)) (NP (VB y) (NN z)))", "(FRAG (X (. .)) (: --))"]
    scores = bracket_f1([parse_tree(t) for t in guess], [parse_tree(t) for t in gold])
    assert scores == BracketScores(75.0, 60.0, pytest.approx(600 / 9), 50.0, 3, 4, 5, 2)


def test_nothing_right_and_nothing_there() -> None:
    assert score("(NP (NN x))", "(S (NN x))")[:4] == (0.0, 0.0, 0.0, 0.0)
    assert score("(NP (. .))", "(S (. .))") == BracketScores(*[0.0] * 4, *[0] * 4)


def test_wrong_arguments() -> None:
    x, y = parse_tree("(S (NN x))"), parse_tree("(S (NN y) (NN z))")
    with pytest.raises(ValueError, match="as many, and at least one, got 1 and 2"):
        bracket_f1([x], [x, y])
    with pytest.raises(ValueError, match="as many, and at least one, got 0 and 0"):
        bracket_f1([], [])
    with pytest.raises(ValueError, match=r"tree 1: .* has the words 'x', and `gold` has 'y z'"):
        bracket_f1([y, x], [y, y])
