"""The numbers: equal to the reference, in every policy, and under XLA."""

import keras
import numpy as np

from tests.contract.case import Case, as_numpy, assert_close, flat_numpy, named_weights
from tests.contract.gradients import layer_gradients, project, projection, reference_slopes


def check_forward(case: Case) -> None:
    """Equal to the reference, and a `return_...` flag changes nothing else."""
    layer = case.built()
    outputs = flat_numpy(case.run(layer))
    assert_close(outputs, case.expected(), 1e-5, "forward")
    flags = {name: value for name, value in case.call.items() if name.startswith("return_")}
    if flags:
        rest = {name: value for name, value in case.call.items() if name not in flags}
        plain = flat_numpy(case.run(layer, call=rest))
        assert_close(plain, outputs[: len(plain)], 0.0, f"without {sorted(flags)}")


def check_gradients(case: Case) -> None:
    """Equal to finite differences of the reference, and zero only where that is said."""
    layer = case.built()
    weights = projection(case.expected())
    gradients = layer_gradients(case, layer, weights)
    unknown = set(case.zero_gradients) - set(gradients)
    assert not unknown, f"zero_gradients names {sorted(unknown)}; there are {sorted(gradients)}"
    largest = max((np.abs(g).max() for g in gradients.values() if g.size), default=0.0)
    for path, gradient in gradients.items():
        zero = not np.abs(gradient).max() > 1e-6 * largest
        if path in case.zero_gradients:
            reason = case.zero_gradients[path]
            assert zero, f"the gradient of {path} is not zero, though: {reason}"
        else:
            assert not zero, f"the gradient of {path} is zero"
    _compare_with_slopes(case, gradients, weights, 1e-4, largest)
    if keras.backend.backend() == "tensorflow":
        # float64 shows what float32's rounding would hide.
        exact = layer_gradients(case, case.built("float64"), weights)
        _compare_with_slopes(case, exact, weights, 1e-6, largest)
        # What is zero by nature has been held to zero above; here it would be rounding to rounding.
        paths = [path for path in gradients if path not in case.zero_gradients]
        found, truth = [gradients[path] for path in paths], [exact[path] for path in paths]
        assert_close(found, truth, 1e-3, f"gradients of {paths}")


def _compare_with_slopes(
    case: Case, gradients: dict, weights: list, tolerance: float, largest: float
) -> None:
    for seed in (1, 2):
        slopes = reference_slopes(case, weights, [*gradients], seed)
        for path, (direction, slope) in slopes.items():
            gradient = gradients[path]
            # A zero by nature is one to 1e-6 of the largest, as above: the rest is rounding.
            least = 1e-2 if path in case.zero_gradients and tolerance == 1e-4 else 1e-3
            size = np.linalg.norm(gradient) * np.linalg.norm(direction) + least * largest
            error = abs(float((gradient * direction).sum()) - slope) / size
            assert error <= tolerance, (
                f"the gradient of {path} is off by {error:.1e} along a random direction"
            )


def check_policies(case: Case) -> None:
    """Variables and outputs have the policy's dtypes; values and gradients stay near the truth."""
    expected = case.expected()
    weights = projection(expected)
    for policy, tolerance in (("float64", 1e-9), ("mixed_float16", 2e-2), ("mixed_bfloat16", 1e-1)):
        layer = case.built(policy)
        for path, variable in named_weights(layer).items():
            dtype = layer.dtype_policy.variable_dtype
            floating = keras.backend.is_float_dtype(variable.dtype)
            assert not floating or variable.dtype == dtype, f"{policy}: {path} is {variable.dtype}"
        outputs = keras.tree.flatten(case.run(layer))
        for output in outputs:
            dtype = keras.backend.standardize_dtype(output.dtype)
            assert not keras.backend.is_float_dtype(dtype) or dtype == layer.compute_dtype, (
                f"{policy}: an output is {dtype}, not {layer.compute_dtype}"
            )
        assert_close(flat_numpy(outputs), expected, tolerance, policy)
        masked = flat_numpy(case.run(layer, mask=case.mask)) if case.mask else []
        for values in [*masked, *layer_gradients(case, layer, weights, mask=case.mask).values()]:
            assert np.isfinite(values).all(), f"{policy}: not finite"


def check_xla(case: Case) -> None:
    """`jit_compile=True` with free dimensions: forward and gradients as in eager mode."""
    import tensorflow as tf

    layer = case.built()
    flat = case.flat()
    weights = projection(case.expected())
    sources = {path: v.value for path, v in named_weights(layer).items() if v.trainable}
    signature = {
        path: tf.TensorSpec(_free_shape(case, path, array), array.dtype)
        for path, array in flat.items()
    }

    def step(tensors: dict) -> tuple[list, dict]:
        watched = {path: tensors[path] for path in case.floats()}
        outputs, total = [], 0.0
        with tf.GradientTape() as tape:
            tape.watch(watched)
            for mask in [None, case.mask] if case.mask else [None]:
                result = case.run(layer, case.repack(tensors), mask)
                total = total + project(result, weights)
                outputs += keras.tree.flatten(result)
        gradients = tape.gradient(total, {**sources, **watched})
        return outputs, {p: tf.convert_to_tensor(g) for p, g in gradients.items() if g is not None}

    tensors = {path: tf.constant(array) for path, array in flat.items()}
    eager_outputs, eager_gradients = step(tensors)
    compiled = tf.function(step, input_signature=[signature], jit_compile=True, autograph=False)
    outputs, gradients = compiled(tensors)
    assert_close(flat_numpy(outputs), flat_numpy(eager_outputs), 1e-5, "forward under XLA")
    assert gradients.keys() == eager_gradients.keys()
    for path, gradient in gradients.items():
        if path in case.zero_gradients:
            continue  # rounding to rounding
        close_to = as_numpy(eager_gradients[path])
        assert_close([as_numpy(gradient)], [close_to], 1e-4, f"gradient of {path} under XLA")


def _free_shape(case: Case, path: str, array: np.ndarray) -> list[int | None]:
    free = case.free_axes(path, array)
    return [None if axis == 0 or axis in free else size for axis, size in enumerate(array.shape)]
