"""Labelled brackets of constituency trees, by EVALB's rules with the parameters COLLINS.prm.

Black et al. 1991 (H91-1060); Collins 1997 (arXiv:cmp-lg/9706022); EVALB by Sekine and Collins,
https://nlp.cs.nyu.edu/evalb. A bracket is (label, first word, behind its last word):

- the words whose part of speech is `,` `:` ` `` ` `''` `.` or `-NONE-` are taken out first, and
  then the brackets that hold no word;
- a label ends before its first `-` or `=`; ADVP and PRT are the same; TOP is not counted;
- parts of speech are no brackets; a bracket that stands n times counts n times.

Over all sentences, precision = matched / predicted, recall = matched / gold, and F1 is their
harmonic mean.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kblocks.data.trees import Tree

_DELETED = {",", ":", "``", "''", ".", "-NONE-"}
_EQUAL = {"PRT": "ADVP"}
_NOT_COUNTED = {"TOP"}

Brackets = Counter[tuple[str, int, int]]


class BracketScores(NamedTuple):
    """What `bracket_f1` measures; the first four from 0 to 100.

    Attributes:
        precision: The share of the predicted brackets that are right.
        recall: The share of the gold brackets that were found.
        f1: Their harmonic mean.
        complete: The share of the sentences whose brackets are all right and all found.
        matched: How many brackets are right.
        predicted: How many were predicted.
        gold: How many there are.
        sentences: How many were counted: those with a word that is not taken out.
    """

    precision: float
    recall: float
    f1: float
    complete: float
    matched: int
    predicted: int
    gold: int
    sentences: int


def bracket_f1(predicted: Sequence["Tree"], gold: Sequence["Tree"]) -> BracketScores:
    """Score predicted constituency trees, as EVALB does with COLLINS.prm.

    Which words are taken out is decided by the parts of speech of the gold tree alone, so those of
    the predicted one play no part; EVALB gives the same where both have them alike.

    Args:
        predicted: The trees to be scored.
        gold: As many trees, over the same words.

    Returns:
        `BracketScores`, over the whole corpus.

    Raises:
        ValueError: There are not as many trees of both, none at all, or two trees have different
            words (names them by their place, from 0).

    Example:

    >>> from kblocks.data import parse_tree
    >>> from kblocks.metrics import bracket_f1
    >>> gold = parse_tree("(S (NP (NNS Dogs)) (VP (VBP bark) (ADVP (RB loudly))) (. .))")
    >>> tree = parse_tree("(S (NP (NNS Dogs)) (VP (VBP bark)) (PRT (RP loudly)) (. .))")
    >>> scores = bracket_f1([tree], [gold])
    >>> scores.matched, scores.predicted, scores.gold, scores.f1
    (3, 4, 4, 75.0)
    """
    if len(predicted) != len(gold) or not gold:
        raise ValueError(
            "`predicted` and `gold` must be as many, and at least one, got "
            f"{len(predicted)} and {len(gold)}."
        )
    matched = of_predicted = of_gold = complete = sentences = 0
    for place, (guess, truth) in enumerate(zip(predicted, gold, strict=True)):
        guessed, true = _leaves(guess), _leaves(truth)
        if [leaf.word for leaf in guessed] != [leaf.word for leaf in true]:
            raise ValueError(
                f"tree {place}: `predicted` has the words {_shown(guessed)}, and `gold` has "
                f"{_shown(true)}."
            )
        counted = [leaf.label not in _DELETED for leaf in true]
        if not any(counted):
            continue
        found, expected = _brackets(guess, counted), _brackets(truth, counted)
        right = (found & expected).total()
        matched += right
        of_predicted += found.total()
        of_gold += expected.total()
        complete += right == found.total() == expected.total()
        sentences += 1
    both = of_predicted + of_gold
    return BracketScores(
        precision=_percent(matched, of_predicted),
        recall=_percent(matched, of_gold),
        f1=_percent(2 * matched, both),  # 2PR / (P + R)
        complete=_percent(complete, sentences),
        matched=matched,
        predicted=of_predicted,
        gold=of_gold,
        sentences=sentences,
    )


def _percent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 0.0


def _brackets(tree: "Tree", counted: Sequence[bool]) -> Brackets:
    """The brackets of a tree over the words that count."""
    found: Brackets = Counter()
    leaf = words = 0
    waiting: list[tuple[Tree, int | None]] = [(tree, None)]  # its first word, once it is open
    while waiting:
        node, first = waiting.pop()
        if not node.children:
            words += counted[leaf]
            leaf += 1
        elif first is None:
            waiting.append((node, words))
            waiting.extend((child, None) for child in reversed(node.children))
        elif words > first:
            label = re.split("[-=]", node.label or "")[0]
            if label not in _NOT_COUNTED:
                found[_EQUAL.get(label, label), first, words] += 1
    return found


def _leaves(tree: "Tree") -> list["Tree"]:
    """As `kblocks.data.leaves`; this room does without TensorFlow."""
    found, waiting = [], [tree]
    while waiting:
        node = waiting.pop()
        waiting.extend(reversed(node.children))
        if not node.children:
            found.append(node)
    return found


def _shown(leaves: Sequence["Tree"]) -> str:
    text = " ".join(str(leaf.word) for leaf in leaves)
    return repr(text if len(text) <= 60 else text[:56] + " ...")
