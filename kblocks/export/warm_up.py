"""Warm-up requests, which TensorFlow Serving replays before a new version answers.

`assets.extra/tf_serving_warmup_requests` is a TFRecord file of PredictionLog messages
(https://www.tensorflow.org/tfx/serving/saved_model_warmup).
"""

from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from kblocks.export.servable import Request

MOST = 1000  # with more, TensorFlow Serving refuses to load the model


def write_warm_up(path: Path, model: str, requests: Sequence[Request]) -> None:
    """Write the requests into the SavedModel at `path`, which will be served as `model`."""
    extra = path / "assets.extra"
    extra.mkdir()
    with tf.io.TFRecordWriter(str(extra / "tf_serving_warmup_requests")) as writer:
        for request in requests:
            writer.write(prediction_log(model, request))


def prediction_log(model: str, request: Request) -> bytes:
    """A `tensorflow.serving.PredictionLog`, serialised.

    The messages have nothing but fields that carry their length, so they are written here as they
    stand in the wire format, and `tensorflow-serving-api` is not needed:

        PredictionLog.predict_log = 6    PredictLog.request = 1
        PredictRequest.model_spec = 1    PredictRequest.inputs = 2 (a map: key = 1, value = 2)
        ModelSpec.name = 1               ModelSpec.signature_name = 3
    """
    spec = _field(1, model.encode()) + _field(3, request.signature.encode())
    predict = _field(1, spec)
    for name, value in sorted(request.inputs.items()):
        tensor = tf.make_tensor_proto(value).SerializeToString()
        predict += _field(2, _field(1, name.encode()) + _field(2, tensor))
    return _field(6, _field(1, predict))


def _field(number: int, content: bytes) -> bytes:
    """A field of wire type 2: its tag, its length, its content."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; the eighth says that more follow."""
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])
