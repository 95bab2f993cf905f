"""A loop over the leading axis that every backend can differentiate, TensorFlow under XLA too."""

from collections.abc import Callable
from typing import Any

import keras

Tree = Any


def scan(
    step: Callable[[Tree, Tree], tuple[Tree, Tree]],
    init: Tree,
    xs: Tree,
    length: int | None = None,
    reverse: bool = False,
) -> tuple[Tree, Tree]:
    """Carry a state along the leading axis: `carry, y = step(carry, x)`, as `jax.lax.scan` does.

    `keras.ops.scan` loses its gradients under XLA on TensorFlow, and demands that the outputs look
    like the carry; this one does neither. What `step` draws at random is drawn before the loop and
    handed in with `xs` or by closure.

    Args:
        step: A pure function from (carry, x) to (carry, y); the carry keeps its shapes and dtypes.
        init: The first carry, any nesting of tensors.
        xs: A nesting of tensors with equal leading axes, or `None` (then `length` is needed).
        length: The number of steps where `xs` is `None`.
        reverse: Go from the last element to the first; `ys` keep the order of `xs`.

    Returns:
        The last carry, and the `ys` stacked along a new leading axis.

    Example:

    >>> import keras
    >>> from kblocks.backend import scan
    >>> total, sums = scan(lambda c, x: (c + x, c + x), keras.ops.zeros(()), keras.ops.ones((3,)))
    >>> keras.ops.convert_to_numpy(sums).tolist()
    [1.0, 2.0, 3.0]
    """
    if xs is None and length is None:
        raise ValueError("scan needs `length` where `xs` is None: nothing says how many steps.")
    name = keras.backend.backend()
    if name == "tensorflow":
        return _scan_tensorflow(step, init, xs, length, reverse)
    if name == "jax":
        import jax

        return jax.lax.scan(step, init, xs, length=length, reverse=reverse)
    return _scan_python(step, init, xs, length, reverse)


def _scan_tensorflow(
    step: Callable, init: Tree, xs: Tree, length: int | None, reverse: bool
) -> tuple[Tree, Tree]:
    import tensorflow as tf

    init = tf.nest.map_structure(tf.convert_to_tensor, init)
    xs_flat = [tf.convert_to_tensor(x) for x in tf.nest.flatten(xs)] if xs is not None else []
    # A static length where one is known: XLA sizes the stacks of the backward pass by it.
    n = length if length is not None else (xs_flat[0].shape[0] or tf.shape(xs_flat[0])[0])

    def at(t: Any) -> Tree:
        return None if xs is None else tf.nest.pack_sequence_as(xs, [x[t] for x in xs_flat])

    # What a step returns is learned from a trace whose operations are thrown away.
    with tf.Graph().as_default() if False else _Probe() as probe:
        specs, ys_structure = probe.outputs(step, init, xs, xs_flat)

    arrays = [
        tf.TensorArray(spec.dtype, size=n, element_shape=spec.shape, clear_after_read=False)
        for spec in specs
    ]
    carry_flat = tf.nest.flatten(init)

    def body(i: Any, carry: list, arrays: list) -> tuple:
        t = n - 1 - i if reverse else i
        new, y = step(tf.nest.pack_sequence_as(init, carry), at(t))
        arrays = [a.write(t, v) for a, v in zip(arrays, tf.nest.flatten(y), strict=True)]
        return i + 1, tf.nest.flatten(new), arrays

    _, last, arrays = tf.while_loop(
        lambda i, *_: i < n, body, (0, carry_flat, arrays), maximum_iterations=n
    )
    ys = [a.stack() for a in arrays]
    return tf.nest.pack_sequence_as(init, last), tf.nest.pack_sequence_as(ys_structure, ys)


def _scan_python(
    step: Callable, init: Tree, xs: Tree, length: int | None, reverse: bool
) -> tuple[Tree, Tree]:
    """The plain loop: the reference of the others, and PyTorch's own way."""
    n = length if length is not None else keras.tree.flatten(xs)[0].shape[0]
    carry, ys = init, []
    for t in reversed(range(n)) if reverse else range(n):
        x = None if xs is None else keras.tree.map_structure(lambda a, t=t: a[t], xs)
        carry, y = step(carry, x)
        ys.append(y)
    if reverse:
        ys.reverse()
    return carry, keras.tree.map_structure(lambda *y: keras.ops.stack(y), *ys)
