"""`kblocks.backend.scan` against the plain Python loop, values and gradients, in every mode."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from kblocks.backend import scan

BACKEND = keras.backend.backend()
MODES = ["eager", "graph", "free", "xla", "xla_free"] if BACKEND == "tensorflow" else ["eager"]

rng = np.random.default_rng(0)
W = rng.normal(size=(3, 3)).astype("float32")
# The carry nests; the outputs look otherwise than the carry and the elements.
INIT = {"h": rng.normal(size=(2, 3)).astype("float32"), "steps": np.float32(0.5)}
XS = (rng.normal(size=(5, 2, 3)).astype("float32"), rng.normal(size=(5,)).astype("float32"))


def step(carry: dict, x: tuple) -> tuple[dict, list]:
    h = keras.ops.tanh(keras.ops.matmul(carry["h"], W) + x[0] * x[1])
    steps = carry["steps"] + x[1]
    return {"h": h, "steps": steps}, [keras.ops.sum(h, -1), {"twice": 2.0 * steps}]


def loop(init: dict, xs: tuple, reverse: bool) -> tuple[dict, list]:
    carry, sums, twice = init, [], []
    for t in reversed(range(len(xs[0]))) if reverse else range(len(xs[0])):
        carry, (s, t2) = step(carry, (xs[0][t], xs[1][t]))
        sums.append(s)
        twice.append(t2["twice"])
    if reverse:
        sums, twice = sums[::-1], twice[::-1]
    return carry, [keras.ops.stack(sums), {"twice": keras.ops.stack(twice)}]


def run(function: Callable, mode: str, *arguments: Any) -> tuple[list, list]:
    """Flat outputs, and the gradients of a weighted sum of them for each argument's leaves."""
    leaves = [keras.ops.convert_to_tensor(leaf) for leaf in keras.tree.flatten(arguments)]

    def outputs_of(leaves: list) -> list:
        return keras.tree.flatten(function(*keras.tree.pack_sequence_as(arguments, leaves)))

    if BACKEND == "jax":
        import jax

        gradients = jax.grad(lambda leaves: weigh(outputs_of(leaves)))(leaves)
        return to_numpy(outputs_of(leaves)), to_numpy(gradients)
    if BACKEND == "torch":
        leaves = [leaf.detach().requires_grad_(True) for leaf in leaves]
        outputs = outputs_of(leaves)
        weigh(outputs).backward()
        return to_numpy(outputs), to_numpy([0 * a if a.grad is None else a.grad for a in leaves])

    import tensorflow as tf

    def both(*leaves: Any) -> tuple[list, list]:
        with tf.GradientTape() as tape:
            tape.watch(leaves)
            outputs = outputs_of(list(leaves))
            value = weigh(outputs)
        zero = tf.UnconnectedGradients.ZERO
        return outputs, tape.gradient(value, leaves, unconnected_gradients=zero)

    if mode != "eager":
        free = [
            tf.TensorSpec([None, *leaf.shape[1:]] if leaf.shape.rank else [], leaf.dtype)
            for leaf in leaves
        ]
        both = tf.function(
            both,
            input_signature=free if "free" in mode else None,
            jit_compile="xla" in mode,
            autograph=False,
        )
    outputs, gradients = both(*leaves)
    return to_numpy(outputs), to_numpy(gradients)


def weigh(outputs: list) -> Any:
    """A scalar to which each element of the outputs contributes otherwise."""
    value = 0.0
    for output in outputs:
        flat = keras.ops.reshape(output, (-1,))
        places = keras.ops.arange(keras.ops.shape(flat)[0], dtype="float32")
        value = value + keras.ops.sum(flat * keras.ops.cos(places))
    return value


def to_numpy(tensors: Any) -> list[np.ndarray]:
    return [keras.ops.convert_to_numpy(tensor) for tensor in tensors]


def assert_equal(actual: tuple[list, list], expected: tuple[list, list]) -> None:
    for a, e in zip([*actual[0], *actual[1]], [*expected[0], *expected[1]], strict=True):
        np.testing.assert_allclose(a, e, rtol=1e-5, atol=1e-6)


@pytest.mark.contract
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("steps", [1, 5])
def test_as_the_plain_loop(mode: str, reverse: bool, steps: int) -> None:
    xs = (XS[0][:steps], XS[1][:steps])
    expected = run(lambda init, xs: loop(init, xs, reverse), "eager", INIT, xs)
    actual = run(lambda init, xs: scan(step, init, xs, reverse=reverse), mode, INIT, xs)
    assert_equal(actual, expected)


@pytest.mark.contract
@pytest.mark.parametrize("mode", [mode for mode in MODES if "xla" not in mode])
def test_no_steps(mode: str) -> None:
    """Not under XLA, which refuses to slice what is empty even in a loop that never runs."""
    xs = (XS[0][:0], XS[1][:0])
    outputs, gradients = run(lambda init, xs: scan(step, init, xs), mode, INIT, xs)
    np.testing.assert_array_equal(outputs[0], INIT["h"])
    assert [output.shape for output in outputs[2:]] == [(0, 2), (0,)]
    assert all(np.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.contract
@pytest.mark.parametrize("mode", MODES)
def test_length_without_elements(mode: str) -> None:
    def doubled(carry: Any, x: None) -> tuple[Any, Any]:
        assert x is None
        return 2.0 * carry, carry

    start = np.array([1.0, 3.0], "float32")
    outputs, gradients = run(lambda c: scan(doubled, c, None, length=4), mode, start)
    powers = np.array([[1.0], [2.0], [4.0], [8.0]])
    np.testing.assert_allclose(outputs[0], 16 * start)
    np.testing.assert_allclose(outputs[1], powers * start)
    assert gradients[0].shape == (2,)


@pytest.mark.contract
def test_elements_without_length_are_asked_for() -> None:
    with pytest.raises(ValueError, match="`length`"):
        scan(lambda carry, x: (carry, carry), np.float32(0), None)


@pytest.mark.contract
@pytest.mark.parametrize("mode", MODES)
def test_integers_and_booleans_ride_along(mode: str) -> None:
    """A masked step counts: what is not a float has no gradient, and disturbs none."""
    valid = np.array([[True, True], [True, False], [False, False]])
    x = rng.normal(size=(3, 2)).astype("float32")

    def masked(carry: tuple, element: tuple) -> tuple[tuple, Any]:
        value, count = carry
        x, ok = element
        value = keras.ops.where(ok, value * x, value)
        return (value, count + keras.ops.cast(ok, "int32")), ok

    def function(start: Any, x: Any) -> Any:
        counts = keras.ops.zeros((2,), "int32")
        (value, count), oks = scan(masked, (start, counts), (x, keras.ops.convert_to_tensor(valid)))
        return value, keras.ops.cast(count, "float32"), keras.ops.cast(oks, "float32")

    start = np.array([1.0, 2.0], "float32")
    outputs, gradients = run(function, "eager" if "free" in mode else mode, start, x)
    np.testing.assert_allclose(outputs[0], [x[0, 0] * x[1, 0], 2 * x[0, 1]], rtol=1e-6)
    np.testing.assert_array_equal(outputs[1], [2, 1])
    np.testing.assert_array_equal(outputs[2], valid)
    assert not gradients[1][~valid].any()
    np.testing.assert_allclose(gradients[1][0, 0], x[1, 0], rtol=1e-6)
