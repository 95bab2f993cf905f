"""The export behind TensorFlow Serving's interfaces: the real server, and a stand-in over gRPC."""

import contextlib
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from concurrent import futures

import numpy as np
import pytest
import tensorflow as tf

TEXTS = ["Click the button.", "", "Größe 日本 🙂"]


@pytest.fixture(scope="module")
def expected(translator):
    return {name: value.numpy() for name, value in translator.translate(TEXTS).items()}


@pytest.fixture(scope="module")
def model_server(exported, tmp_path_factory):
    """The ports of a running `tensorflow_model_server`, REST and gRPC."""
    if (binary := shutil.which("tensorflow_model_server")) is None:
        pytest.skip("tensorflow_model_server is not on PATH")
    rest, grpc = _free_port(), _free_port()
    log = (tmp_path_factory.mktemp("server") / "log").open("w+")
    arguments = [f"--rest_api_port={rest}", f"--port={grpc}", "--model_name=tiny"]
    arguments += [f"--model_base_path={exported.parent.resolve()}"]
    server = subprocess.Popen([binary, *arguments], stdout=log, stderr=log)
    try:
        for _ in range(120):
            with contextlib.suppress(urllib.error.URLError, ConnectionError):
                status = _ask(f"http://127.0.0.1:{rest}/v1/models/tiny")
                if status["model_version_status"][0]["state"] == "AVAILABLE":
                    break
            if server.poll() is not None:
                break
            time.sleep(0.5)
        else:
            pytest.fail("the server did not load the export within a minute")
        log.seek(0)
        assert server.poll() is None, log.read()[-3000:]
        yield rest, grpc
    finally:
        server.terminate()
        server.wait(30)
        log.close()


def _free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def _ask(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(url, data, timeout=60) as response:
        return json.load(response)


def test_rest(model_server, expected):
    url = f"http://127.0.0.1:{model_server[0]}/v1/models/tiny:predict"
    rows = _ask(url, {"instances": TEXTS})["predictions"]
    assert [row["translation"].encode() for row in rows] == expected["translation"].tolist()
    for name in ("score", "alignment"):
        np.testing.assert_allclose([row[name] for row in rows], expected[name], atol=1e-5)
    # The sample of the documentation has the form of the real answer.
    from tools.serving_sample import as_json

    ours = json.loads(as_json({name: value.tolist() for name, value in expected.items()}))
    assert [sorted(row) for row in rows] == [list(row) for row in ours["predictions"]]


def test_the_grpc_client_with_the_real_server(model_server, expected):
    client = _client()
    outputs = client.predict(TEXTS, f"127.0.0.1:{model_server[1]}", "tiny")
    _check(outputs, expected)


def test_the_grpc_client_with_a_stand_in(exported, expected):
    """The server's side is the messages of TensorFlow Serving and the loaded signature."""
    client = _client()
    import grpc
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    loaded = tf.saved_model.load(str(exported))
    asked = []

    class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, request, context):
            asked.append((request.model_spec.name, list(request.output_filter)))
            inputs = {name: tf.make_ndarray(x) for name, x in request.inputs.items()}
            signature = loaded.signatures[request.model_spec.signature_name]
            response = predict_pb2.PredictResponse()
            for name, value in signature(
                **{name: tf.constant(x, tf.string) for name, x in inputs.items()}
            ).items():
                if not request.output_filter or name in request.output_filter:
                    response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
            return response

    server = grpc.server(futures.ThreadPoolExecutor(1))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Service(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        _check(client.predict(TEXTS, f"127.0.0.1:{port}", "tiny"), expected)
        filtered = client.predict(TEXTS, f"127.0.0.1:{port}", "tiny", only=["score"])
    finally:
        server.stop(None)
    assert set(filtered) == {"score"}
    assert asked == [("tiny", []), ("tiny", ["score"])]


def _client():
    pytest.importorskip("tensorflow_serving", reason="needs tensorflow-serving-api")
    from tools import grpc_client

    return grpc_client


def _check(outputs, expected):
    assert set(outputs) == set(expected)
    for name, value in expected.items():
        if value.dtype == object:
            assert outputs[name].tolist() == value.tolist(), name
        else:
            np.testing.assert_allclose(outputs[name], value, atol=1e-5, err_msg=name)
