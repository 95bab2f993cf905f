"""Translate sentences with TensorFlow Serving over gRPC.

    pip install tensorflow-serving-api
    python tools/grpc_client.py "Click the button." "Close the window."

Needs a server: docs/serving.md says how to start one.
"""

import argparse
from collections.abc import Sequence

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc


def predict(
    texts: Sequence[str],
    server: str = "localhost:8500",
    model: str = "translator-en-de",
    only: Sequence[str] = (),
    seconds: float = 30.0,
) -> dict[str, np.ndarray]:
    """Ask for the named outputs of a batch of sentences, or for those in `only`."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = "serving_default"
    request.inputs["text"].CopyFrom(tf.make_tensor_proto(list(texts), tf.string))
    request.output_filter.extend(only)
    with grpc.insecure_channel(server) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        response = stub.Predict(request, timeout=seconds)
    return {name: tf.make_ndarray(tensor) for name, tensor in response.outputs.items()}


def main() -> None:
    """Run the client."""
    parser = argparse.ArgumentParser(description="Translate with TensorFlow Serving over gRPC.")
    parser.add_argument("texts", nargs="+", metavar="TEXT")
    parser.add_argument("--server", default="localhost:8500")
    parser.add_argument("--model", default="translator-en-de")
    arguments = parser.parse_args()
    outputs = predict(
        arguments.texts, arguments.server, arguments.model, only=["translation", "score"]
    )
    for translation, score in zip(outputs["translation"], outputs["score"], strict=True):
        print(f"{score:8.3f}  {translation.decode()}")


if __name__ == "__main__":
    main()
