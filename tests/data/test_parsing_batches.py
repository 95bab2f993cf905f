"""Batches of trees: what seed and epoch alone decide, and what is dropped or put in."""

import itertools
from typing import Any

import numpy as np
import pytest

from kblocks import tokens
from kblocks.data import (
    Batches,
    Substitution,
    Tree,
    bracket_string,
    leaves,
    linearise,
    parse_tree,
    parsing_batches,
    tree_of,
)
from kblocks.text import BracketVocabulary, WordsOrEndings

NOUNS, VERBS = ["dog", "cat", "mouse", "milk"], ["sees", "eats", "likes"]


def grown(count: int, seed: int = 0) -> list[Tree]:
    """Who does what to whom, some in a longer way."""
    rng = np.random.default_rng(seed)

    def phrase() -> str:
        noun = f"(NP (DT the) (NN {rng.choice(NOUNS)}))"
        return f"(NP {noun} (PP (IN of) {phrase()}))" if rng.random() < 0.3 else noun

    made = [f"(S {phrase()} (VP (VBZ {rng.choice(VERBS)}) {phrase()}) (. .))" for _ in range(count)]
    return [parse_tree(text) for text in made]


TREES = grown(50)
WORDS = WordsOrEndings.count([str(leaf.word) for tree in TREES for leaf in leaves(tree)])
BRACKETS = BracketVocabulary.count(linearise(tree, tags=True) for tree in TREES)


def batches_of(trees: list[Tree] = TREES, **changes: Any) -> Batches:
    return parsing_batches(trees, WORDS, BRACKETS, **{"batch_size": 8, "seed": 3, **changes})


def taken(batches: Batches, epochs: int = 1) -> list[tuple[np.ndarray, ...]]:
    rows = itertools.islice(batches.dataset.as_numpy_iterator(), epochs * batches.steps)
    return [(inputs["source"], inputs["target"], labels) for inputs, labels in rows]


def rows(batches: list[tuple[np.ndarray, ...]]) -> list[tuple[tuple[int, ...], ...]]:
    return [
        tuple(tuple(int(y) for y in ids if y != tokens.PADDING) for ids in row)
        for batch in batches
        for row in zip(*batch, strict=True)
    ]


def test_a_row_is_a_tree() -> None:
    batches = batches_of(shuffle=False)
    found = rows(taken(batches))
    assert (batches.steps, batches.left_out, len(found)) == (7, 0, 50)
    for tree, (source, target, labels) in zip(TREES, found, strict=True):
        words = [str(leaf.word) for leaf in leaves(tree)]
        assert [*source] == [*WORDS.ids(words).numpy(), tokens.END]
        assert target == (tokens.START, *labels[:-1])
        assert labels[-1] == tokens.END
        assert tree_of(BRACKETS.tokens(labels), words) == tree


def test_each_tree_once_an_epoch_in_an_order_of_its_own() -> None:
    batches = batches_of()
    both = rows(taken(batches, 2))
    one, two = both[:50], both[50:]
    assert one != two
    assert sorted(one) == sorted(two) == sorted(rows(taken(batches_of(shuffle=False))))
    for source, _, _ in taken(batches):
        lengths = (source != tokens.PADDING).sum(axis=1)
        assert np.ptp(lengths) <= 12


def test_an_epoch_depends_on_seed_and_number_alone() -> None:
    changes = {"word_dropout": 1.0, "substitution": 0.5}
    both = taken(batches_of(**changes), 2)
    again = taken(batches_of(**changes, first_epoch=1))
    for a, b in zip(both[7:], again, strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y)
    assert rows(again) != rows(taken(batches_of(**changes, first_epoch=1, seed=4)))


def test_full_batches_leave_out_other_trees_each_time() -> None:
    batches = batches_of(drop_remainder=True)
    found = taken(batches, 2)
    assert batches.steps == 6
    assert {len(source) for source, _, _ in found} == {8}
    assert sorted(rows(found[:6])) != sorted(rows(found[6:]))


def test_rare_words_are_dropped_more_often() -> None:
    trees = [parse_tree("(S (A the) (B dog))")] * 99 + [parse_tree("(S (A the) (B sees))")]
    found = rows(taken(batches_of(trees, word_dropout=100.0, batch_size=100), 20))
    the, dog, sees = (WORDS.words.ids([w])[0] + 2 for w in ("the", "dog", "sees"))
    sources = [source for source, _, _ in found]
    is_sees = np.array([WORDS.ending_ids(["sees"]).numpy()[0] in s or sees in s for s in sources])
    kept_sees = np.mean([sees in s for s, is_it in zip(sources, is_sees, strict=True) if is_it])
    kept_dog = np.mean([dog in s for s, is_it in zip(sources, is_sees, strict=True) if not is_it])
    assert kept_sees < 0.2  # 1 / 101
    assert abs(kept_dog - 99 / 199) < 0.05
    assert abs(np.mean([the in s for s in sources]) - 0.5) < 0.05


def test_labels_that_the_vocabulary_lacks_are_unknown() -> None:
    tree = parse_tree("(FRAG (NP (UH dog)))")
    [(_, _, labels)] = rows(taken(batches_of([tree])))
    assert labels[0] == labels[2] == tokens.UNKNOWN


def test_too_long_trees_are_left_out_and_none_is_made() -> None:
    lengths = [len(leaves(tree)) for tree in TREES]
    batches = batches_of(max_words=9, substitution=1.0)
    found = rows(taken(batches, 3))
    assert batches.left_out == sum(length > 9 for length in lengths) > 0
    assert max(len(source) for source, _, _ in found) == 10


def test_a_subtree_gives_way_to_one_of_its_kind() -> None:
    rng, substitution = np.random.default_rng(0), Substitution(TREES)
    phrases = {bracket_string(child) for tree in TREES for child in (tree.children[0],)}
    before = TREES[0]
    made = [substitution(before, rng) for _ in range(60)]
    for tree in made:
        same = [a is b for a, b in zip(tree.children, before.children, strict=True)]
        assert sum(same) >= 2  # but for one child of the root all stays
        assert bracket_string(tree.children[0]) in phrases or not same[0]
        assert [child.label for child in tree.children] == ["NP", "VP", "."]
    assert len({bracket_string(tree) for tree in made}) > 20
    lone = parse_tree("(X (NN dog))")
    assert substitution(lone, rng) is lone


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 0}, "`batch_size` must be a positive integer, got 0"),
        ({"word_dropout": -1.0}, r"`word_dropout` must not be negative, got -1\.0"),
        ({"substitution": 1.5}, r"`substitution` must be from 0 to 1, got 1\.5"),
        ({"max_words": 2}, "None of the 50 trees has at most 2 words"),
        ({"batch_size": 60, "drop_remainder": True}, "The 50 trees do not fill a batch of 60"),
    ],
)
def test_wrong_arguments(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        batches_of(**changes)
