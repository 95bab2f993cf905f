"""Rules as the paper takes them apart, probabilities counted by hand, and the best of all trees."""

import random
from collections import Counter
from math import exp, log

import numpy as np
import pytest

from kblocks.data import leaves, parse_tree, read_constituency
from kblocks.metrics import bracket_f1
from kblocks.parsing import PCFG, right_branching
from kblocks.parsing.binarise import ROOT, Rule, Symbol, rules_of
from kblocks.parsing.cky import cky
from kblocks.parsing.grammar import Grammar
from kblocks.parsing.lexicon import Lexicon, looks
from tests.data.shared_data import ROOT as DATA
from tests.data.shared_data import needs
from tests.reference.parsing import Rules, best_log_p

pytestmark = pytest.mark.slow

TREE = parse_tree("(S (NP (DT a) (JJ b) (JJ c) (NN d)) (VP (VP (VB e))))")
TREES = [
    parse_tree(text)
    for text in (
        "(S (NP (DT the) (NN dog)) (VP (VBZ sees) (NP (DT a) (NN cat))))",
        "(S (NP (NNP Kim)) (VP (VBZ sees) (NP (NP (DT a) (NN dog)) (PP (IN in) (NP (NN wool))))))",
        "(S (NP (DT a) (NN cat)) (VP (VBZ sees) (NP (NNP Kim)) (PP (IN in) (NP (DT a) (NN dog)))))",
        "(NP (DT the) (JJ old) (NN cat))",
    )
]  # fmt: skip


def shown(tree_rules: list[Rule]) -> list[str]:
    return [f"{a.name} -> {' '.join(child.name for child in b)}" for a, b in tree_rules]


@pytest.mark.parametrize(
    ("horizontal", "vertical", "expected"),
    [
        (0, 1, "ROOT -> S; S -> NP VP; NP -> DT @NP|; @NP| -> JJ @NP|; @NP| -> JJ NN; "
               "VP -> VP; VP -> VB"),
        (1, 2, "ROOT -> S; S -> NP^S VP^S; NP^S -> DT @NP^S|DT; @NP^S|DT -> JJ @NP^S|JJ; "
               "@NP^S|JJ -> JJ NN; VP^S -> VP^VP; VP^VP -> VB"),
        (2, 3, "ROOT -> S; S -> NP^S VP^S; NP^S -> DT @NP^S|DT; @NP^S|DT -> JJ @NP^S|DT_JJ; "
               "@NP^S|DT_JJ -> JJ NN; VP^S -> VP^VP^S; VP^VP^S -> VB"),
    ],
)  # fmt: skip
def test_rules_of_a_tree(horizontal: int, vertical: int, expected: str) -> None:
    found = list(rules_of(TREE, horizontal, vertical))
    assert sorted(shown(found)) == sorted(expected.split("; "))
    labels = [parent.label for parent, _ in found if parent.label is not None]
    assert Counter(labels) == {"S": 1, "NP": 1, "VP": 2}
    assert {child.name for _, b in found for child in b if child.is_tag} == {"DT", "JJ", "NN", "VB"}


def test_a_tag_is_another_symbol_than_a_label_of_its_name() -> None:
    found = list(rules_of(parse_tree("(X (X a))"), 1, 1))
    assert found[1] == (Symbol("X", "X"), (Symbol("X", None, True),))
    assert len(Grammar(found).symbols) == 3


def test_probabilities_counted_by_hand() -> None:
    """Of the 10 brackets NP in TREES, 5 are DT NN, 2 NNP, 1 NN, 1 NP PP and 1 DT JJ NN.

    From ROOT three trees begin with S and one with NP, so NP comes with p(NP | ROOT) = 1 / 4; and
    a chain ROOT -> S there is with 3 / 4.
    """
    grammar = Grammar(rule for tree in TREES for rule in rules_of(tree, 1, 1))
    name = [symbol.name for symbol in grammar.symbols]
    p = {
        (name[a], name[grammar.left[pair]], name[grammar.right[pair]]): exp(log_p)
        for a, pair, log_p in zip(grammar.parents, grammar.pairs, grammar.log_p, strict=True)
    }
    of_np = {(b, c): value for (a, b, c), value in p.items() if a == "NP"}
    assert of_np == pytest.approx(
        {("DT", "NN"): 5 / 10, ("NP", "PP"): 1 / 10, ("DT", "@NP|DT"): 1 / 10}
    )
    assert p["@NP|DT", "JJ", "NN"] == pytest.approx(1.0)
    assert p["VP", "VBZ", "NP"] == pytest.approx(2 / 3)
    chains = {
        (name[a], name[b]): exp(log_p)
        for a, b, log_p in zip(grammar.tops, grammar.bottoms, grammar.chain_log_p, strict=True)
    }
    assert chains == pytest.approx(
        {
            ("ROOT", "S"): 3 / 4,
            ("ROOT", "NP"): 1 / 4,
            ("NP", "NNP"): 2 / 10,
            ("NP", "NN"): 1 / 10,
            ("ROOT", "NNP"): 1 / 4 * 2 / 10,  # by way of NP
            ("ROOT", "NN"): 1 / 4 * 1 / 10,
        }
    )
    number = {symbol: place for place, symbol in enumerate(name)}
    assert grammar.between(grammar.root, number["NNP"]) == [number["NP"]]
    assert grammar.between(grammar.root, number["NP"]) == []


def random_grammar(seed: int) -> tuple[Rules, list[Rule], list[dict[str, float]]]:
    """Rules over five symbols and three tags, chains and loops among them, and a sentence.

    The rules come with their probabilities, and each as often as it was counted.
    """
    rng = random.Random(seed)
    inner, tags = ["ROOT", "A", "B", "C", "D"], ["x", "y", "z"]
    counts: Counter[tuple[str, tuple[str, ...]]] = Counter()
    for parent in inner:
        for _ in range(4):
            size = rng.choice([1, 2, 2])
            children = tuple(rng.choice(inner[1:] + tags) for _ in range(size))
            counts[parent, children] += rng.randint(1, 9)
    totals = {a: sum(c for (b, _), c in counts.items() if a == b) for a in inner}
    rules = [(a, b, c / totals[a]) for (a, b), c in counts.items()]
    counted = [(symbol_of(a), tuple(map(symbol_of, b))) for a, b in counts.elements()]
    words = [
        {tag: rng.random() for tag in rng.sample(tags, rng.randint(1, 2))}
        for _ in range(rng.randint(1, 5))
    ]
    return rules, counted, words


def symbol_of(name: str) -> Symbol:
    if name == "ROOT":
        return ROOT
    return Symbol(name, is_tag=True) if name in "xyz" else Symbol(name, label=name)


@pytest.mark.parametrize("seed", range(40))
def test_the_best_derivation_is_the_best_of_all(seed: int) -> None:
    rules, counted, words = random_grammar(seed)
    grammar = Grammar(counted)
    number = {symbol.name: place for place, symbol in enumerate(grammar.symbols)}
    scores = np.full((len(words), len(number)), -np.inf)
    for place, word in enumerate(words):
        for tag in word.keys() & number.keys():
            scores[place, number[tag]] = log(word[tag])
    expected = best_log_p(rules, words, "ROOT")
    found = cky(grammar, scores)
    assert (found is None) == (expected == -np.inf)
    if found is not None:
        log_p, nodes = found
        assert log_p == pytest.approx(expected, rel=1e-5)
        assert derivation_log_p(nodes, grammar, rules, scores) == pytest.approx(log_p, rel=1e-5)


def test_most_of_those_sentences_have_derivations_and_some_have_none() -> None:
    found = [best_log_p(r, w, "ROOT") > -np.inf for r, _, w in map(random_grammar, range(40))]
    assert 20 < sum(found) < 40


def derivation_log_p(
    nodes: list[tuple[int, int, int]], grammar: Grammar, rules: Rules, scores: np.ndarray
) -> float:
    """log p of what `cky` returns, rule by rule; it must make a whole tree."""
    name = [symbol.name for symbol in grammar.symbols]
    p = {(a, b): value for a, b, value in rules}
    waiting = list(reversed(nodes))

    def read(begin: int, end: int) -> tuple[str, float]:
        symbol, first, last = waiting.pop()
        assert (first, last) == (begin, end)
        if grammar.symbols[symbol].is_tag:
            assert end == begin + 1
            return name[symbol], scores[begin, symbol]
        middle = waiting[-1][2]
        children = [read(begin, middle)]
        if middle < end:
            children.append(read(middle, end))
        rule = name[symbol], tuple(child for child, _ in children)
        return name[symbol], log(p[rule]) + sum(value for _, value in children)

    total = read(0, len(scores))[1]
    assert not waiting
    return total


def test_what_it_was_trained_on_it_knows() -> None:
    pcfg = PCFG(TREES, horizontal=2, vertical=2)
    for tree in TREES:
        assert pcfg.parse([leaf.word for leaf in leaves(tree)]) == tree


def test_a_sentence_without_a_tree() -> None:
    pcfg = PCFG([parse_tree("(S (NP (NN a)) (VP (VB b)))")])
    assert pcfg.parse(["a", "b"]) is not None
    assert pcfg.parse(["a"]) is None
    assert pcfg.parse(["a", "b", "a"]) is None
    without_pairs = PCFG([parse_tree("(S (NN a))")])
    assert without_pairs.parse(["b"]) == parse_tree("(S (NN b))")
    assert without_pairs.parse(["a", "a"]) is None


def test_words_counted_by_hand() -> None:
    """With M = 0.1 and K = 2 of the module; `sees` comes 6 times, too often to be a rare word.

    tags VB (6 of 9) and NN (3 of 9); the rare words are three NN, all of one shape:
    p(NN | any rare) = (3 + 2 * 3/9) / (3 + 2) = 11/15, then
    p(NN | shape) = (3 + 2 * 11/15) / 5 = 67/75, and `-at` (2 of them) changes it twice more.
    """
    lexicon = Lexicon([(["sees"] * 6, ["VB"] * 6), (["the", "cat", "rat"], ["NN"] * 3)])
    assert lexicon.tags == ["NN", "VB"]
    p = 67 / 75
    for rare in (2, 2):  # -t, -at
        p = (rare + 2 * p) / (rare + 2)
    unknown = lexicon.scores(["x", "bat"])[1]
    np.testing.assert_allclose(np.exp(unknown), [p / (3 / 9), (1 - p) / (6 / 9)], rtol=1e-5)
    q = (1 + 2 * p) / 3  # `cat` ends in -cat, once; and it comes once
    known = lexicon.scores(["x", "cat"])[1]
    q = (1 + 0.1 * q) / 1.1
    np.testing.assert_allclose(np.exp(known), [q / (3 / 9), (1 - q) / (6 / 9)], rtol=1e-5)
    first = lexicon.scores(["Cat", "Cat"])  # small it is known, where a sentence begins
    assert first[0, 0] > first[1, 0]


def test_what_words_look_like() -> None:
    assert looks("Running", first=True) == [
        (), ("first",), ("first", "g"), ("first", "ng"), ("first", "ing")
    ]  # fmt: skip
    shape = {word: looks(word, first=False)[1][0] for word in ("U.S.", "A", "B-2", "1,000", "x-y")}
    assert shape == {
        "U.S.": "capitals",
        "A": "capital",
        "B-2": "digits and letters-",
        "1,000": "digits",
        "x-y": "letters-",
    }
    assert looks("--", first=False) == [(), ("signs-",), ("signs-", "-"), ("signs-", "--")]


def test_right_branching() -> None:
    tree = right_branching(["a", "b", "c", "."], ["DT", "NN", "VB", "."], inner="X")
    assert tree == parse_tree("(S (DT a) (X (NN b) (X (VB c) (. .))))")
    assert right_branching(["a"]) == parse_tree("(S (XX a))")
    assert right_branching(["a", "b"]) == parse_tree("(S (XX a) (XX b))")


def test_wrong_arguments() -> None:
    for parse in (right_branching, PCFG(TREES).parse):
        with pytest.raises(ValueError, match="`words` must hold at least one word"):
            parse([])
    with pytest.raises(ValueError, match="`trees` must hold at least one tree"):
        PCFG([])
    with pytest.raises(ValueError, match="`horizontal` must not be negative, got -1"):
        PCFG(TREES, horizontal=-1)
    with pytest.raises(ValueError, match="`vertical` must be at least 1, got 0"):
        PCFG(TREES, vertical=0)


@pytest.mark.slow
@needs("treebank")
def test_on_the_treebank_it_is_far_over_right_branching() -> None:
    """An eighth of the trees is enough to see that; `results/` has the rest."""
    train = read_constituency(DATA / "treebank" / "train.mrg.gz")[::8]
    dev = read_constituency(DATA / "treebank" / "dev.mrg.gz")[:30]
    words = [[str(leaf.word) for leaf in leaves(tree)] for tree in dev]
    pcfg = PCFG(train)
    trees = [pcfg.parse(row) or right_branching(row) for row in words]
    baseline = bracket_f1([right_branching(row) for row in words], dev)
    assert 10 < baseline.f1 < 25
    assert bracket_f1(trees, dev).f1 > 60
