"""Symbolic shapes: free batch and free axes; what is promised agrees with what comes."""

import inspect
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from tests.contract.case import Case, assert_close, flat_numpy, flatten


def symbolic_inputs(case: Case, free: bool = True) -> dict[str, Any]:
    """Keras inputs by path, batch and free axes unknown."""
    inputs = {}
    for path, array in case.flat().items():
        axes = case.free_axes(path, array) if free else ()
        shape = [None if axis in axes else size for axis, size in enumerate(array.shape)]
        name = path.replace("/", "_")
        inputs[path] = keras.Input(shape[1:], dtype=_dtype(array), name=name)
    return inputs


def _dtype(array: np.ndarray) -> str:
    return "float32" if np.issubdtype(array.dtype, np.floating) else array.dtype.name


def check_shapes(case: Case) -> None:
    """A model with free axes runs on two sizes; the symbolic shapes are those that come."""
    assert type(case.make()).build is not keras.layers.Layer.build, "the layer has no `build`"
    layer = case.built()
    inputs = symbolic_inputs(case)
    outputs = case.apply(layer, case.repack(inputs))
    model = keras.Model(list(inputs.values()), keras.tree.flatten(outputs))
    for sample in (case.flat(), _longer(case)):
        expected = case.run(layer, case.repack(sample))
        keras.tree.assert_same_structure(
            keras.tree.map_structure(lambda _: 0, outputs),
            keras.tree.map_structure(lambda _: 0, expected),
        )
        actual = model([keras.ops.convert_to_tensor(sample[path]) for path in inputs])
        actual = flat_numpy(actual if isinstance(actual, (list, tuple)) else [actual])
        assert_close(actual, flat_numpy(expected), 1e-5, "symbolic call")
        for output, array in zip(keras.tree.flatten(outputs), actual, strict=True):
            agrees = len(output.shape) == array.ndim and all(
                size in (None, given) for size, given in zip(output.shape, array.shape, strict=True)
            )
            assert agrees, f"symbolic shape {output.shape}, but {array.shape} came"
            assert output.shape[0] is None, f"the symbolic batch is {output.shape[0]}"
            dtype = keras.backend.standardize_dtype(output.dtype)
            assert np.issubdtype(array.dtype, np.floating) == ("float" in dtype), (
                f"symbolic dtype {dtype}, but {array.dtype} came"
            )
        _check_compute_output_shape(case, layer, sample)
    _check_build(case, layer)


def _longer(case: Case) -> dict[str, np.ndarray]:
    """One more along each free axis and along the batch; equal sizes stay equal."""
    sample = {}
    for path, array in case.flat().items():
        for axis in (0, *case.free_axes(path, array)):
            last = np.take(array, [-1], axis)
            array = np.concatenate([array, last], axis)
        sample[path] = array
    return sample


def _shapes(case: Case, function: Any, sample: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The `..._shape` arguments that a method takes, as Keras hands them to `build`."""
    shapes = {
        f"{name}_shape": keras.tree.map_structure(np.shape, value)
        for name, value in case.repack(sample).items()
    }
    names = [p for p in inspect.signature(function).parameters if p.endswith("_shape")]
    if len(names) == 1:
        return {names[0]: next(iter(shapes.values()))}
    return {name: shape for name, shape in shapes.items() if name in names}


def _check_compute_output_shape(
    case: Case, layer: keras.layers.Layer, sample: dict[str, np.ndarray]
) -> None:
    method = layer.compute_output_shape
    overridden = type(layer).compute_output_shape is not keras.layers.Layer.compute_output_shape
    assert overridden, "the layer has no `compute_output_shape`"
    flags = {n: v for n, v in case.call.items() if n in inspect.signature(method).parameters}
    promised = method(**_shapes(case, method, sample), **flags)
    kept = {n: v for n, v in case.call.items() if n in flags or not n.startswith("return_")}
    outputs = case.run(layer, case.repack(sample), call=kept)
    actual = [tuple(o.shape) for o in keras.tree.flatten(outputs)]
    assert _flat_shapes(promised) == actual, f"compute_output_shape: {promised}, not {actual}"


def _flat_shapes(shapes: Any) -> list[tuple]:
    if isinstance(shapes, Mapping):
        return [flat for _, shape in sorted(shapes.items()) for flat in _flat_shapes(shape)]
    if isinstance(shapes, (list, tuple)) and not all(
        s is None or isinstance(s, int) for s in shapes
    ):
        return [flat for shape in shapes for flat in _flat_shapes(shape)]
    return [tuple(shapes)]


def _check_build(case: Case, called: keras.layers.Layer) -> None:
    """`build` alone makes all weights: what a call would add is lost when a model is loaded."""
    layer = case.make()
    layer.build(**_shapes(case, layer.build, case.flat()))
    built, all_weights = len(layer.weights), len(called.weights)
    assert built == all_weights, f"`build` makes {built} weights, the call {all_weights}"


__all__ = ["check_shapes", "flatten", "symbolic_inputs"]
