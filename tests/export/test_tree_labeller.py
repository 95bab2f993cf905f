"""Strings in brackets: read in the graph as by hand, and labelled as the model labels the tree."""

import random
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf

from kblocks import data
from kblocks.export import TreeLabeller
from kblocks.export.tree_labeller import MAX_TOKENS
from kblocks.models import TreeLSTMClassifier
from kblocks.text import WordVocabulary
from tests.export.conftest import tiny_labeller

pytestmark = pytest.mark.slow

KINDS: dict[str, dict[str, Any]] = {"binary": {}, "child_sum": {"kind": "child_sum"}}


@pytest.fixture(scope="module", params=KINDS)
def either(request: pytest.FixtureRequest) -> TreeLabeller:
    return tiny_labeller(**KINDS[request.param])


def label(labeller: TreeLabeller, texts: Sequence[str | bytes]) -> dict[str, np.ndarray]:
    return {k: v.numpy() for k, v in labeller.label(tf.constant(texts, tf.string)).items()}


def rows(outputs: dict[str, np.ndarray], i: int) -> tuple[list[bytes], list[bytes], np.ndarray]:
    """The labels, words and probabilities of the nodes of a string, without the padding."""
    count = int((outputs["node_labels"][i] != b"").sum())
    assert (outputs["node_labels"][i, count:] == b"").all()
    assert (outputs["node_words"][i, count:] == b"").all()
    assert (outputs["probabilities"][i, count:] == 0).all()
    labels, words = (outputs[name][i, :count].tolist() for name in ("node_labels", "node_words"))
    return labels, words, outputs["probabilities"][i, :count]


# By hand: the grammar is  node = "(" [label] [word] node* ")",  the one text of a leaf its word.


class Node(NamedTuple):
    word: str
    children: list["Node"]


def read(text: str) -> Node | None:
    """The tree of a string, or `None` where it is none."""
    pieces = text.replace("(", " ( ").replace(")", " ) ").split(" ")
    waiting = [piece for piece in reversed(pieces) if piece]

    def node() -> Node | None:
        if not waiting or waiting.pop() != "(":
            return None
        texts: list[str] = []
        children: list[Node] = []
        while waiting and waiting[-1] not in "()":
            texts.append(waiting.pop())
        while waiting and waiting[-1] == "(":
            if (child := node()) is None:
                return None
            children.append(child)
        if not waiting or waiting.pop() != ")" or len(texts) > 2 or not (texts or children):
            return None
        has_word = len(texts) == 2 or (texts and not children)
        return Node(texts[-1] if has_word else "", children)

    found = node()
    return None if waiting else found


def preorder(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from preorder(child)


def written(node: Node, labels: Iterator[str]) -> str:
    parts = [next(labels), node.word, *(written(child, labels) for child in node.children)]
    return f"({' '.join(part for part in parts if part)})"


def by_the_model(labeller: TreeLabeller, node: Node) -> np.ndarray:
    """The probabilities in pre-order, of the arrays that `kblocks.data` makes of the tree."""

    def tree(node: Node) -> data.Tree:
        return data.Tree(None, node.word or None, tuple(tree(child) for child in node.children))

    root, model = tree(node), labeller.model
    arrays = data.tree_arrays(root, VOCABULARY)
    slots = arrays.children.shape[1]
    children = np.pad(arrays.children, [(0, 0), (0, max(0, 2 - slots))], constant_values=-1)
    inputs = {"words": arrays.words, "children": children, "nodes": arrays.words >= 0}
    logits = model({name: array[None] for name, array in inputs.items()})[0]
    place = {id(node): number for number, node in enumerate(data.postorder(root))}
    waiting, order = [root], []
    while waiting:
        order.append(place[id(waiting[-1])])
        waiting.extend(reversed(waiting.pop().children))
    return tf.nn.softmax(logits).numpy()[order]


VOCABULARY = WordVocabulary(["film", "'s", "größer", "日本", "MAX", "3", "a"])


def strings(count: int, seed: int) -> list[str]:
    """Trees, and trees with a piece taken out, put in or moved: most of them are none any more."""
    rng = random.Random(seed)

    def node(depth: int) -> list[str]:
        texts = rng.sample([*VOCABULARY.words, "?"], rng.choice([0, 1, 1, 2]))
        many = rng.choice([0, 1, 2, 2, 3]) if depth < 4 else 0
        texts = texts or ([] if many else ["film"])
        return ["(", *texts, *(piece for _ in range(many) for piece in node(depth + 1)), ")"]

    found = []
    for _ in range(count):
        pieces = node(0)
        for _ in range(rng.choice([0, 0, 1, 2])):
            at = rng.randrange(len(pieces) + 1)
            pieces[at : at + rng.choice([0, 1])] = rng.choice([[], ["("], [")"], ["a"]])
        found.append(rng.choice([" ", "  "]).join(pieces))
    return found


def test_strings_are_read_as_by_hand(either: TreeLabeller) -> None:
    texts = strings(600, seed=1)
    outputs = label(either, texts)
    trees = [read(text) for text in texts]
    if either.model.kind == "nary":
        trees = [
            tree if tree and all(len(n.children) <= 2 for n in preorder(tree)) else None
            for tree in trees
        ]
    assert 100 < sum(tree is not None for tree in trees) < 450
    seen = set()
    for i, (text, tree) in enumerate(zip(texts, trees, strict=True)):
        labels, words, probabilities = rows(outputs, i)
        expected = [node.word.encode() for node in preorder(tree)] if tree else []
        assert words == expected, text
        if tree is None:
            assert outputs["label"][i] == outputs["tree"][i] == b""
            continue
        names = [either.classes[k].encode() for k in probabilities.argmax(-1)]
        assert labels == names
        assert outputs["label"][i] == labels[0]
        assert outputs["tree"][i].decode() == written(tree, (name.decode() for name in labels))
        seen.update(labels)
        if i % 6 == 0:
            np.testing.assert_allclose(probabilities, by_the_model(either, tree), atol=1e-5)
    assert len(seen) == 3

    again = label(either, outputs["tree"].tolist())  # labels are passed over
    for i in range(len(texts)):
        assert again["tree"][i] == outputs["tree"][i]
        np.testing.assert_allclose(rows(again, i)[2], rows(outputs, i)[2], atol=1e-5)


def test_batch_mates_change_nothing(labeller: TreeLabeller) -> None:
    good = ["(3 (2 größer) (1 (film) (a)))", "(film)"]
    bad = ["", "(", "((a)(b)(c))", ")(", "(" * 40 + "a" + ")" * 40, "( " * 9000]
    together = label(labeller, [bad[0], good[0], *bad[1:], good[1], bad[2]])
    for i, text in ((1, good[0]), (7, good[1])):
        labels, words, probabilities = rows(together, i)
        alone = rows(label(labeller, [text]), 0)
        assert (labels, words) == alone[:2]
        np.testing.assert_allclose(probabilities, alone[2], atol=1e-6)


ODD: list[tuple[str | bytes, list | None]] = [
    ("", None),
    ("   ", None),
    ("(", None),
    (")", None),
    ("()", None),
    (")(", None),
    ("a", None),
    ("a (a)", None),
    ("(a) a", None),
    ("(a) (a)", None),
    ("((a) a)", None),
    ("(a b c)", None),
    ("((a)(b)(c))", None),  # the model is binary
    ("((a)(b)", None),
    ("(a)", ["a"]),
    ("(2 a)", ["a"]),
    ("((a))", ["", "a"]),
    ("((a)(film))", ["", "a", "film"]),
    ("(4 MAX (a) (film))", ["MAX", "a", "film"]),
    ("\t(\n2\r\n(1\x0ba)\x0c(film))  \n", ["", "a", "film"]),
    ("(a\u00a0b)", ["a\u00a0b"]),
    (b"(2 (\xff\xfe) (\xc3))", [b"", b"\xff\xfe", b"\xc3"]),
    (b"\xff", None),
]


def test_odd_strings(labeller: TreeLabeller) -> None:
    outputs = label(labeller, [text for text, _ in ODD])
    for i, (text, words) in enumerate(ODD):
        found = rows(outputs, i)
        expected = [word if isinstance(word, bytes) else word.encode() for word in words or []]
        assert found[1] == expected, text
        np.testing.assert_allclose(found[2].sum(-1), np.ones(len(expected)), atol=1e-5)
        assert (outputs["label"][i] == b"") == (outputs["tree"][i] == b"") == (words is None)


def test_an_empty_batch(labeller: TreeLabeller) -> None:
    outputs = label(labeller, [])
    assert {name: (len(value), value.ndim) for name, value in outputs.items()} == {
        "label": (0, 1),
        "tree": (0, 1),
        "node_labels": (0, 2),
        "node_words": (0, 2),
        "probabilities": (0, 3),
    }


def test_two_thousand_levels(labeller: TreeLabeller) -> None:
    depth = 2000
    outputs = label(labeller, ["(" * depth + "film" + ")" * depth, "(film)"])
    labels, words, probabilities = rows(outputs, 0)
    assert words == [b""] * (depth - 1) + [b"film"]
    children = np.stack([np.arange(-1, depth - 1), np.full(depth, -1)], axis=-1)
    ids = np.zeros(depth, int)
    ids[0] = VOCABULARY.id("film")
    inputs = {"words": ids, "children": children, "nodes": np.ones(depth, bool)}
    logits = labeller.model({name: array[None] for name, array in inputs.items()})[0]
    np.testing.assert_allclose(probabilities[::-1], tf.nn.softmax(logits), atol=1e-5)
    assert outputs["tree"][0].count(b"(") == depth == len(labels)


def test_the_largest_string_and_one_too_large() -> None:
    labeller = tiny_labeller(kind="child_sum")
    leaves = (MAX_TOKENS - 2) // 3
    assert 3 * leaves + 2 == MAX_TOKENS
    wide = "(a)" * leaves
    outputs = label(labeller, [f"({wide})", f"(3 {wide})", "(a)"])
    assert [len(rows(outputs, i)[0]) for i in range(3)] == [leaves + 1, 0, 1]
    children = np.full((leaves + 1, leaves), -1)
    children[leaves] = np.arange(leaves)
    ids = VOCABULARY.ids(["a"] * leaves + [None])
    inputs = {"words": ids, "children": children, "nodes": np.ones(leaves + 1, bool)}
    logits = labeller.model({name: array[None] for name, array in inputs.items()})[0, -1]
    np.testing.assert_allclose(outputs["probabilities"][0, 0], tf.nn.softmax(logits), atol=1e-4)


@pytest.mark.parametrize("lowercase", [False, True])
def test_words_in_python_and_in_the_graph(lowercase: bool) -> None:
    """A word has the same id for both, whichever case it is in."""
    words = ["É", "é", "GRÖSSE", "größe", "STRAẞE", "ΟΔΌΣ", "οδός", "ÇA", "İZMIR", "Ǆ", "Ⅷ", "日本"]
    kept = dict.fromkeys(word.lower() if lowercase else word for word in words)
    vocabulary = WordVocabulary(kept, lowercase)
    model = TreeLSTMClassifier(vocabulary.size, 2, units=2, embedding=vocabulary.size)
    model.build()
    labeller = TreeLabeller(model, vocabulary, ["no", "yes"])
    model_call = model.call
    seen = tf.Variable([[0]], shape=[None, None], dtype="int32")

    def call(inputs: dict[str, Any], training: bool = False) -> Any:
        seen.assign(tf.cast(inputs["words"], "int32"))
        return model_call(inputs, training)

    model.call = call
    asked = [*words, "Größe", "straße", "Οδός", "ça", "unheard"]
    label(labeller, [f"({word})" for word in asked])
    ids = seen.numpy()[:, 0].tolist()
    assert ids == vocabulary.ids(asked).tolist()
    assert ids[-1] == 1
    assert (ids[0] == ids[1]) == lowercase
    assert (ids[-5] == ids[3]) == lowercase
    label(labeller, [b"(\xff\xfe)"])  # no UTF-8
    assert seen.numpy().tolist() == [[1]]


def test_wrong_arguments() -> None:
    model = TreeLSTMClassifier(VOCABULARY.size, 2, units=2, embedding=2)
    for classes, message in (
        (["a"], r"`classes` must be 2 names, got \['a'\]"),
        (["a", "very bad"], "without white space and brackets, got 'very bad'"),
        (["a", ""], "without white space and brackets, got ''"),
        (["a", "(b)"], r"without white space and brackets, got '\(b\)'"),
    ):
        with pytest.raises(ValueError, match=message):
            TreeLabeller(model, VOCABULARY, classes)
    with pytest.raises(ValueError, match="`vocabulary` must have 9 ids, got 3"):
        TreeLabeller(model, WordVocabulary(["a"]), ["a", "b"])
    keras.backend.clear_session()
