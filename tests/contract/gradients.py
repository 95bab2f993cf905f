"""Gradients of a fixed random projection of the outputs, on each backend and of the reference."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from tests.contract.case import Case, Flat, as_numpy, as_tensor, is_float, named_weights

Gradients = dict[str, np.ndarray]


def projection(outputs: Sequence[np.ndarray]) -> list[np.ndarray | None]:
    """Random weights for each float output, the same for the same shapes."""
    rng = np.random.default_rng(7)
    return [rng.normal(size=o.shape) if is_float(o) else None for o in map(np.asarray, outputs)]


def project(outputs: Any, weights: Sequence[np.ndarray | None]) -> Any:
    """The sum over all outputs of output times weight: a scalar to differentiate."""
    total = 0.0
    for output, weight in zip(keras.tree.flatten(outputs), weights, strict=True):
        if weight is not None:
            # In float32 at least: half outputs are not to be summed in half.
            dtype = keras.backend.result_type(output.dtype, "float32")
            output = keras.ops.cast(output, dtype)
            total = total + keras.ops.sum(output * keras.ops.convert_to_tensor(weight, dtype))
    return total


def layer_gradients(
    case: Case,
    layer: keras.layers.Layer,
    weights: Sequence[np.ndarray | None],
    inputs: Flat | None = None,
    mask: Mapping[str, Any] | None = None,
) -> Gradients:
    """Of the projected outputs, for each trainable weight and each float input."""
    flat = case.flat() if inputs is None else inputs
    dtype = layer.dtype_policy.variable_dtype
    leaves = {path: as_tensor(a, dtype) for path, a in flat.items() if is_float(a)}
    rest = {path: as_tensor(a, dtype) for path, a in flat.items() if not is_float(a)}
    variables = {p: v for p, v in named_weights(layer).items() if v.trainable}

    def loss(leaves: Mapping[str, Any], run: Callable) -> Any:
        return project(run(case.repack({**leaves, **rest})), weights)

    differentiate = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}
    found = differentiate[keras.backend.backend()](case, layer, variables, leaves, loss, mask)
    shapes = {**variables, **leaves}
    return {
        path: np.zeros(shapes[path].shape) if g is None else as_numpy(g)
        for path, g in found.items()
    }


def _tensorflow(
    case: Case, layer: Any, variables: dict, leaves: dict, loss: Callable, mask: Any
) -> dict[str, Any]:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(leaves)
        value = loss(leaves, lambda inputs: case.run(layer, inputs, mask))
    sources = {**{path: v.value for path, v in variables.items()}, **leaves}
    gradients = tape.gradient(value, sources)
    return {path: None if g is None else tf.convert_to_tensor(g) for path, g in gradients.items()}


def _jax(
    case: Case, layer: Any, variables: dict, leaves: dict, loss: Callable, mask: Any
) -> dict[str, Any]:
    import jax

    fixed = [v.value for v in layer.non_trainable_variables]
    # `stateless_call` hands `training` on even to a `call` that does not take it.
    flags = {"training": False} if "training" in inspect.signature(layer.call).parameters else {}
    paths = {id(v): path for path, v in variables.items()}

    def stateless(trainable: list, leaves: dict) -> Any:
        def run(inputs: dict) -> Any:
            (_, first), *others = inputs.items()
            return layer.stateless_call(
                trainable, fixed, first, **dict(others), **case.call, **flags
            )[0]

        return loss(leaves, run)

    trainable = [v.value for v in layer.trainable_variables]
    of_weights, of_leaves = jax.jit(jax.grad(stateless, argnums=(0, 1)))(trainable, leaves)
    named = zip(layer.trainable_variables, of_weights, strict=True)
    return {**{paths[id(v)]: gradient for v, gradient in named}, **of_leaves}


def _torch(
    case: Case, layer: Any, variables: dict, leaves: dict, loss: Callable, mask: Any
) -> dict[str, Any]:
    for leaf in leaves.values():
        leaf.requires_grad_(True)
    loss(leaves, lambda inputs: case.run(layer, inputs, mask)).backward()
    found = {path: v.value.grad for path, v in variables.items()}
    return {**found, **{path: leaf.grad for path, leaf in leaves.items()}}


def reference_slopes(
    case: Case, weights: Sequence[np.ndarray | None], paths: Sequence[str], seed: int
) -> dict[str, tuple[np.ndarray, float]]:
    """For each path a random direction and the projected reference's slope along it."""
    rng = np.random.default_rng(seed)

    def value(changed: str, to: np.ndarray) -> float:
        given_weights, flat = dict(case.weights), case.flat()
        (given_weights if changed in given_weights else flat)[changed] = to
        outputs = case.expected(given_weights, case.repack(flat))
        return sum(
            float((o * w).sum()) for o, w in zip(outputs, weights, strict=True) if w is not None
        )

    slopes = {}
    for path in paths:
        at = (case.weights[path] if path in case.weights else case.flat()[path]).astype("float64")
        direction = rng.normal(size=at.shape)
        step = 1e-6 * direction
        slopes[path] = (direction, (value(path, at + step) - value(path, at - step)) / 2e-6)
    return slopes
