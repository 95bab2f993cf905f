"""The layers of encoder and decoder: contract, masks, caches, wrong input."""

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from kblocks.layers import TransformerDecoderLayer, TransformerEncoderLayer
from tests.contract import NUMBERS_ONLY, check_layer
from tests.layers.transformer.samples import mask, memory, memory_mask, sequence
from tests.reference import transformer as reference

pytestmark = pytest.mark.slow

SCORES = {"return_attention_scores": True}
KEY_BIAS = "it adds the same to all scores of a query"


@pytest.mark.parametrize("kind", ["post", "pre", "causal"])
def test_contract_of_encoder_layer(kind: str) -> None:
    arguments: dict[str, Any] = {"num_heads": 2, "intermediate_dim": 7, "dropout": 0.0}
    if kind != "post":
        arguments |= {"norm": "pre", "activation": "gelu", "key_dim": 4}
    if kind == "causal":
        arguments["causal"] = True
    check_layer(
        TransformerEncoderLayer,
        arguments,
        sequence(),
        reference.transformer_encoder_layer,
        call=SCORES,
        mask=mask(),
        output_mask="inputs",
        left_padded=True,
        zero_gradients={"self_attention/b_K": KEY_BIAS},
        bad_arguments=[{"norm": "middle"}, {"num_heads": 4}, {"epsilon": 0}]
        if kind == "post"
        else [],
        skip={} if kind == "post" else NUMBERS_ONLY,
    )


def test_contract_of_encoder_layer_with_attention_mask() -> None:
    attention_mask = np.random.default_rng(5).random((2, 5, 5)) < 0.6
    attention_mask[:, np.arange(5), np.arange(5)] = True
    check_layer(
        TransformerEncoderLayer,
        {"num_heads": 3, "intermediate_dim": 7},
        {"inputs": sequence(), "attention_mask": attention_mask.astype("int32")},
        reference.transformer_encoder_layer,
        call=SCORES,
        mask={"inputs": mask()},
        output_mask="inputs",
        left_padded=True,
        zero_gradients={"self_attention/b_K": KEY_BIAS},
        bad_inputs=[({"attention_mask": attention_mask[:, :3]}, "attention_mask")],
        skip={name: r for name, r in NUMBERS_ONLY.items() if name not in ("mask", "errors")},
    )


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_contract_of_decoder_layer(norm: str) -> None:
    check_layer(
        TransformerDecoderLayer,
        {"num_heads": 2, "intermediate_dim": 7, "norm": norm, "dropout": 0.0},
        {"inputs": sequence(), "memory": memory()},
        reference.transformer_decoder_layer,
        call=SCORES,
        mask={"inputs": mask(), "memory": memory_mask()},
        output_mask="inputs",
        left_padded=True,
        zero_gradients={f"{name}_attention/b_K": KEY_BIAS for name in ("self", "cross")},
        bad_arguments=[{"norm": "middle"}, {"num_heads": 4}] if norm == "post" else [],
        skip={} if norm == "post" else NUMBERS_ONLY,
    )


def test_contract_of_decoder_layer_with_masks() -> None:
    rng = np.random.default_rng(5)
    attention_mask, cross = rng.random((2, 5, 5)) < 0.6, rng.random((2, 2, 5, 4)) < 0.6
    attention_mask[:, np.arange(5), np.arange(5)] = True
    cross[1] = False  # a row without any memory
    check_layer(
        TransformerDecoderLayer,
        {"num_heads": 2, "intermediate_dim": 7, "activation": "gelu_tanh"},
        {
            "inputs": sequence(),
            "memory": memory(),
            "attention_mask": attention_mask.astype("int32"),
            "cross_attention_mask": cross.astype("int32"),
        },
        reference.transformer_decoder_layer,
        call=SCORES,
        zero_gradients={f"{name}_attention/b_K": KEY_BIAS for name in ("self", "cross")},
        bad_inputs=[({"attention_mask": cross}, "attention_mask")],
        skip={name: reason for name, reason in NUMBERS_ONLY.items() if name != "errors"},
    )


@pytest.mark.parametrize("layer_class", [TransformerEncoderLayer, TransformerDecoderLayer])
@pytest.mark.parametrize("name", ["dropout", "attention_dropout", "activation_dropout"])
def test_each_dropout_draws_in_training_only(layer_class: Any, name: str) -> None:
    x = ops.array(sequence())
    given = [x] if layer_class is TransformerEncoderLayer else [x, x]
    layer = layer_class(2, 7, **{"dropout": 0.0, name: 0.5}, seed=1)
    plain = layer(*given)
    np.testing.assert_array_equal(layer(*given), plain)
    assert not np.allclose(layer(*given, training=True), plain)
    off = layer_class(2, 7, dropout=0.0)
    off(*given)
    off.set_weights(layer.get_weights()[: len(off.get_weights())])
    np.testing.assert_allclose(off(*given, training=True), plain, rtol=1e-5, atol=1e-6)


def test_both_residual_connections_draw_their_own_dropout() -> None:
    """Of an untrained layer on zeros, post-norm, the same mask twice would leave equal zeros."""
    layer = TransformerEncoderLayer(2, 7, norm="pre", dropout=0.5, seed=1)
    x = ops.zeros((2, 5, 6))
    layer.build(x.shape)
    layer.self_attention.b_O.assign(np.ones(6))
    layer.feed_forward.outer.bias.assign(10 * np.ones(6))
    layer.feed_forward.outer.kernel.assign(np.zeros((7, 6)))
    drawn = ops.convert_to_numpy(layer(x, training=True))
    assert set(np.unique(drawn)) == {0.0, 2.0, 20.0, 22.0}


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_steps_of_a_causal_encoder_layer_equal_the_whole(norm: str) -> None:
    x = ops.array(sequence(time=6))
    layer = TransformerEncoderLayer(2, 7, norm=norm, causal=True)
    expected = layer(x)
    cache = layer.empty_cache(2, length=6)
    output, cache = layer.step(x[:, :3], cache, 0)  # the prompt
    outputs = [output]
    for t in range(3, 6):
        output, cache = layer.step(x[:, t : t + 1], cache, ops.array([t, t]))
        outputs.append(output)
    np.testing.assert_allclose(ops.concatenate(outputs, 1), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_steps_of_a_decoder_layer_equal_the_whole(norm: str) -> None:
    x, encoded = ops.array(sequence()), ops.array(memory())
    layer = TransformerDecoderLayer(2, 7, norm=norm)
    layer(x, encoded)
    layer.set_weights([w + 0.1 for w in layer.get_weights()[:-1]] + layer.get_weights()[-1:])
    expected, _, weights = layer(x, encoded, memory_mask=ops.array(memory_mask()), **SCORES)
    projected, cache = layer.project_memory(encoded), layer.empty_cache(2, length=7)
    order = np.arange(2)
    for t in range(5):
        new = ops.take(x[:, t : t + 1], order, axis=0)
        taken = keras.tree.map_structure(lambda a, rows=order: ops.take(a, rows, axis=0), projected)
        output, cache, seen = layer.step(new, cache, t, taken, memory_mask()[order])
        np.testing.assert_allclose(
            output, ops.take(expected[:, t : t + 1], order, axis=0), rtol=1e-5, atol=1e-5
        )
        np.testing.assert_allclose(
            seen, ops.take(weights[:, :, t : t + 1], order, axis=0), rtol=1e-5, atol=1e-6
        )
        order = order[::-1].copy()  # the rows change places, as in a beam search
        cache = keras.tree.map_structure(lambda a: ops.flip(a, axis=0), cache)


def test_the_masks_of_embeddings_reach_both_attentions() -> None:
    source, target = np.array([[5, 3, 2, 0], [4, 0, 0, 0]]), np.array([[1, 2, 0], [1, 2, 3]])
    embedding = keras.layers.Embedding(9, 6, mask_zero=True)
    encoder, decoder = TransformerEncoderLayer(2, 7), TransformerDecoderLayer(2, 7)
    encoded, weights = encoder(embedding(source), **SCORES)
    np.testing.assert_array_equal(encoded._keras_mask, source > 0)
    seen = ops.convert_to_numpy(weights)[:, 0, 0] > 0
    np.testing.assert_array_equal(seen, source > 0)
    output, self_weights, cross_weights = decoder(embedding(target), encoded, **SCORES)
    np.testing.assert_array_equal(output._keras_mask, target > 0)
    np.testing.assert_array_equal(ops.convert_to_numpy(cross_weights)[:, 0, 0] > 0, source > 0)
    np.testing.assert_array_equal(ops.convert_to_numpy(self_weights)[:, 0, 2] > 0, target > 0)


def test_a_step_of_a_layer_that_is_not_causal_is_refused() -> None:
    x = ops.array(sequence())
    layer = TransformerEncoderLayer(2, 7)
    layer(x)
    with pytest.raises(ValueError, match="`step` needs a layer with `causal=True`"):
        layer.step(x[:, :1], layer.empty_cache(2, 5), 0)


def test_an_activation_of_ones_own_goes_through_the_config() -> None:
    layer = TransformerEncoderLayer(2, 7, activation=keras.activations.swish)
    copy = TransformerEncoderLayer.from_config(layer.get_config())
    assert copy.activation is keras.activations.swish
    layer = TransformerEncoderLayer(2, 7, activation="gelu_tanh")
    assert layer.get_config()["activation"] == "gelu_tanh"
