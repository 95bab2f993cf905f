"""Plain Keras models: names, free axes, float32 also in mixed precision."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kblocks
from kblocks.export import ServableModel, save


def _signature(model, tmp_path):
    loaded = tf.saved_model.load(str(save(model, tmp_path)))
    signature = loaded.signatures["serving_default"]
    signature.keep = loaded
    return signature


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16", "float64"])
def test_names_free_axes_and_float32(policy, tmp_path):
    keras.config.set_dtype_policy(policy)
    inputs = {
        "ids": keras.Input((None,), dtype="int32", name="ids"),
        "bias": keras.Input((4,), name="bias"),
    }
    embedded = keras.layers.Embedding(9, 4, mask_zero=True)(inputs["ids"])
    states = kblocks.layers.LSTM(4, return_sequences=True)(embedded)
    pooled = keras.layers.GlobalAveragePooling1D()(states)
    outputs = {"states": states, "sum": keras.layers.Add()([pooled, inputs["bias"]])}
    model = keras.Model(inputs, {**outputs, "ids": inputs["ids"]})

    signature = _signature(model, tmp_path)
    specs = signature.structured_input_signature[1]
    assert {name: spec.shape.as_list() for name, spec in specs.items()} == {
        "ids": [None, None],
        "bias": [None, 4],
    }
    assert {name: spec.dtype for name, spec in signature.structured_outputs.items()} == {
        "states": tf.float32,
        "sum": tf.float32,
        "ids": tf.int32,
    }
    for shape in ((1, 2), (3, 7)):
        sample = {
            "ids": np.arange(shape[0] * shape[1], dtype="int32").reshape(shape) % 5,
            "bias": np.ones((shape[0], 4), specs["bias"].dtype.as_numpy_dtype),
        }
        served = signature(**{name: tf.constant(value) for name, value in sample.items()})
        expected = model({name: tf.constant(value) for name, value in sample.items()})
        for name, value in expected.items():
            np.testing.assert_allclose(
                served[name].numpy(), keras.ops.cast(value, served[name].dtype.name), atol=1e-5
            )


def test_a_half_input_is_taken_as_float32(tmp_path):
    inputs = keras.Input((3,), dtype="bfloat16", name="x")
    signature = _signature(keras.Model(inputs, keras.ops.add(inputs, 1)), tmp_path)
    assert signature.structured_input_signature[1]["x"].dtype == tf.float32
    [output] = signature(x=tf.ones((2, 3))).values()
    assert output.numpy().tolist() == [[2.0] * 3] * 2


def test_names_of_plain_structures():
    a, b = keras.Input((2,), name="a"), keras.Input((2,), name="b")
    attention = kblocks.layers.Attention(score="dot", name="attention")
    query = keras.layers.Reshape((2, 1))(a)
    outputs = attention(query, value=query, return_attention_scores=True)
    listed = ServableModel(keras.Model([a, b], [*outputs, keras.layers.Add(name="sum")([a, b])]))
    assert set(listed.inputs) == {"a", "b"}
    traced = listed.signatures()["serving_default"]
    assert set(traced.structured_outputs) == {"attention", "attention_1", "sum"}

    nested = ServableModel(keras.Model({"x": [a, b]}, {"y": {"sum": keras.ops.add(a, b)}}))
    assert set(nested.inputs) == {"x_0", "x_1"}
    assert set(nested.signatures()["serving_default"].structured_outputs) == {"y_sum"}


def test_a_sequential_model_of_one_dict_input_and_strings(tmp_path):
    vocabulary = keras.layers.StringLookup(vocabulary=["a", "b"], name="index")
    model = keras.Sequential([keras.Input((2,), dtype="string", name="word"), vocabulary])
    signature = _signature(model, tmp_path)
    assert signature(word=tf.constant([["b", "z"]]))["index"].numpy().tolist() == [[2, 0]]


def test_dropout_is_off(tmp_path):
    model = keras.Sequential([keras.Input((50,), name="x"), keras.layers.Dropout(0.5, name="y")])
    signature = _signature(model, tmp_path)
    assert signature(x=tf.ones((1, 50)))["y"].numpy().tolist() == [[1.0] * 50]
