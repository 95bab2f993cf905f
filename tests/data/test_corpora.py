"""The splits: nothing held out stands in the training pairs, and they are always the same."""

import random

from kblocks.data import Splits, libreoffice_help, split_by_letters


def letters(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalpha())


def assert_no_leak(splits: Splits) -> None:
    seen = [{letters(pair[side]) for pair in splits.train} for side in (0, 1)]
    held_out = [*splits.validation, *splits.test]
    for side in (0, 1):
        assert not seen[side] & {letters(pair[side]) for pair in held_out}
    # Of pairs that agree on a side's letters only one is held out.
    for side in (0, 1):
        assert len({letters(pair[side]) for pair in held_out}) == len(held_out)


def test_pairs_that_agree_by_letters_stay_together() -> None:
    rng = random.Random(0)
    words = ["an", "be", "cu", "do", "el", "fi"]
    pairs = []
    for i in range(600):
        source, target = (" ".join(rng.choices(words, k=4)) for _ in "ab")
        # Numbers, quotation marks and case do not tell pairs apart.
        pairs.append((f"{source} {i}", f"“{target.upper()}”"))
    pairs += [("1", "2"), ("3", "4")]
    splits = split_by_letters(pairs, held_out=20)
    assert_no_leak(splits)
    assert len(splits.validation) > 5
    assert len(splits.test) > 5
    assert {*splits.train} | {*splits.validation} | {*splits.test} <= {*pairs}
    assert split_by_letters(pairs, held_out=20) == splits


def test_chains_of_pairs_are_one_group() -> None:
    """a-b, c-b, c-d: a and d share nothing, yet no split may come between them."""
    for i in range(200):
        name = "abcdefghij"[i // 20 % 10] + "klmnopqrst"[i % 10] * (1 + i // 100)
        a, b, c, d = (f"{name}{end}" for end in ("w", "x", "y", "z"))
        splits = split_by_letters([(a, b), (c, b), (c, d)], held_out=25)
        assert sorted(map(len, splits)) in ([0, 0, 1], [0, 0, 3])


def test_libreoffice_help() -> None:
    splits = libreoffice_help()
    assert_no_leak(splits)
    total = sum(map(len, splits))
    for held_out in (splits.validation, splits.test):
        assert 0.02 < len(held_out) / total < 0.05
    assert all(side.strip() == side != "" for split in splits for pair in split for side in pair)
    short = libreoffice_help(max_words=5)
    assert all(len(side.split()) <= 5 for split in short for pair in split for side in pair)
    assert 500 < sum(map(len, short)) < total
