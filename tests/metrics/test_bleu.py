"""BLEU against its definition, worked by hand (Papineni et al. 2002, section 2.3)."""

import math

import pytest

from kblocks.metrics import bleu


def test_equal_is_a_hundred_and_nothing_shared_is_none() -> None:
    assert bleu(["Das Haus ist alt."], ["Das Haus ist alt."]) == pytest.approx(100)
    assert bleu(["a b c d e"], ["v w x y z"]) == pytest.approx(0, abs=10)


def test_the_mean_of_the_precisions() -> None:
    """5 of 6 words, 4 of 5 pairs, 3 of 4 triples and 2 of 3 fours are right."""
    expected = 100 * (5 / 6 * 4 / 5 * 3 / 4 * 2 / 3) ** (1 / 4)
    assert bleu(["a b c d e f"], ["a b c d e g"]) == pytest.approx(expected)


def test_the_brevity_penalty() -> None:
    assert bleu(["a b c d e"], ["a b c d e f"]) == pytest.approx(100 * math.exp(1 - 6 / 5))


def test_counts_are_of_the_corpus() -> None:
    """Summed over sentences before the mean is taken: 9 of 10, 7 of 8, 5 of 6, 3 of 4."""
    expected = 100 * (9 / 10 * 7 / 8 * 5 / 6 * 3 / 4) ** (1 / 4)
    found = bleu(["a b c d e", "f g h i x"], ["a b c d e", "f g h i j"])
    assert found == pytest.approx(expected)


def test_cased_and_split_at_punctuation() -> None:
    assert bleu(["ein altes Haus , das steht"], ["ein altes Haus, das steht"]) == pytest.approx(100)
    assert bleu(["Ein altes Haus, das steht"], ["ein altes Haus, das steht"]) < 90


@pytest.mark.parametrize(("hypotheses", "references"), [([], []), (["a"], ["a", "b"]), ([], ["a"])])
def test_lists_that_do_not_fit(hypotheses: list[str], references: list[str]) -> None:
    message = f"must be as many, and at least one, got {len(hypotheses)} and {len(references)}"
    with pytest.raises(ValueError, match=message):
        bleu(hypotheses, references)
