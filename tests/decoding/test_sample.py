"""Sampling against the distribution it is to draw from."""

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from kblocks import tokens
from kblocks.decoding import greedy, sample
from kblocks.decoding.sample import draw
from tests.decoding.toy import Toy, hypothesis

on_every_backend = pytest.mark.contract
LOGITS = np.log([0.05, 0.4, 0.15, 0.1, 0.3]).astype("float32")


def shares(top_k: int | None, top_p: float | None, steps: int = 2000) -> np.ndarray:
    """How much of [0, 1) each id of LOGITS gets."""
    u = ((np.arange(steps) + 0.5) / steps).astype("float32")
    drawn = ops.convert_to_numpy(draw(np.tile(LOGITS, (steps, 1)), u, top_k, top_p))
    return np.bincount(drawn, minlength=5) / steps


@on_every_backend
@pytest.mark.parametrize(
    ("top_k", "top_p", "expected"),
    [
        (None, None, [0.05, 0.4, 0.15, 0.1, 0.3]),
        (9, 1.0, [0.05, 0.4, 0.15, 0.1, 0.3]),
        (1, None, [0, 1, 0, 0, 0]),
        (2, None, [0, 4 / 7, 0, 0, 3 / 7]),
        (None, 0.3, [0, 1, 0, 0, 0]),  # the first alone has 0.4
        (None, 0.6, [0, 4 / 7, 0, 0, 3 / 7]),  # 0.4 is too little, 0.7 enough
        (None, 0.8, [0, 0.4 / 0.85, 0.15 / 0.85, 0, 0.3 / 0.85]),
        (3, 0.8, [0, 4 / 7, 0, 0, 3 / 7]),  # of three, 0.7 / 0.85 is enough
    ],
)
def test_each_id_has_its_share(top_k: int | None, top_p: float | None, expected: list) -> None:
    np.testing.assert_allclose(shares(top_k, top_p), expected, atol=1e-3)


@on_every_backend
def test_the_largest_number_draws_what_is_kept() -> None:
    u = np.array([np.nextafter(1, 0, dtype="float32")])
    assert ops.convert_to_numpy(draw(LOGITS[None], u, None, None)) == [0]  # the least probable
    assert ops.convert_to_numpy(draw(LOGITS[None], u, None, 0.6)) == [4]


@on_every_backend
def test_samples_come_as_often_as_the_model_says() -> None:
    toy, source, number = Toy(), np.array([[4, 5, 3, 0]], "int32"), 4000
    drawn = sample(toy, source, 2, temperature=1.5, samples=number, seed=3)
    ids = ops.convert_to_numpy(drawn.tokens)[0]
    scores = ops.convert_to_numpy(drawn.scores)[0]

    def warm(prefix: tuple[int, ...]) -> np.ndarray:
        p = np.exp(toy.next_log_p(source[0], prefix) / 1.5)
        return p / p.sum()

    found = [hypothesis(row) for row in ids]
    first = np.bincount([ys[0] for ys in found], minlength=9) / number
    np.testing.assert_allclose(first, warm(()), atol=0.03)
    likeliest = int(warm(())[tokens.END + 1 :].argmax()) + tokens.END + 1
    second = np.bincount([ys[1] for ys in found if ys[0] == likeliest], minlength=9)
    np.testing.assert_allclose(second / second.sum(), warm((likeliest,)), atol=0.06)
    for ys, score in zip(found[:50], scores[:50], strict=True):
        log_p = sum(toy.next_log_p(source[0], ys[:i])[y] for i, y in enumerate(ys))
        np.testing.assert_allclose(score, log_p, rtol=1e-4)  # of the model, not warmed


@on_every_backend
def test_cold_or_of_one_token_it_is_greedy() -> None:
    sources = np.array([[4, 5, 3, 0], [7, 3, 0, 0], [9, 4, 8, 3]], "int32")
    toy = Toy(seed=1)
    best = ops.convert_to_numpy(greedy(toy, sources, 6).tokens)
    for options in ({"temperature": 1e-4}, {"top_k": 1}, {"top_p": 1e-6}):
        drawn = sample(toy, sources, 6, samples=2, seed=0, **options)
        for place in range(2):
            np.testing.assert_array_equal(ops.convert_to_numpy(drawn.tokens)[:, place], best[:, 0])


def test_a_seed_decides() -> None:
    toy, source = Toy(), np.array([[4, 5, 3, 0]], "int32")

    def drawn(seed: Any) -> list:
        return ops.convert_to_numpy(sample(toy, source, 6, samples=20, seed=seed).tokens).tolist()

    assert drawn(1) == drawn(1) != drawn(2)
    generator = keras.random.SeedGenerator(1)
    assert drawn(generator) != drawn(generator)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("max_length", 0), ("max_length", True), ("temperature", 0.0), ("top_k", 0)],
        *[("top_p", 0.0), ("top_p", 1.1), ("samples", 0)],
    ],
)
def test_arguments_out_of_range(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"`{name}` must be .*{value}"):
        sample(Toy(), np.array([[4, 3]]), **{"max_length": 3, name: value})
