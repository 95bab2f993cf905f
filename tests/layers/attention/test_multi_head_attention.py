"""Multi-head attention: contract, Keras' layer, masks, caches, wrong input."""

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from kblocks.layers import MultiHeadAttention
from kblocks.layers.attention.key_value import KeyValue
from tests.contract import NUMBERS_ONLY, check_layer
from tests.layers.attention.samples import memory_mask, query_mask, sample
from tests.reference import transformer as reference

SCORES = {"return_attention_scores": True}
ARGUMENTS = {"num_heads": 2, "key_dim": 3, "value_dim": 7}
KEY_BIAS = {"b_K": "it adds the same to all scores of a query"}


def test_contract() -> None:
    check_layer(
        MultiHeadAttention,
        ARGUMENTS,
        sample(3, 6),
        reference.multi_head_attention,
        call=SCORES,
        mask={"query": query_mask(), "value": memory_mask()},
        output_mask="query",
        left_padded=True,
        zero_gradients=KEY_BIAS,
        bad_arguments=[{"output_shape": 0}, {"output_shape": (2, 3)}],
    )


def test_contract_with_key_and_masks_by_head() -> None:
    attention_mask = np.random.default_rng(5).random((2, 2, 5, 4)) < 0.7
    attention_mask[0, :, 2] = False  # a query with nothing to look at
    attention_mask[1, :, :, 0] = True
    inputs = {**sample(3, with_key=True), "attention_mask": attention_mask.astype("int32")}
    check_layer(
        MultiHeadAttention,
        {**ARGUMENTS, "use_bias": False, "output_shape": 5},
        inputs,
        reference.multi_head_attention,
        call=SCORES,
        mask={"query": query_mask(), "value": memory_mask(), "key": memory_mask()},
        output_mask="query",
        left_padded=True,
        free={"attention_mask": (2, 3)},
        bad_inputs=[
            ({"attention_mask": attention_mask[0, 0, 0]}, "attention_mask"),
            ({"attention_mask": attention_mask[..., :3]}, "attention_mask"),
            ({"attention_mask": attention_mask[:, 0].swapaxes(1, 2)}, "attention_mask"),
            ({"value": inputs["value"][:, :3]}, "value"),
        ],
    )


def test_contract_of_causal_self_attention() -> None:
    x = sample()["query"]
    check_layer(
        MultiHeadAttention,
        {"num_heads": 2, "key_dim": 4},
        {"query": x, "value": x[:, ::-1].copy()},
        reference.multi_head_attention,
        call={**SCORES, "use_causal_mask": True},
        mask={"query": query_mask(), "value": query_mask()},
        output_mask="query",
        zero_gradients=KEY_BIAS,
        skip=NUMBERS_ONLY,
    )


@pytest.mark.parametrize("with_key", [False, True])
@pytest.mark.parametrize("use_bias", [False, True])
@pytest.mark.parametrize("mask", [None, "padding", "attention", "causal", "all"])
def test_weights_go_to_keras_and_back(mask: str | None, use_bias: bool, with_key: bool) -> None:
    inputs = {name: ops.array(x) for name, x in sample(3, 6, with_key).items()}
    arguments = {**ARGUMENTS, "use_bias": use_bias, "output_shape": 5 if with_key else None}
    ours, theirs = MultiHeadAttention(**arguments), keras.layers.MultiHeadAttention(**arguments)
    shapes = {f"{name}_shape": x.shape for name, x in inputs.items()}
    ours.build(**shapes)
    theirs.build(**shapes)
    rng = np.random.default_rng(2)
    weights = [rng.normal(size=w.shape) for w in theirs.get_weights()]
    theirs.set_weights(weights)
    ours.set_weights(theirs.get_weights())
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    call: dict[str, Any] = dict(SCORES)
    if mask in ("padding", "all"):
        call["value_mask"] = ops.array(memory_mask())
    if mask in ("attention", "all"):
        allowed = rng.random((2, 5, 4)) < 0.7
        allowed[:, :, 0] = True  # where nothing is left Keras' layer gives the mean of all values
        call["attention_mask"] = ops.array(allowed)
    if mask in ("causal", "all"):
        call["use_causal_mask"] = True
    for actual, expected in zip(ours(**inputs, **call), theirs(**inputs, **call), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


def test_a_fresh_projection_has_the_spread_of_its_matrix() -> None:
    """Keras' takes the axes of (512, 8, 64) for a convolution's: a sixth of the range."""
    layer = MultiHeadAttention(8, 64)
    layer.build((None, None, 512), (None, None, 512))
    limit = np.sqrt(6 / (512 + 512))
    for weight in (layer.W_Q, layer.W_K, layer.W_V, layer.W_O):
        largest = np.abs(weight.numpy()).max()
        assert 0.99 * limit < largest <= limit
    assert not np.array_equal(layer.W_Q.numpy(), layer.W_K.numpy())


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("causal", [False, True])
def test_a_row_without_any_position_gets_the_bias_alone(causal: bool, policy: str) -> None:
    x = ops.array(sample()["query"])
    layer = MultiHeadAttention(2, 3, dtype=policy)
    layer.build(x.shape, x.shape)
    layer.b_O.assign([1.0, 2.0, 3.0])
    mask = np.array([[False, True, True, True, True], [False] * 5])
    output, weights = layer(x, x, attention_mask=mask, use_causal_mask=causal, **SCORES)
    output, weights = (ops.convert_to_numpy(ops.cast(a, "float32")) for a in (output, weights))
    np.testing.assert_array_equal(output[1], [[1.0, 2.0, 3.0]] * 5)
    assert not weights[1].any()
    assert not weights[0, ..., 0].any()
    if causal:  # the first position of the first row sees itself alone, and that is padding
        np.testing.assert_array_equal(output[0, 0], [1.0, 2.0, 3.0])
    np.testing.assert_allclose(weights[0, :, 1:].sum(-1), 1.0, atol=1e-2)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_the_softmax_is_of_float32(policy: str) -> None:
    """4,096 equal scores: the sum of their exponentials is beyond what half precision adds up."""
    ones = np.ones((1, 4096, 1), "float32")
    layer = MultiHeadAttention(1, 1, kernel_initializer="ones", dtype=policy)
    output = layer(ones[:, :1], ones)
    np.testing.assert_allclose(ops.cast(output, "float32"), [[[1.0]]], rtol=1e-2)


def test_dropout_drops_in_training_what_is_returned_whole() -> None:
    inputs = sample()
    layer = MultiHeadAttention(2, 3, dropout=0.5, seed=3)
    plain, weights = layer(**inputs, **SCORES)
    dropped, in_training = layer(**inputs, training=True, **SCORES)
    np.testing.assert_allclose(in_training, weights)
    assert not np.allclose(dropped, plain)


def causal_layer() -> tuple[MultiHeadAttention, Any, Any]:
    """A built layer, a sequence of six positions, and what the layer gives at once."""
    x = ops.array(np.random.default_rng(6).normal(size=(3, 6, 4)).astype("float32"))
    layer = MultiHeadAttention(2, 3, value_dim=5)
    return layer, x, layer(x, x, use_causal_mask=True)


@pytest.mark.parametrize("by_row", [False, True])
def test_steps_on_a_cache_equal_the_whole(by_row: bool) -> None:
    layer, x, expected = causal_layer()
    cache = layer.empty_cache(3, length=8)
    for t in range(6):
        position = ops.array([t, t, t]) if by_row else t
        output, cache = layer.step(x[:, t : t + 1], cache, position)
        np.testing.assert_allclose(output, expected[:, t : t + 1], rtol=1e-5, atol=1e-6)
    assert cache.key.shape == (3, 2, 8, 3)
    assert cache.value.shape == (3, 2, 8, 5)


def test_rows_of_a_cache_may_change_places() -> None:
    """As in a beam search: what a row has read so far moves with it."""
    layer, x, _ = causal_layer()
    cache = layer.empty_cache(3, length=6)
    order = np.arange(3)
    rng = np.random.default_rng(3)
    read = np.zeros((3, 0, 4), "float32")
    for t in range(6):
        new = ops.convert_to_numpy(x)[order][:, t : t + 1]
        read = np.concatenate([read, new], axis=1)
        output, cache = layer.step(ops.array(new), cache, ops.array([t] * 3))
        whole = layer(read, read, use_causal_mask=True)
        np.testing.assert_allclose(output, whole[:, -1:], rtol=1e-5, atol=1e-6)
        rows = rng.integers(3, size=3)  # some twice, some not at all
        order, read = order[rows], read[rows]
        cache = keras.tree.map_structure(lambda a, rows=rows: ops.take(a, rows, axis=0), cache)


def test_a_prompt_is_read_at_once() -> None:
    layer, x, expected = causal_layer()
    output, cache = layer.step(x[:, :4], layer.empty_cache(3, length=6), 0)
    np.testing.assert_allclose(output, expected[:, :4], rtol=1e-5, atol=1e-6)
    output, cache = layer.step(x[:, 4:], cache, 4)
    np.testing.assert_allclose(output, expected[:, 4:], rtol=1e-5, atol=1e-6)
    one_by_one = layer.empty_cache(3, length=6)
    for t in range(6):
        _, one_by_one = layer.step(x[:, t : t + 1], one_by_one, t)
    for a, b in zip(cache, one_by_one, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_prompts_of_other_lengths_go_on_at_their_own_ends() -> None:
    layer, x, _ = causal_layer()
    lengths = np.array([2, 4, 1])
    _, cache = layer.step(x[:, :4], layer.empty_cache(3, length=6), 0)
    for t in range(2):
        output, cache = layer.step(x[:, 4 + t : 5 + t], cache, ops.array(lengths + t))
        for row, length in enumerate(lengths):
            read = ops.concatenate([x[row : row + 1, :length], x[row : row + 1, 4 : 5 + t]], axis=1)
            whole = layer(read, read, use_causal_mask=True)
            np.testing.assert_allclose(output[row], whole[0, -1:], rtol=1e-5, atol=1e-6)


def test_prompts_padded_on_the_left_are_masked() -> None:
    layer, x, _ = causal_layer()
    mask = np.array([[0, 0, 1, 1, 1, 1], [1] * 6, [0, 1, 1, 1, 1, 1]], bool)
    expected = layer(x, x, attention_mask=mask, use_causal_mask=True)
    output, cache = layer.step(x[:, :4], layer.empty_cache(3, length=6), 0, mask)
    np.testing.assert_allclose(output, expected[:, :4], rtol=1e-5, atol=1e-6)
    for t in (4, 5):
        output, cache = layer.step(x[:, t : t + 1], cache, t, mask)
        np.testing.assert_allclose(output, expected[:, t : t + 1], rtol=1e-5, atol=1e-6)


def test_a_memory_is_projected_once() -> None:
    inputs = {name: ops.array(x) for name, x in sample(3, with_key=True).items()}
    query, value, key = inputs["query"], inputs["value"], inputs["key"]
    layer = MultiHeadAttention(**ARGUMENTS)
    mask = ops.array(memory_mask())
    output, weights = layer(query, value, key, attention_mask=mask, **SCORES)
    memory = layer.project_memory(value, key)
    steps = [layer.attend(query[:, t : t + 1], memory, mask) for t in range(5)]
    np.testing.assert_allclose(
        ops.concatenate([step[0] for step in steps], 1), output, rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(
        ops.concatenate([step[1] for step in steps], 2), weights, rtol=1e-5, atol=1e-6
    )


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="compiles with tf.function")
@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_steps_compile_in_a_loop_with_a_free_batch(policy: str, jit_compile: bool) -> None:
    import tensorflow as tf

    layer = MultiHeadAttention(2, 3, dtype=policy)
    x = np.random.default_rng(6).normal(size=(3, 6, 4)).astype("float32")
    expected = layer(x, x, use_causal_mask=True)

    @tf.function(
        input_signature=[tf.TensorSpec((None, 6, 4))], jit_compile=jit_compile, autograph=False
    )
    def decode(x: Any) -> Any:
        batch = ops.shape(x)[0]

        def body(t: Any, at: Any, cache: KeyValue, outputs: Any) -> tuple:
            output, cache = layer.step(ops.take(x, [t], axis=1), cache, at)
            here = ops.expand_dims(ops.arange(6) == t, -1)
            return t + 1, at + 1, cache, ops.where(here, output, outputs)

        start = (0, ops.zeros((batch,), "int32"), layer.empty_cache(batch, 6))
        outputs = ops.zeros((batch, 6, 4), layer.compute_dtype)
        return ops.while_loop(lambda t, *_: t < 6, body, (*start, outputs))[-1]

    tolerance = 1e-5 if policy == "float32" else 1e-2
    np.testing.assert_allclose(decode(x), expected, rtol=tolerance, atol=tolerance)


def test_wrong_steps() -> None:
    layer, x, _ = causal_layer()
    cache = layer.empty_cache(3, length=5)
    with pytest.raises(ValueError, match=r"`position` must leave room for 2 more .* 5 .* got 4"):
        layer.step(x[:, :2], cache, 4)
    with pytest.raises(ValueError, match="`length` must be a positive integer, got 0"):
        layer.empty_cache(3, length=0)
    with pytest.raises(ValueError, match=r"`attention_mask` must have shape .* got \(3, 4\)"):
        layer.step(x[:, :1], cache, 0, np.ones((3, 4), bool))
    with pytest.raises(ValueError, match=r"`mask` must have shape .* got \(2, 5\)"):
        layer.attend(x[:, :1], cache, np.ones((2, 5), bool))


def test_sequences_without_positions() -> None:
    layer, x, _ = causal_layer()
    assert layer(x[:, :0], x).shape == (3, 0, 4)
    output = layer(x, x[:, :0])  # nothing to read: the bias alone
    np.testing.assert_array_equal(output, np.zeros((3, 6, 4)))


def test_the_output_shape_is_known_once_built() -> None:
    layer = MultiHeadAttention(2, 3)
    assert layer.output_shape == (None, None, None)
    layer.build((None, None, 4), (None, None, 6))
    assert layer.output_shape == (None, None, 4)
