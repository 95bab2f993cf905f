"""Any text has a tree over its words or, by rule, none; alone as in a batch."""

import numpy as np
import pytest

from kblocks.data import Tree, leaves, parse_tree, postorder
from kblocks.export import TextParser
from kblocks.models import BahdanauTranslator
from kblocks.text import BracketVocabulary
from tests.export.conftest import tiny_parser

pytestmark = pytest.mark.slow  # beam search is traced

TEXTS = {
    "empty": (b"", []),
    "white space": (b" \t\r\n\x0b\x0c ", []),
    "words": (b"the  dog\tis sailing .", ["the", "dog", "is", "sailing", "."]),
    "a bracket": (b"the ( dog )", ["the", "-LRB-", "dog", "-RRB-"]),
    "brackets in words": (b"a(b) {", ["a-LRB-b-RRB-", "-LCB-"]),
    "no UTF-8": (b"a \xff\xfe b\xc3", ["a", "\ufffd\ufffd", "b\ufffd"]),
    "not ASCII": ("größer\u00a0日本 🙂".encode(), ["größer\u00a0日本", "🙂"]),
    "controls": (b"a\x00b \x01", ["a\x00b", "\x01"]),
    "as long as may be": (b"x " * 9, ["x"] * 9),
    "longer": (b"x " * 10, []),
    "very long": (b"the dog " * 20_000, []),
    "one long word": (b"x" * 50_000, ["x" * 50_000]),
}


@pytest.fixture(scope="module", params=["tags", "no tags"])
def parsers(request: pytest.FixtureRequest, parser: TextParser) -> TextParser:
    return parser if request.param == "tags" else tiny_parser(beam_width=1, tags=False)


def words_of(tree: Tree) -> list[str]:
    return [str(leaf.word) for leaf in leaves(tree)]


def test_any_text_has_a_tree_over_its_words(parsers: TextParser) -> None:
    texts = [text for text, _ in TEXTS.values()]
    together = {name: x.numpy() for name, x in parsers.parse(texts).items()}
    for i, (text, words) in enumerate(TEXTS.values()):
        alone = {name: x.numpy()[0] for name, x in parsers.parse([text]).items()}
        assert together["tree"][i] == alone["tree"]
        np.testing.assert_allclose(together["score"][i], alone["score"], rtol=1e-4, atol=1e-5)
        for outputs in (alone["words"], together["words"][i]):
            assert [word.decode() for word in outputs if word] == words
        if not words:
            assert (alone["tree"], alone["score"]) == (b"", 0)
            continue
        tree = parse_tree(alone["tree"].decode())
        assert words_of(tree) == words
        labels = {node.label for node in postorder(tree) if node.children}
        assert labels <= {"S", "NP", "VP"}
        assert {leaf.label for leaf in leaves(tree)} <= {"DT", "NN", "größer", "XX"}
        assert np.isfinite(alone["score"])
        assert alone["score"] < 0
    assert len({*together["tree"]}) > 6


def test_a_list_of_any_length_is_parsed_in_its_order(parser: TextParser) -> None:
    texts = ["the dog is sailing", "", "dog", "the ( dog ) is größer", "the dog"]
    alone = [parser([text])[0] for text in texts]
    assert len({*alone}) == len(texts)
    assert parser(texts, batch_size=2) == alone
    assert [len(output) for output in parser.parse([]).values()] == [0] * 3


def test_a_recurrent_translator_parses_as_well(parser: TextParser) -> None:
    brackets = BracketVocabulary(["S", "NP"])
    model = BahdanauTranslator(parser.words.size, brackets.size, embedding_dim=4, units=4)
    [tree] = TextParser(model, parser.words, brackets, beam_width=2)(["the dog )"])
    assert words_of(parse_tree(tree)) == ["the", "dog", "-RRB-"]


def test_vocabularies_of_another_model_are_refused(parser: TextParser) -> None:
    with pytest.raises(ValueError, match="`brackets` must have 12 ids, got 7"):
        TextParser(parser.model, parser.words, BracketVocabulary(["S"]))
