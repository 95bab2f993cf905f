"""Continuations by caches, by a sliding window, and by reading all again at each step."""

from typing import Any

import numpy as np
import pytest
from keras import ops

from kblocks.decoding import beam_search, greedy, sample
from kblocks.models import GPT, GPT2
from kblocks.models.language import SlidingWindow
from tests.models.language.gpt_samples import PADDED, made
from tests.models.language.uncached import continued

both = pytest.mark.parametrize("model_class", [GPT, GPT2])
on_every_backend = pytest.mark.contract
numpy = ops.convert_to_numpy


@both
@on_every_backend
def test_with_caches_it_says_what_it_says_without(model_class: type) -> None:
    """Rows whose prompts are of different lengths, each as if it were alone."""
    model = made(model_class)
    tokens, scores, alignment = model.generate(PADDED, max_length=4)
    said = set()
    for row, prompt in enumerate(PADDED):
        expected, score = continued(model, prompt, 4)
        said |= set(expected)
        assert numpy(tokens)[row, 0].tolist() == expected
        np.testing.assert_allclose(numpy(scores)[row, 0], score, rtol=1e-4)
    assert len(said) > 2  # not one token for ever
    assert alignment.shape == (3, 1, 4, 4)


def test_the_end_token_ends_and_padding_follows() -> None:
    said = numpy(made(GPT2).generate(PADDED, max_length=4).tokens)[:, 0]
    ending = made(GPT2, end_token=int(said[0, 1]))
    tokens = numpy(ending.generate(PADDED, max_length=4).tokens)[:, 0]
    assert tokens[0].tolist() == [*said[0, :2], -1, -1]
    for row, prompt in enumerate(PADDED):
        expected, _ = continued(ending, prompt, 4)
        assert tokens[row].tolist() == [*expected, *[-1] * (4 - len(expected))]


@both
@pytest.mark.slow
def test_the_beams_scores_are_those_of_a_call(model_class: type) -> None:
    model = made(model_class)
    prompt = PADDED[:1, :3]
    tokens, scores, _ = model.generate(prompt, max_length=4, beam_width=3, length_penalty=0.0)
    assert len({*map(tuple, numpy(tokens)[0])}) == 3
    for said, score in zip(numpy(tokens)[0], numpy(scores)[0], strict=True):
        text = np.concatenate([prompt[0], said])[None]
        log_p = numpy(ops.log_softmax(model(text[:, :-1])))[0, 2:]
        np.testing.assert_allclose(log_p[np.arange(4), said].sum(), score, rtol=1e-4)
    assert (np.diff(numpy(scores)[0]) <= 0).all()


def test_samples_follow_the_seed_and_the_temperature() -> None:
    model = made(GPT2)
    options: dict[str, Any] = {"max_length": 4, "samples": 20}
    first, again, other = (
        numpy(model.sample(PADDED, seed=seed, **options).tokens) for seed in (1, 1, 2)
    )
    assert first.shape == (3, 20, 4)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    cold = numpy(model.sample(PADDED, temperature=1e-3, **options).tokens)
    expected = numpy(model.generate(PADDED, max_length=4).tokens)
    np.testing.assert_array_equal(cold, np.repeat(expected, 20, axis=1))


@both
def test_a_window_says_what_the_caches_say_as_long_as_they_last(model_class: type) -> None:
    model = made(model_class)
    for decode in (
        greedy,
        lambda *given: beam_search(*given, beam_width=2),
        lambda *given: sample(*given, seed=5),
    ):
        cached, slid = decode(model, PADDED, 4), decode(SlidingWindow(model), PADDED, 4)
        np.testing.assert_array_equal(numpy(cached.tokens), numpy(slid.tokens))
        np.testing.assert_allclose(numpy(cached.scores), numpy(slid.scores), rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("prompt", [PADDED, np.tile(PADDED[:1], (1, 3))], ids=["short", "long"])
def test_a_window_slides_on(prompt: np.ndarray) -> None:
    """Prompts that fit, and one that is longer than the window by itself."""
    model = made(GPT2)
    tokens = numpy(greedy(SlidingWindow(model), prompt, 11).tokens)[:, 0]
    for row, text in enumerate(prompt):
        assert tokens[row].tolist() == continued(model, text, 11)[0]


def test_what_cannot_be_gone_on_with() -> None:
    model = made(GPT2)
    with pytest.raises(ValueError, match=r"of 4 tokens and 5 more must fit into max_length=7"):
        model.generate(PADDED, max_length=5)
    for empty in (np.zeros((2, 0), "int32"), np.array([[3, 4], [-1, -1]])):
        with pytest.raises(ValueError, match="`source` must have a token in each row"):
            model.generate(empty, max_length=2)
    with pytest.raises(ValueError, match="padded on the right"):
        model.generate(PADDED[:, ::-1], max_length=2)


@both
@pytest.mark.slow
def test_one_graph_decodes_any_batch(model_class: type) -> None:
    import tensorflow as tf

    model = made(model_class)
    signature = [tf.TensorSpec([None, None], tf.int32)]
    compiled = tf.function(lambda p: model.generate(p, 4, 2), input_signature=signature)
    for prompt in (PADDED, PADDED[:1, :2], PADDED[:2, :1]):
        found, expected = compiled(prompt), model.generate(prompt, 4, 2)
        np.testing.assert_array_equal(found.tokens, expected.tokens)
        np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-4)
