"""The Transformer translator: its sizes, its caches against no caches, and its heads."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from kblocks import tokens
from kblocks.decoding import Decodable, beam_search, greedy
from kblocks.models import TransformerTranslator
from tests.models.translation.samples import TRANSFORMER, made, pairs
from tests.models.translation.uncached import Uncached

pytestmark = pytest.mark.slow

LENGTH = 7


@pytest.mark.parametrize("norm", ["post", "pre"])
@pytest.mark.parametrize("beam_width", [1, 3])
def test_with_caches_it_says_what_it_says_without(norm: str, beam_width: int) -> None:
    model = made(TransformerTranslator, {**TRANSFORMER, "norm": norm})
    # The end has no chance against the best of the others: results are long.
    is_end = np.arange(9)[:, None] == tokens.END
    embeddings = model.target_embedding.embeddings
    embeddings.assign(ops.where(is_end, 0.0, embeddings))
    source = pairs()["source"]

    def decoded(model: Decodable) -> Any:
        if beam_width == 1:
            return greedy(model, source, LENGTH)
        return beam_search(model, source, LENGTH, beam_width)

    cached, uncached = decoded(model), decoded(Uncached(model, LENGTH))
    np.testing.assert_array_equal(cached.tokens, uncached.tokens)
    assert np.count_nonzero(cached.tokens) > 2 * LENGTH - 2  # two sentences, or all beams
    np.testing.assert_allclose(cached.scores, uncached.scores, rtol=1e-4)
    np.testing.assert_allclose(cached.alignment, uncached.alignment, atol=1e-5)


def test_the_heads_are_of_all_layers_and_look_at_no_padding_and_no_future() -> None:
    model = made(TransformerTranslator, {**TRANSFORMER, "layers": 3})
    inputs = pairs()
    encoder, decoder, cross = (ops.convert_to_numpy(weights) for weights in model.heads(inputs))
    assert encoder.shape == (2, 3, 2, 4, 4)
    assert decoder.shape == (2, 3, 2, 3, 3)
    assert cross.shape == (2, 3, 2, 3, 4)
    for weights in (encoder, decoder, cross):
        np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-5)
    padded = inputs["source"] == 0
    assert not encoder[1][..., padded[1]].any()
    assert not cross[1][..., padded[1]].any()
    assert not np.triu(decoder, 1).any()
    _, alignment = model(inputs, return_attention_scores=True)
    np.testing.assert_allclose(alignment, cross[:, 1].mean(axis=1), atol=1e-6)


def layer_weights(d: int, inner: int, attentions: int) -> int:
    """Four projections an attention and two products of the network, with biases, and norms."""
    return attentions * 4 * (d * d + d) + 2 * d * inner + inner + d + 2 * d * (attentions + 1)


@pytest.mark.parametrize(
    ("size", "vocabulary", "counted"),
    [
        ("tiny", 10_000, 2_605_056),
        ("base", 37_000, 63_082_496),  # the paper's table rounds to 65 million
        pytest.param("big", 37_000, 214_245_376, marks=pytest.mark.slow),  # and to 213 million
    ],
)
def test_as_many_weights_as_the_architecture_has(size: str, vocabulary: int, counted: int) -> None:
    model = TransformerTranslator.of_size(size, vocabulary)
    model.build()
    d, inner = model.embedding_dim, model.intermediate_dim
    stacks = layer_weights(d, inner, 1) + layer_weights(d, inner, 2)
    assert model.count_params() == counted == vocabulary * d + model.num_layers * stacks


def test_no_such_size() -> None:
    with pytest.raises(ValueError, match=r"`size` must be one of .*'base'.* got 'small'"):
        TransformerTranslator.of_size("small", 50)


def test_a_source_of_padding_alone_gives_numbers() -> None:
    model = made(TransformerTranslator, TRANSFORMER)
    inputs = {**pairs(), "source": np.zeros((2, 4), "int32")}
    assert np.isfinite(ops.convert_to_numpy(model(inputs))).all()
    assert np.isfinite(ops.convert_to_numpy(model.translate(inputs["source"], 5).scores)).all()


def test_one_graph_decodes_any_batch() -> None:
    model = made(TransformerTranslator, TRANSFORMER)
    signature = [tf.TensorSpec([None, None], tf.int32)]
    compiled = tf.function(lambda s: model.translate(s, LENGTH, 2), input_signature=signature)
    for source in (pairs()["source"], pairs()["source"][:1, :3]):
        found, expected = compiled(source), model.translate(source, LENGTH, 2)
        np.testing.assert_array_equal(found.tokens, expected.tokens)
        np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-4)
