"""The parser: the contract, what it sees of a prefix, and its caches and stack against none."""

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from kblocks import tokens
from kblocks.decoding import Decodable, beam_search, greedy
from kblocks.models import TransformerParser
from kblocks.training import MaskedCrossentropy
from tests.contract import check_layer
from tests.models.parsing.samples import PARSER, sentences
from tests.models.translation.samples import made
from tests.models.translation.test_contract import NOT_OF_MODELS, SCORES, key_biases
from tests.models.translation.uncached import Uncached
from tests.reference.transformer_parser import surroundings, transformer_parser

on_every_backend = pytest.mark.contract

LENGTH = 15


@pytest.mark.slow
def test_contract() -> None:
    good = sentences()
    check_layer(
        TransformerParser,
        {**PARSER, "word": 4, "close": 5, "dropout": 0.0},
        {"inputs": good},
        transformer_parser,
        call=SCORES,
        zero_gradients=key_biases(2),
        bad_inputs=[
            ({"inputs": {**good, "source": good["source"][0]}}, "source"),
            ({"inputs": {**good, "target": good["target"][..., None]}}, "target"),
        ],
        bad_arguments=[{"tie_embeddings": "all"}, {"word": 5}, {"first_tag": 10}, {"norm": "both"}],
        skip=NOT_OF_MODELS,
    )


@on_every_backend
def test_what_a_prefix_says_is_what_a_stack_says() -> None:
    model = made(TransformerParser, PARSER)
    target = random_trees(40)
    found = np.stack([ops.convert_to_numpy(x) for x in model.surroundings(target)], axis=-1)
    for row, expected in zip(found, target, strict=True):
        np.testing.assert_array_equal(row, surroundings(expected, 4, 5, 8))
    assert found[:, -1, 0].tolist() == [tokens.START] * 40  # all brackets are closed


def random_trees(count: int) -> np.ndarray:
    """Targets of well-formed trees, each over up to six words."""
    rng, rows = np.random.default_rng(0), []

    def write(words: int) -> list[int]:
        inner: list[int] = []
        while words:
            some = int(rng.integers(1, words + 1))
            deeper = rng.random() < 0.6
            inner += write(some) if deeper else [int(rng.choice([4, 8, 9]))] * some
            words -= some
        return [int(rng.choice([6, 7])), *inner, 5]

    while len(rows) < count:
        row = [tokens.START, *write(int(rng.integers(1, 7)))]
        rows.append(row)
    longest = max(map(len, rows))
    return np.array([[*row, *[tokens.PADDING] * (longest - len(row))] for row in rows], "int32")


@on_every_backend
def test_one_token_at_a_time_gives_what_teacher_forcing_gives() -> None:
    model, inputs = made(TransformerParser, PARSER), sentences()
    logits, alignment = model(inputs, return_attention_scores=True)
    length = inputs["target"].shape[1]
    memory, carry = model.start(ops.convert_to_tensor(inputs["source"]), length)
    for i in range(length):
        token = ops.convert_to_tensor(inputs["target"][:, i])
        stepped, carry, looks = model.step(token, carry, memory)
        for found, expected in ((stepped, logits), (looks, alignment)):
            np.testing.assert_allclose(
                ops.convert_to_numpy(found),
                ops.convert_to_numpy(expected)[:, i],
                rtol=1e-4,
                atol=1e-5,
            )


@on_every_backend
def test_padding_of_the_source_changes_nothing() -> None:
    model, inputs = made(TransformerParser, PARSER), sentences()
    logits = ops.convert_to_numpy(model(inputs))
    alone = {"source": inputs["source"][1:, :2], "target": inputs["target"][1:]}
    np.testing.assert_allclose(ops.convert_to_numpy(model(alone))[0], logits[1], atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("beam_width", [1, 3])
def test_with_caches_and_a_stack_it_writes_what_it_writes_without(beam_width: int) -> None:
    model = made(TransformerParser, PARSER)
    source = sentences()["source"]

    def decoded(model: Decodable, constraint: Any) -> Any:
        if beam_width == 1:
            return greedy(model, source, LENGTH, constraint)
        return beam_search(model, source, LENGTH, beam_width, constraint=constraint)

    cached = decoded(model, model.constraint)
    uncached = decoded(Uncached(model, LENGTH), model.constraint)
    np.testing.assert_array_equal(cached.tokens, uncached.tokens)
    np.testing.assert_allclose(cached.scores, uncached.scores, rtol=1e-4)
    np.testing.assert_allclose(cached.alignment, uncached.alignment, atol=1e-5)
    for row, words in zip(ops.convert_to_numpy(cached.tokens), (4, 1), strict=True):
        for ids in row:
            assert np.isin(ids, (4, 8, 9)).sum() == words
            assert (ids == 5).sum() == np.isin(ids, (6, 7)).sum()


@pytest.mark.slow
def test_it_learns_what_cannot_be_seen_in_one_word() -> None:
    """A bracket for each run of equal words; its label is the word's, and so is the tag."""
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(800):
        runs = rng.integers(1, 3, size=rng.integers(1, 4))
        kinds = (np.arange(len(runs)) + rng.integers(2)) % 2
        source = np.repeat(kinds + 4, runs)
        inner = [id for k, n in zip(kinds, runs, strict=True) for id in (6 + k, *[8 + k] * n, 5)]
        rows.append(([*source, tokens.END], [6, *inner, 5, tokens.END]))
    source, labels = (
        np.array([r[i] + [0] * (max(len(x[i]) for x in rows) - len(r[i])) for r in rows], "int32")
        for i in (0, 1)
    )
    target = np.concatenate([np.full((len(rows), 1), tokens.START), labels[:, :-1]], axis=1)
    model = TransformerParser(**{**PARSER, "embedding_dim": 16, "norm": "pre", "dropout": 0.0})
    model.build()
    model.compile(keras.optimizers.Adam(0.01), MaskedCrossentropy(), jit_compile=False)
    inputs = {"source": source[100:], "target": target[100:].astype("int32")}
    model.fit(inputs, labels[100:], batch_size=50, epochs=6, verbose=0)
    decoded = model.translate(source[:100], labels.shape[1], 1, constraint=model.constraint)
    right = (ops.convert_to_numpy(decoded.tokens)[:, 0] == labels[:100]).all(axis=1)
    assert right.mean() > 0.9
