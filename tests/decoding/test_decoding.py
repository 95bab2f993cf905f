"""Greedy and beam search against their definitions, over a model that is a table."""

from functools import partial
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from kblocks.decoding import Decoded, beam_search, greedy
from tests.decoding.toy import Toy, hypothesis
from tests.reference import decoding as reference

on_every_backend = pytest.mark.contract
on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="tf.function is TensorFlow's"
)

SOURCES = np.array([[4, 5, 3, 0], [7, 3, 0, 0], [9, 4, 8, 3]], "int32")


def numpy(decoded: Decoded) -> Decoded:
    return Decoded(*(ops.convert_to_numpy(x) for x in decoded))


def assert_ranked(decoded: Decoded, row: int, expected: reference.Ranked) -> None:
    assert [hypothesis(ids) for ids in decoded.tokens[row]] == [ids for _, ids in expected]
    np.testing.assert_allclose(decoded.scores[row], [s for s, _ in expected], rtol=1e-5)


@on_every_backend
@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_as_wide_as_all_hypotheses_it_finds_them_all_in_order(alpha: float) -> None:
    toy = Toy(vocabulary=16, words=2)
    decoded = numpy(beam_search(toy, SOURCES, 3, beam_width=15, length_penalty=alpha))
    for row, source in enumerate(SOURCES):
        expected = reference.all_hypotheses(partial(toy.next_log_p, source), 3, alpha)
        assert len(expected) == 15
        assert_ranked(decoded, row, expected)


@on_every_backend
@pytest.mark.parametrize(("width", "alpha"), [(1, 0.7), (2, 0.0), (3, 1.0), (4, 0.6)])
def test_a_narrow_beam_equals_the_reference(width: int, alpha: float) -> None:
    toy = Toy()
    decoded = numpy(beam_search(toy, SOURCES, 6, width, alpha))
    for row, source in enumerate(SOURCES):
        expected = reference.beam_search(partial(toy.next_log_p, source), width, 6, alpha)
        assert_ranked(decoded, row, expected)


@on_every_backend
def test_greedy_is_a_beam_of_one() -> None:
    toy = Toy(seed=1)
    one, best = numpy(beam_search(toy, SOURCES, 6, 1, 1.0)), numpy(greedy(toy, SOURCES, 6))
    np.testing.assert_array_equal(one.tokens, best.tokens)
    np.testing.assert_allclose(one.alignment, best.alignment, rtol=1e-6)
    for row, source in enumerate(SOURCES):
        ids, log_p = hypothesis(best.tokens[row, 0]), 0.0
        for i, y in enumerate(ids):
            following = toy.next_log_p(source, ids[:i])
            assert y == following.argmax()
            log_p += following[y]
        np.testing.assert_allclose(best.scores[row, 0], log_p, rtol=1e-5)
        normalised = log_p / reference.length_penalty(len(ids), 1.0)
        np.testing.assert_allclose(one.scores[row, 0], normalised, rtol=1e-5)


@on_every_backend
@pytest.mark.parametrize("seed", range(3))
def test_the_list_is_sorted_and_the_alignment_is_of_the_tokens(seed: int) -> None:
    toy = Toy(seed=seed)
    decoded = numpy(beam_search(toy, SOURCES, 6, 4, 1.0))
    assert (np.diff(decoded.scores, axis=1) <= 0).all()
    for row, source in enumerate(SOURCES):
        found = [hypothesis(ids) for ids in decoded.tokens[row]]
        assert len(set(found)) == len(found)
        for ids, alignment in zip(found, decoded.alignment[row], strict=True):
            expected = [toy.alignment(source, ids[:i]) for i in range(len(ids))]
            np.testing.assert_allclose(alignment[: len(ids)], expected, rtol=1e-6)
            assert not alignment[len(ids) :].any()
            assert reference.END not in ids[:-1]
            assert min(ids) >= reference.END  # never padding, unknown or start
            assert len(ids) == 6 or ids[-1] == reference.END


@on_every_backend
def test_an_ended_hypothesis_stays_as_it_is() -> None:
    toy = Toy(words=1, seed=2)
    toy_ends = np.full_like(toy.logits, -1e9)
    toy_ends[..., reference.END], toy_ends[..., 4] = 4.0, 0.0
    toy._logits = ops.convert_to_tensor(toy_ends.astype("float32"))
    short, long = (numpy(beam_search(toy, SOURCES, n, 2, 0.0)) for n in (2, 6))
    for decoded in (short, long):
        ids = [(reference.END,), (4, reference.END)]
        assert [[hypothesis(h) for h in row] for row in decoded.tokens] == [ids] * 3
    np.testing.assert_allclose(short.scores, long.scores, rtol=1e-6)


@on_every_backend
@pytest.mark.parametrize("width", [0, 3])
def test_a_row_alone_gives_what_it_gives_in_the_batch(width: int) -> None:
    toy = Toy()

    def decode(source: np.ndarray) -> Decoded:
        return numpy(beam_search(toy, source, 6, width) if width else greedy(toy, source, 6))

    together = decode(SOURCES)
    for row, source in enumerate(SOURCES):
        alone = decode(source[source != 0][None])
        length = alone.alignment.shape[-1]
        np.testing.assert_array_equal(alone.tokens[0], together.tokens[row])
        np.testing.assert_allclose(alone.scores[0], together.scores[row], rtol=1e-6)
        np.testing.assert_array_equal(alone.alignment[0], together.alignment[row, ..., :length])
        assert not together.alignment[row, ..., length:].any()


@pytest.mark.slow
@on_tensorflow
@pytest.mark.parametrize("width", [0, 3])
@pytest.mark.parametrize("xla", [False, True])
def test_one_graph_for_any_batch_and_any_source(width: int, xla: bool) -> None:
    import tensorflow as tf

    toy, traces = Toy(), []

    def decode(source: Any) -> Decoded:
        traces.append(source.shape)
        return beam_search(toy, source, 6, width) if width else greedy(toy, source, 6)

    signature = [tf.TensorSpec([None, None], tf.int32)]
    compiled = tf.function(decode, input_signature=signature, jit_compile=xla)
    for source in (SOURCES, SOURCES[:1, :3], np.array([[4, 4, 4, 4, 3], [8, 9, 4, 5, 3]])):
        found, expected = numpy(compiled(tf.constant(source, tf.int32))), numpy(decode(source))
        np.testing.assert_array_equal(found.tokens, expected.tokens)
        np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-5)
        np.testing.assert_allclose(found.alignment, expected.alignment, rtol=1e-6)
        assert found.tokens.dtype == "int32"
        assert found.scores.dtype == found.alignment.dtype == "float32"
    assert sum(None in shape for shape in traces) == 1


@on_tensorflow
def test_no_source_at_all_gives_nothing() -> None:
    import tensorflow as tf

    empty = tf.zeros((0, 4), tf.int32)
    assert beam_search(Toy(), empty, 6, 3).tokens.shape == (0, 3, 6)
    assert greedy(Toy(), empty, 6).tokens.shape == (0, 1, 6)


@on_every_backend
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_length": 0}, "`max_length` must be a positive int, got 0"),
        ({"max_length": 2.0}, "`max_length` must be a positive int, got 2.0"),
        ({"beam_width": 0}, "`beam_width` must be a positive int, got 0"),
        ({"beam_width": 2.5}, "`beam_width` must be a positive int, got 2.5"),
        ({"beam_width": 10}, "`beam_width` 10 is wider than the vocabulary of 9"),
        ({"length_penalty": -0.1}, "`length_penalty` must not be negative, got -0.1"),
    ],
)
def test_wrong_arguments(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        beam_search(Toy(), SOURCES, **{"max_length": 6, **arguments})


def test_greedy_needs_a_length() -> None:
    with pytest.raises(ValueError, match="`max_length` must be a positive int, got -1"):
        greedy(Toy(), SOURCES, -1)
