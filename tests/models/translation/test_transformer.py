"""The Transformer translator: its sizes, its caches against no caches, and its heads."""

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from kblocks import tokens
from kblocks.decoding import Decodable, beam_search, greedy
from kblocks.models import TransformerTranslator
from kblocks.training import MaskedCrossentropy
from tests.models.translation.samples import TRANSFORMER, made, pairs
from tests.models.translation.uncached import Uncached

pytestmark = pytest.mark.slow
on_every_backend = pytest.mark.contract

LENGTH = 7


@pytest.mark.parametrize("norm", [pytest.param("post", marks=on_every_backend), "pre"])
@pytest.mark.parametrize("beam_width", [1, 3])
def test_with_caches_it_says_what_it_says_without(norm: str, beam_width: int) -> None:
    model = made(TransformerTranslator, {**TRANSFORMER, "norm": norm})
    # The end has no chance against the best of the others: results are long.
    is_end = np.arange(9)[:, None] == tokens.END
    embeddings = model.target_embedding.embeddings
    embeddings.assign(np.where(is_end, 0.0, ops.convert_to_numpy(embeddings)))
    source = pairs()["source"]

    def decoded(model: Decodable) -> Any:
        if beam_width == 1:
            found = greedy(model, source, LENGTH)
        else:
            found = beam_search(model, source, LENGTH, beam_width)
        return keras.tree.map_structure(ops.convert_to_numpy, found)

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


def test_a_row_of_padding_alone_leaves_loss_and_gradients_finite() -> None:
    import tensorflow as tf

    model, inputs = made(TransformerTranslator, TRANSFORMER), pairs()
    inputs = {name: np.concatenate([ids, np.zeros_like(ids[:1])]) for name, ids in inputs.items()}
    labels = np.array([[4, 5, 3], [6, 3, 0], [0, 0, 0]], "int32")

    def gradients(rows: slice) -> tuple[Any, list[Any]]:
        with tf.GradientTape() as tape:
            logits = model({name: ids[rows] for name, ids in inputs.items()})
            loss = MaskedCrossentropy(0.1, "sum")(labels[rows], logits)
        return loss, tape.gradient(loss, [v.value for v in model.trainable_variables])

    for together, alone in zip(gradients(slice(3)), gradients(slice(2)), strict=True):
        for a, b in zip(tf.nest.flatten(together), tf.nest.flatten(alone), strict=True):
            a, b = (tf.convert_to_tensor(x) for x in (a, b))
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    loss, slopes = gradients(slice(2, 3))  # nothing but padding
    assert float(loss) == 0.0
    assert not any(tf.reduce_any(tf.convert_to_tensor(x) != 0.0) for x in slopes)


def test_without_a_target_there_are_no_logits() -> None:
    model = made(TransformerTranslator, TRANSFORMER)
    inputs = {**pairs(), "target": np.zeros((2, 0), "int32")}
    logits, alignment = model(inputs, return_attention_scores=True)
    assert logits.shape == (2, 0, 9)
    assert alignment.shape == (2, 0, 4)
    heads = model.heads(inputs)
    assert heads.decoder.shape == (2, 2, 2, 0, 0)
    assert heads.cross.shape == (2, 2, 2, 0, 4)


def test_without_a_source_it_says_what_it_says_to_padding() -> None:
    model = made(TransformerTranslator, TRANSFORMER)
    empty, padding = np.zeros((2, 0), "int32"), np.zeros((2, 3), "int32")
    logits = model({**pairs(), "source": empty})
    np.testing.assert_allclose(logits, model({**pairs(), "source": padding}), atol=1e-6)
    found, expected = (model.translate(source, 5, 2) for source in (empty, padding))
    np.testing.assert_array_equal(found.tokens, expected.tokens)
    assert found.alignment.shape == (2, 2, 5, 0)


def test_a_beam_wider_than_the_vocabulary_is_refused() -> None:
    model = made(TransformerTranslator, TRANSFORMER)
    with pytest.raises(ValueError, match="`beam_width` 10 is wider than the vocabulary of 9"):
        model.translate(pairs()["source"], 5, beam_width=10)


def test_a_width_that_the_heads_do_not_divide_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"`embedding_dim` .* divisible by `num_heads`, .* 6 and 4"
    ):
        TransformerTranslator(**{**TRANSFORMER, "num_heads": 4})


def test_one_graph_decodes_any_batch() -> None:
    import tensorflow as tf

    model = made(TransformerTranslator, TRANSFORMER)
    signature = [tf.TensorSpec([None, None], tf.int32)]
    compiled = tf.function(lambda s: model.translate(s, LENGTH, 2), input_signature=signature)
    for source in (pairs()["source"], pairs()["source"][:1, :3]):
        found, expected = compiled(source), model.translate(source, LENGTH, 2)
        np.testing.assert_array_equal(found.tokens, expected.tokens)
        np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-4)
