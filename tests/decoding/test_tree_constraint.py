"""Any model's result is a tree over the words of its source, and any such tree can be one."""

import itertools
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from kblocks import tokens
from kblocks.data import linearise, tree_of
from kblocks.decoding import Decodable, Decoded, TreeConstraint, beam_search, greedy, sample
from kblocks.text import BracketVocabulary
from tests.decoding.toy import hypothesis
from tests.reference import decoding as reference

pytestmark = pytest.mark.slow

on_every_backend = pytest.mark.contract
on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="tf.function is TensorFlow's"
)

VOCABULARY = BracketVocabulary(["NP", "VP", "S"])
CONSTRAINT = TreeConstraint(VOCABULARY.size, VOCABULARY.word, VOCABULARY.close)
LONGEST = 40
# One sentence of each length; padding, start and end are no words, unknown ones are.
SOURCES = np.array([[1 + 8 * (j % 2)] * n + [0] * (LONGEST - n) for j, n in enumerate(range(41))])


class Random(Decodable):
    """Logits that depend on the position and the last token alone; it looks at all words alike."""

    def __init__(self, length: int, seed: int = 0, scale: float = 1.0, likes: Any = ()) -> None:
        rng = np.random.default_rng(seed)
        self.table = scale * rng.normal(size=(length, VOCABULARY.size, VOCABULARY.size))
        self.table[..., list(likes)] += 30.0
        self._table = ops.convert_to_tensor(
            self.table.reshape(-1, VOCABULARY.size).astype("float32")
        )

    def start(self, source: Any, length: int) -> tuple[Any, Any]:
        source = ops.cast(source, "int32")
        return ops.ones_like(source), ops.zeros_like(source[:, 0])

    def step(self, tokens: Any, carry: Any, memory: Any) -> tuple[Any, Any, Any]:
        logits = ops.take(self._table, carry * VOCABULARY.size + tokens, axis=0)
        return logits, carry + 1, ops.cast(memory, "float32")


def numpy(decoded: Decoded) -> Decoded:
    return Decoded(*(ops.convert_to_numpy(x) for x in decoded))


def assert_tree(ids: np.ndarray, words: int) -> list[str]:
    """The tokens of a hypothesis, which must be a whole tree, ended in time."""
    ids = ids[ids != tokens.PADDING]
    assert ids[-1] == tokens.END
    produced = VOCABULARY.tokens(ids[:-1])
    assert len(produced) == len(ids) - 1  # nothing ends it before
    assert linearise(tree_of(produced, [f"word {i}" for i in range(words)])) == produced
    return produced


@on_every_backend
@pytest.mark.parametrize(
    ("length", "scale", "likes"),
    [
        (LONGEST + 3, 8.0, ()),
        (LONGEST + 5, 1.0, range(6, VOCABULARY.size)),  # it would open brackets for ever,
        # or close them, end at once, or say nothing
        (LONGEST + 3, 1.0, [VOCABULARY.close, *range(tokens.END + 1)]),
        pytest.param(3 * LONGEST + 8, 1.0, (), marks=pytest.mark.full),
    ],
)
def test_random_logits_give_trees(length: int, scale: float, likes: Any) -> None:
    model = Random(length, seed=length, scale=scale, likes=likes)
    for decoded in (
        numpy(greedy(model, SOURCES, length, CONSTRAINT)),
        numpy(beam_search(model, SOURCES, length, 4, constraint=CONSTRAINT)),
    ):
        for n, (hypotheses, scores) in enumerate(zip(decoded.tokens, decoded.scores, strict=True)):
            if n == 0:  # no word, no tree
                assert hypothesis(hypotheses[0]) == (tokens.END,)
                continue
            # Without room for a second bracket there are three trees, one for each label.
            possible = hypotheses if length >= n + 5 else hypotheses[:3]
            for ids in possible:
                assert_tree(ids, n)
            assert len({tuple(ids) for ids in possible}) == len(possible)
            assert ((scores > -1e6) == hypotheses.any(axis=1)).all()
            assert not hypotheses[len(possible) :].any()


def opened(produced: tuple[str, ...]) -> int:
    """The most brackets that open in a row."""
    runs = itertools.groupby(token.startswith("(") for token in produced)
    return max((len(list(run)) for opens, run in runs if opens), default=0)


@pytest.mark.parametrize(
    ("words", "max_length", "max_opens"), [(1, 9, 8), (1, 9, 2), (2, 10, 3), (3, 9, 1), (3, 6, 8)]
)
def test_exactly_the_trees_are_allowed(words: int, max_length: int, max_opens: int) -> None:
    """All sequences of `(S`, `XX` and `)` that are trees: no more come through, and no fewer."""
    symbols = {6: "(S", 4: "XX", 5: ")"}
    expected = set()
    for length in range(max_length):  # and the end
        for ids in itertools.product(symbols, repeat=length):
            produced = tuple(symbols[id] for id in ids)
            try:
                tree_of(produced, ["x"] * words)
            except ValueError:
                continue
            if opened(produced) <= max_opens:
                expected.add(produced)

    constraint = TreeConstraint(7, 4, 5, max_opens=max_opens)
    state = constraint.start(ops.full((1, words), 9, "int32"), max_length)
    prefixes: list[tuple[str, ...]] = [()]
    found = set()
    for _ in range(max_length):
        allowed = ops.convert_to_numpy(constraint.allowed(state))
        assert allowed.any(axis=1).all()  # none is stuck
        ended = allowed[:, tokens.END]
        assert (allowed[ended].sum(axis=1) == 1).all()
        found |= {prefix for prefix, end in zip(prefixes, ended, strict=True) if end}
        rows, chosen = np.nonzero(allowed & ~ended[:, None])
        prefixes = [
            (*prefixes[row], symbols[id]) for row, id in zip(rows, chosen.tolist(), strict=True)
        ]
        if not prefixes:
            break
        state = {name: ops.take(x, rows, axis=0) for name, x in state.items()}
        state = constraint.advance(state, ops.convert_to_tensor(chosen.astype("int32")))
    assert found == expected
    assert found


@on_every_backend
@pytest.mark.parametrize(("width", "alpha"), [(1, 0.0), (3, 0.0), (4, 1.0)])
def test_the_beam_equals_the_reference(width: int, alpha: float) -> None:
    """Over the tokens that may follow, found by the rules of trees alone."""
    length = 13
    model = Random(length, seed=3, scale=2.0)
    sources = SOURCES[1:4, :5]
    decoded = numpy(beam_search(model, sources, length, width, alpha, CONSTRAINT))
    for row, words in enumerate((1, 2, 3)):

        def next_log_p(prefix: tuple[int, ...], words: int = words) -> np.ndarray:
            logits = model.table[len(prefix), prefix[-1] if prefix else tokens.START].copy()
            said = VOCABULARY.tokens(prefix)
            depth = sum(t[0] == "(" for t in said) - said.count(")")
            left = words - said.count("XX")
            may = np.zeros(len(logits), bool)
            room = length - len(prefix) - 1  # tokens behind the next one
            if not depth and not left:
                may[tokens.END] = True
            elif not said:
                may[6:] = True
            else:
                may[4] = left > 0
                may[5] = said[-1][0] != "(" and (depth > 1 or not left)
                may[6:] = left > 0 and room >= left + depth + 1 + 1
            logits[~may] = -np.inf
            return logits - np.log(np.exp(logits).sum())

        expected = reference.beam_search(next_log_p, width, length, alpha)
        assert [hypothesis(ids) for ids in decoded.tokens[row]] == [ids for _, ids in expected]
        np.testing.assert_allclose(decoded.scores[row], [s for s, _ in expected], rtol=1e-4)


@on_every_backend
def test_a_beam_wider_than_there_are_trees() -> None:
    """Over one word, and one bracket at a time, there are three trees: one for each label."""
    model = Random(10, seed=5)
    constraint = TreeConstraint(VOCABULARY.size, 4, 5, max_opens=1)
    decoded = numpy(beam_search(model, SOURCES[1:2, :4], 10, 5, 1.0, constraint))
    trees = {tuple(assert_tree(ids, 1)) for ids in decoded.tokens[0, :3]}
    assert trees == {(label, "XX", ")") for label in ("(NP", "(VP", "(S")}
    assert (decoded.tokens[0, 3:] == tokens.PADDING).all()
    np.testing.assert_array_equal(decoded.scores[0, 3:], -1e9)
    assert not decoded.alignment[0, 3:].any()
    assert decoded.alignment[0, :3].any()


@on_tensorflow
@pytest.mark.parametrize(("width", "xla"), [(0, False), (3, True)])
def test_one_graph_for_any_batch_and_any_source(width: int, xla: bool) -> None:
    import tensorflow as tf

    model, length = Random(24, scale=2.0), 24

    def decode(source: Any) -> Decoded:
        if width:
            return beam_search(model, source, length, width, constraint=CONSTRAINT)
        return greedy(model, source, length, CONSTRAINT)

    signature = [tf.TensorSpec([None, None], tf.int32)]
    compiled = tf.function(decode, input_signature=signature, jit_compile=xla)
    for source in (SOURCES[1:6, :9], SOURCES[3:4, :3]):
        found, expected = numpy(compiled(tf.constant(source, tf.int32))), numpy(decode(source))
        np.testing.assert_array_equal(found.tokens, expected.tokens)
        np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-5)
    # A source that is too long, in a graph that cannot know it: cut, as any result.
    cut = numpy(compiled(tf.constant(SOURCES[-1:], tf.int32))).tokens[0, 0]
    assert cut.all()
    assert tokens.END not in cut


@on_every_backend
def test_words_of_a_vocabulary_of_words() -> None:
    constraint = TreeConstraint(7, 4, 5, first_word=2)
    state = constraint.start(ops.array([[2, 1, 3, 0], [7, 0, 0, 0]]), 9)
    assert ops.convert_to_numpy(state["words"]).tolist() == [3, 1]


@on_every_backend
def test_words_with_parts_of_speech_are_words() -> None:
    """With the first of four ids a bracket, two of them stand for a word like `XX`."""
    vocabulary = BracketVocabulary(["S"], tags=["NN", "VB"])
    constraint = TreeConstraint(vocabulary.size, 4, 5, first_tag=vocabulary.first_tag)
    state = constraint.start(ops.array([[9, 9, 0]]), 9)
    steps = [[6], [4, 6, 7, 8], [4, 5, 6, 7, 8], [5], [tokens.END]]
    for may, chosen in zip(steps, (6, 8, 7, 5, tokens.END), strict=True):
        allowed = np.flatnonzero(ops.convert_to_numpy(constraint.allowed(state))[0])
        expected = [id for id in may if chosen != 7 or id != 5]  # the first closes last
        assert allowed.tolist() == expected
        state = constraint.advance(state, ops.array([chosen]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"first_tag": 6}, "`first_tag` must be an id from 7 to below the `vocabulary` 9, got 6"),
        ({"first_tag": 9}, "`first_tag` must be an id from 7 .* got 9"),
        ({"word": 3}, "`word` and `close` must be two ids from 4 to below the `vocabulary` 9"),
        ({"close": 9}, "must be two ids .* got 4 and 9"),
        ({"close": 4}, "must be two ids .* got 4 and 4"),
        ({"vocabulary": 6}, "`vocabulary` must have an id for an opening bracket, got 6"),
        ({"max_opens": 0}, "`max_opens` must be at least 1, got 0"),
    ],
)
def test_wrong_arguments(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TreeConstraint(**{"vocabulary": 9, "word": 4, "close": 5, **arguments})


@on_every_backend
def test_wrong_use() -> None:
    with pytest.raises(ValueError, match=r"sources' length and 3, 43, .* got 42"):
        greedy(Random(42), SOURCES, 42, CONSTRAINT)
    other = TreeConstraint(12, 4, 5)
    with pytest.raises(ValueError, match="a vocabulary of 12 tokens, and the model has one of 9"):
        beam_search(Random(50), SOURCES, 50, constraint=other)


@on_every_backend
def test_a_sample_is_a_tree_too() -> None:
    drawn = numpy(sample(Random(60), SOURCES[1:20], 60, samples=3, seed=2, constraint=CONSTRAINT))
    for words, row in enumerate(drawn.tokens, start=1):
        for ids in row:
            assert_tree(ids, words)
    assert len({tuple(ids) for ids in drawn.tokens[10]}) == 3
