"""The warm-up requests, parsed by an independent reading of TensorFlow Serving's messages."""

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from tensorflow.core.framework import tensor_pb2

from kblocks.export import Request
from kblocks.export.warm_up import prediction_log

# tensorflow_serving/apis/{model,predict,prediction_log}.proto, field by field.
FIELDS = {
    "ModelSpec": [("name", 1, "string"), ("signature_name", 3, "string")],
    "PredictRequest": [("model_spec", 1, "ModelSpec"), ("inputs", 2, "Entry")],
    "PredictLog": [("request", 1, "PredictRequest")],
    "PredictionLog": [("predict_log", 6, "PredictLog")],
    "Entry": [("key", 1, "string"), ("value", 2, "bytes")],
}

REQUEST = Request("other", {"text": ["Größe", ""], "x": np.arange(600, dtype="float32")})


@pytest.fixture(scope="module")
def message_class():
    """PredictionLog from the table above, in a pool of its own."""
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="log.proto", package="t", syntax="proto3")
    for name, fields in FIELDS.items():
        message = file.message_type.add(name=name)
        for key, number, kind in fields:
            added = message.field.add(name=key, number=number, label=field.LABEL_OPTIONAL)
            if kind in FIELDS:
                added.type, added.type_name = field.TYPE_MESSAGE, f".t.{kind}"
            else:
                added.type = {"string": field.TYPE_STRING, "bytes": field.TYPE_BYTES}[kind]
            if kind == "Entry":
                added.label = field.LABEL_REPEATED
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.PredictionLog"))


def test_a_request_reads_back(message_class):
    request = message_class.FromString(prediction_log("name", REQUEST)).predict_log.request
    assert (request.model_spec.name, request.model_spec.signature_name) == ("name", "other")
    _check({entry.key: tensor_pb2.TensorProto.FromString(entry.value) for entry in request.inputs})


def test_a_request_reads_back_with_the_real_messages():
    prediction_log_pb2 = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    log = prediction_log_pb2.PredictionLog.FromString(prediction_log("name", REQUEST))
    assert log.WhichOneof("log_type") == "predict_log"
    request = log.predict_log.request
    assert (request.model_spec.name, request.model_spec.signature_name) == ("name", "other")
    _check(request.inputs)


def _check(inputs):
    assert tf.make_ndarray(inputs["text"]).tolist() == ["Größe".encode(), b""]
    assert tf.make_ndarray(inputs["x"]).tolist() == list(range(600))
    assert len(inputs) == 2


def test_an_export_has_its_requests_and_they_run(exported, message_class):
    path = exported / "assets.extra" / "tf_serving_warmup_requests"
    signature = tf.saved_model.load(str(exported)).signatures["serving_default"]
    sizes = []
    for record in tf.data.TFRecordDataset(str(path)):
        request = message_class.FromString(record.numpy()).predict_log.request
        assert request.model_spec.name == "tiny"
        assert request.model_spec.signature_name == "serving_default"
        [entry] = request.inputs
        text = tf.make_ndarray(tensor_pb2.TensorProto.FromString(entry.value))
        sizes.append(len(signature(**{entry.key: tf.constant(text)})["translation"]))
    assert sizes == [1, 3]
