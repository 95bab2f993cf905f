"""Cleaned trees, nested shares of them, and trees as tokens: there and back."""

from pathlib import Path

import pytest

from kblocks.data import (
    Tree,
    bracket_string,
    clean_tree,
    leaves,
    linearise,
    parse_tree,
    postorder,
    read_constituency,
    read_trees,
    subset,
    tree_depth,
    tree_of,
)
from tests.data.shared_data import ROOT, needs


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        # From the guidelines of EVALB: what dominates nothing but traces goes with them.
        (
            "( (S (VP (VBD reported) (SBAR (-NONE- 0) (S (-NONE- *T*-1)))) (. .)) )",
            "(S (VP (VBD reported)) (. .))",
        ),
        ("(S (NP-SBJ-1 (NP-TMP=2 (NN x))) (X|Y (RB y)))", "(S (NP (NP (NN x))) (X|Y (RB y)))"),
        ("(PRN (-LRB- -LCB-) (NN x-1) (-RRB- -RRB-))",) * 2,
        ("(TOP (S1 (ROOT (S (NN x)))))", "(S (NN x))"),
        ("(TOP (S (NN x)) (S (NN y)))", "(TOP (S (NN x)) (S (NN y)))"),
        ("( (S (NN x)) (S (NN y)) )", "(TOP (S (NN x)) (S (NN y)))"),
        ("(ROOT (NP (-NONE- *)) (S (NN x)))", "(S (NN x))"),
        ("( (NN-1 x) )", "(TOP (NN x))"),
        ("(TOP (. ?))", "(TOP (. ?))"),
        ("(NP (PRP$ -NONE-) (= =))", "(NP (PRP$ -NONE-) (= =))"),
    ],
)  # fmt: skip
def test_cleaning(raw: str, clean: str) -> None:
    cleaned = clean_tree(parse_tree(raw))
    assert cleaned is not None
    assert bracket_string(cleaned) == clean
    assert clean_tree(cleaned) == cleaned


def test_a_tree_of_traces_is_none_and_a_file_leaves_it_out(tmp_path: Path) -> None:
    empty = "( (S (NP-SBJ (-NONE- *)) (VP (-NONE- *?*))) )"
    assert clean_tree(parse_tree(empty)) is None
    path = tmp_path / "x.mrg"
    path.write_text(f"{empty}\n(S-1 (NN x) (NP (-NONE- *)))\n")
    assert read_constituency(path) == [parse_tree("(S (NN x))")]
    path.write_text(empty)
    with pytest.raises(ValueError, match=r"x\.mrg: no tree of the file has a word"):
        read_constituency(path)


def test_shares_are_nested_and_in_order() -> None:
    items = [f"tree {i}" for i in range(1001)]
    quarter, half, all_ = (subset(items, share) for share in (0.25, 0.5, 1))
    assert [len(quarter), len(half)] == [250, 500]
    assert set(quarter) < set(half)
    assert all_ == items
    assert sorted(quarter, key=items.index) == quarter != items[:250]
    assert subset(items, 0.25, seed=1) != quarter == subset(items, 0.25)
    assert len(subset(items[:3], 0.01)) == 1
    for share in (0, -1, 1.1):
        with pytest.raises(ValueError, match="`share` must be over 0 and at most 1"):
            subset(items, share)


def test_the_example_of_the_paper() -> None:
    """Vinyals et al. 2015, figure 2: `John has a dog .`, with closing brackets without labels."""
    tree = parse_tree("(S (NP (NNP John)) (VP (VBZ has) (NP (DT a) (NN dog))) (. .))")
    tokens = linearise(tree)
    assert tokens == ["(S", "(NP", "XX", ")", "(VP", "XX", "(NP", "XX", "XX", ")", ")", "XX", ")"]
    words = ["John", "has", "a", "dog", "."]
    assert tree_of(tokens, words, ["NNP", "VBZ", "DT", "NN", "."]) == tree
    assert [leaf.label for leaf in leaves(tree_of(tokens, words))] == ["XX"] * 5


def test_with_parts_of_speech() -> None:
    tree = parse_tree("(S (NP (NNP John)) (VP (VBZ sleeps)) (. .))")
    tokens = linearise(tree, tags=True)
    assert " ".join(tokens) == "(S (NP XX/NNP ) (VP XX/VBZ ) XX/. )"
    words = ["John", "sleeps", "."]
    assert tree_of(tokens, words) == tree
    assert [leaf.label for leaf in leaves(tree_of(tokens, words, ["A", "B", "C"]))] == [*"ABC"]


def test_deeper_than_the_stack() -> None:
    tree = Tree("NN", "x")
    for _ in range(5_000):
        tree = Tree("NP", None, (tree,))
    assert tree_of(linearise(tree), ["x"], ["NN"]) == clean_tree(tree) == tree


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ("", "the 0 tokens end with 0 brackets open"),
        ("XX", "token 0: 'XX' stands outside of brackets"),
        ("(S XX ) )", r"token 3: '\)' stands behind the end of the tree"),
        ("(S XX ) (S", r"token 3: '\(S' stands behind the end"),
        (") (S XX )", r"token 0: '\)' stands outside of brackets"),
        ("(S (NP )", "token 2: the bracket of 'NP' closes empty"),
        ("(S XX XX XX )", "token 3: the sentence has only 2 words"),
        ("(S XX )", "the tree holds 1 of the 2 words"),
        ("(S (VP XX XX", "the 4 tokens end with 2 brackets open"),
        ("(S ( XX )", r"token 1: expected `\(LABEL`, `XX` or `\)`, got '\('"),
        ("(S <unk> )", "token 1: expected .* got '<unk>'"),
    ],
)
def test_tokens_that_are_no_tree(tokens: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tree_of(tokens.split(), ["x", "y"])


def test_trees_that_are_no_tokens() -> None:
    with pytest.raises(ValueError, match="The tree is a lone word"):
        linearise(Tree("NN", "x"))
    with pytest.raises(ValueError, match="has no label"):
        linearise(Tree(None, None, (Tree("NN", "x"),)))
    with pytest.raises(ValueError, match="`tags` must be one for each of the 1 words, got 2"):
        tree_of(["(S", "XX", ")"], ["x"], ["NN", "NN"])


@pytest.mark.slow
@needs("treebank")
def test_every_tree_of_the_treebank_there_and_back() -> None:
    for name, number in (("train", 3500), ("dev", 200)):
        path = ROOT / "treebank" / f"{name}.mrg.gz"
        trees, raw = read_constituency(path), read_trees(path)
        assert len(trees) == number
        for tree, before in zip(trees, raw, strict=True):
            words = [leaf.word for leaf in leaves(before) if leaf.label != "-NONE-"]
            assert [leaf.word for leaf in leaves(tree)] == words
            assert tree_of(linearise(tree), words, [leaf.label for leaf in leaves(tree)]) == tree
            assert tree_of(linearise(tree, tags=True), words) == tree
            labels = {node.label for node in postorder(tree) if node.children}
            assert not any(set("-=0123456789") & set(label) for label in labels)
            assert "TOP" not in labels or name == "train"
    assert max(map(tree_depth, trees)) == 24  # of dev, with the words
