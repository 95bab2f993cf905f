"""Feed-forward network, layer normalisation and positions: contract, edges, wrong input."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from kblocks import layers
from kblocks.layers.transformer.activations import get_activation
from tests.contract import NUMBERS_ONLY, check_layer
from tests.layers.transformer.samples import mask, sequence
from tests.reference import transformer as reference


@pytest.mark.parametrize("activation", ["relu", "gelu", "gelu_tanh"])
def test_contract_of_feed_forward(activation: str) -> None:
    check_layer(
        layers.FeedForward,
        {"intermediate_dim": 7, "activation": activation},
        sequence(),
        reference.feed_forward,
        mask=mask(),
        output_mask="inputs",
        left_padded=True,
        skip={} if activation == "gelu_tanh" else NUMBERS_ONLY,
    )


def test_contract_of_layer_normalization() -> None:
    check_layer(
        layers.LayerNormalization,
        {"epsilon": 1e-3},
        sequence(),
        reference.layer_normalization,
        mask=mask(),
        output_mask="inputs",
        left_padded=True,
        bad_arguments=[{"epsilon": 0.0}],
    )


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_layer_normalization_takes_the_weights_of_keras(policy: str) -> None:
    x = 300 * sequence() + 100  # squares beyond what float16 holds
    ours = layers.LayerNormalization(1e-3, dtype=policy)
    theirs = keras.layers.LayerNormalization(epsilon=1e-3)
    expected = theirs(x)
    theirs.set_weights([w + np.arange(6) for w in theirs.get_weights()])
    expected = theirs(x)
    ours.build(x.shape)
    ours.set_weights(theirs.get_weights())
    tolerance = 1e-5 if policy == "float32" else 5e-2
    np.testing.assert_allclose(ops.cast(ours(x), "float32"), expected, tolerance, tolerance)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="only there it is by hand")
def test_layer_normalization_says_that_it_can_be_differentiated_once() -> None:
    import tensorflow as tf

    layer, x = layers.LayerNormalization(), tf.constant(sequence())
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = tf.reduce_sum(layer(x) ** 2)
        dx = inner.gradient(y, x)
    with pytest.raises(LookupError, match="can be differentiated once"):
        outer.gradient(dx, x)


@pytest.mark.parametrize("features", [6, 7])
def test_contract_of_sinusoidal_position_encoding(features: int) -> None:
    check_layer(
        layers.SinusoidalPositionEncoding,
        {"max_wavelength": 10000.0},
        sequence(features),
        reference.sinusoidal_position_encoding,
        mask=mask(),
        output_mask="inputs",
        bad_arguments=[{"max_wavelength": 0.0}],
        call={} if features == 6 else {"start": 3},
        skip={} if features == 6 else NUMBERS_ONLY,
    )


def test_sinusoidal_positions_far_away_are_those_of_float64() -> None:
    layer = layers.SinusoidalPositionEncoding()
    x = np.zeros((1, 4, 8), "float32")
    actual = layer(x, start=5000)
    expected = reference.sinusoidal_position_encoding({}, x.astype("float64"), start=5000)
    np.testing.assert_allclose(actual, expected, atol=1e-3)


def test_sinusoidal_positions_stay_apart_in_half_precision() -> None:
    layer = layers.SinusoidalPositionEncoding(dtype="mixed_bfloat16")
    encoding = ops.convert_to_numpy(ops.cast(layer(np.zeros((1, 600, 64))), "float32"))[0]
    assert len(np.unique(encoding, axis=0)) == 600


@pytest.mark.parametrize("start", [0, 2])
def test_contract_of_learned_position_embedding(start: int) -> None:
    check_layer(
        layers.LearnedPositionEmbedding,
        {"max_length": 8},
        sequence(),
        reference.learned_position_embedding,
        mask=mask(),
        output_mask="inputs",
        call={"start": start} if start else {},
        skip=NUMBERS_ONLY if start else {},
        bad_inputs=[({"inputs": sequence(time=9)}, "max_length")],
    )


@pytest.mark.parametrize(
    "layer", [layers.SinusoidalPositionEncoding(), layers.LearnedPositionEmbedding(9)]
)
def test_a_step_gets_the_row_of_its_position(layer: keras.layers.Layer) -> None:
    x = ops.array(sequence())
    whole = layer(x)
    for t in range(5):
        for start in (t, ops.array(t), ops.array([t, t])):
            step = layer(x[:, t : t + 1], start=start)
            np.testing.assert_allclose(step, whole[:, t : t + 1], atol=1e-6)
    rows = layer(x, start=ops.array([1, 4]))
    for row, start in enumerate((1, 4)):
        np.testing.assert_allclose(rows[row], layer(x, start=start)[row], atol=1e-6)
    with pytest.raises(ValueError, match=r"`start` must be .* got shape \(2, 1\)"):
        layer(x, start=ops.array([[1], [4]]))


def test_a_position_without_a_vector_is_refused() -> None:
    layer, x = layers.LearnedPositionEmbedding(6), ops.array(sequence())
    message = "`inputs` must end within max_length=6 positions, got 5 positions from 2 on"
    for start in (2, ops.array(2), ops.array([0, 2])):
        with pytest.raises(ValueError, match=message):
            layer(x, start=start)
    with pytest.raises(ValueError, match="got 7 positions from 0 on"):
        layer(keras.Input((7, 6)))


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="compiles with tf.function")
@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_position_without_a_vector_is_no_number_where_time_is_free(jit_compile: bool) -> None:
    import tensorflow as tf

    layer = layers.LearnedPositionEmbedding(4)
    layer.build((None, None, 6))
    run = tf.function(
        layer, input_signature=[tf.TensorSpec((None, None, 6))], jit_compile=jit_compile
    )
    found = np.isnan(run(sequence()))
    assert found[:, 4].all()
    assert not found[:, :4].any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gelu_is_keras_own_also_in_its_gradient(dtype: str) -> None:
    x = tf.constant(np.linspace(-9, 9, 1001), dtype)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        ours, theirs = get_activation("gelu")(x), keras.activations.gelu(x)
    np.testing.assert_allclose(ours, theirs, atol=2e-6)
    np.testing.assert_allclose(tape.gradient(ours, x), tape.gradient(theirs, x), atol=2e-6)
    layer = layers.FeedForward(4, "gelu")
    assert layers.FeedForward.from_config(layer.get_config()).activation is layer.activation
