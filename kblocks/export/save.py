"""SavedModels for TensorFlow Serving: a new version, written whole or not at all."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from kblocks.export.servable import Request, Servable
from kblocks.export.servable_model import ServableModel
from kblocks.export.warm_up import MOST, write_warm_up
from kblocks.export.write_version import write_version


def save(
    model: Servable | keras.Model, directory: str | os.PathLike[str], version: int | None = None
) -> Path:
    """Export a model as `<directory>/<version>`, as TensorFlow Serving reads it.

    The export holds the graphs of the signatures and the variables and tables that they use, and
    nothing else: no optimizer, no training step. Its warm-up requests have been run before it is
    written. A version is never overwritten, and it appears whole or not at all: what an
    interrupted export leaves is no version to TensorFlow Serving, and the next export removes it.

    Args:
        model: A `Servable` such as `TextTranslator`, or a built Keras model: see `ServableModel`.
        directory: Where the versions are. Its name is the model's name to TensorFlow Serving.
        version: A number that is free; by default one more than the highest there.

    Returns:
        The path of the new version.

    Raises:
        ValueError: The model cannot be exported as it is, `version` is taken or is not a positive
            int, or `directory` is a file.
        OSError: The disk is full, or may not be written.

    Example:

    >>> import keras, pathlib, tempfile
    >>> from kblocks.export import save
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    >>> directory = pathlib.Path(tempfile.mkdtemp()) / "dense"
    >>> [save(model, directory).name for _ in range(2)]
    ['1', '2']
    """
    directory = Path(directory)
    servable = model if isinstance(model, Servable) else ServableModel(model)

    def write(path: Path) -> None:
        signatures = {name: _traced(f) for name, f in servable.signatures().items()}
        _check(signatures)
        requests = list(servable.warmup_requests())
        if len(requests) > MOST:
            raise ValueError(f"There may be at most {MOST} warm-up requests, got {len(requests)}.")
        for request in requests:
            _run(signatures, request)
        try:
            # Custom gradients would bring the functions of the backward pass along.
            options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
            tf.saved_model.save(_used(servable, signatures), path, signatures, options)
            write_warm_up(path, directory.resolve().name, requests)
        except tf.errors.OpError as error:
            raise OSError(
                f"{directory}: the export could not be written: {_last_line(error)}"
            ) from error

    return write_version(directory, version, write)


def _traced(function: Any) -> Any:
    return function if hasattr(function, "captured_inputs") else function.get_concrete_function()


def _check(signatures: Mapping[str, Any]) -> None:
    if "serving_default" not in signatures:
        raise ValueError(
            f"A servable must have the signature serving_default, got {[*signatures]}."
        )
    for name, function in signatures.items():
        outputs = function.structured_outputs
        if not isinstance(outputs, dict):
            raise ValueError(f"Signature {name!r} must return a dict of tensors, got {outputs!r}.")
        for key, output in outputs.items():
            if output.dtype in (tf.float16, tf.bfloat16):
                raise ValueError(
                    f"Signature {name!r} must not return half precision, which JSON cannot carry: "
                    f"cast {key!r} from {output.dtype.name} to float32."
                )


def _run(signatures: Mapping[str, Any], request: Request) -> None:
    """A request that fails would keep TensorFlow Serving from loading the model."""
    if request.signature not in signatures:
        raise ValueError(
            f"A warm-up request names no signature of {[*signatures]}: {request.signature!r}."
        )
    function = signatures[request.signature]

    def given(spec: tf.TensorSpec) -> Any:
        return tf.constant(request.inputs[spec.name], spec.dtype)

    try:
        args, kwargs = tf.nest.map_structure(given, function.structured_input_signature)
        function(*args, **kwargs)
    except (tf.errors.OpError, ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"The warm-up request to {request.signature!r} with the inputs {[*request.inputs]} "
            f"must run, and fails: {_last_line(error)}"
        ) from error


def _last_line(error: Exception) -> str:
    """The reason, which TensorFlow puts below a traceback of the graph."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _used(servable: Any, signatures: Mapping[str, Any]) -> tf.Module:
    """A module that holds the variables and tables which the signatures use, and no others."""
    captured = {id(x) for function in signatures.values() for x in function.captured_inputs}
    module = tf.Module(name="served")
    variables = {id(v): v for function in signatures.values() for v in function.variables}
    module.held_variables = list(variables.values())
    module.held_resources = [r for r in _resources(servable) if id(r.resource_handle) in captured]
    return module


def _resources(servable: Any) -> Iterator[Any]:
    for node in tf.train.TrackableView(servable).descendants():
        if isinstance(node, tf.saved_model.experimental.TrackableResource):
            yield node
