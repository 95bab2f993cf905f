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

    if tf.executing_eagerly():
        return _scan_python(step, init, xs, length, reverse)
    init = tf.nest.map_structure(tf.convert_to_tensor, init)
    xs = tf.nest.map_structure(tf.convert_to_tensor, xs) if xs is not None else None
    # A static length where one is known: XLA sizes the stacks of the backward pass by it.
    n = length
    if n is None:
        first = tf.nest.flatten(xs)[0]
        n = tf.shape(first)[0] if first.shape[0] is None else first.shape[0]

    # An array's gradient holds what each step gave it; that of slices adds up tensors of all steps.
    def rows_of(x: Any) -> Any:
        return tf.TensorArray(x.dtype, size=n, element_shape=x.shape[1:]).unstack(x)

    rows = None if xs is None else tf.nest.map_structure(rows_of, xs)

    def at(t: Any) -> Tree:
        return None if rows is None else tf.nest.map_structure(lambda row: row.read(t), rows)

    # What a step returns is learned from a trace that is thrown away.
    probe = tf.function(lambda carry, t: step(carry, at(t)), autograph=False)
    y_specs = probe.get_concrete_function(init, tf.TensorSpec((), tf.int32)).structured_outputs[1]
    arrays = tf.nest.map_structure(
        lambda spec: tf.TensorArray(spec.dtype, size=n, element_shape=spec.shape), y_specs
    )

    def body(i: Any, carry: Tree, arrays: Tree) -> tuple[Any, Tree, Tree]:
        t = n - 1 - i if reverse else i
        carry, y = step(carry, at(t))
        return i + 1, carry, tf.nest.map_structure(lambda a, v: a.write(t, v), arrays, y)

    _, carry, arrays = tf.while_loop(
        lambda i, *_: i < n, body, (0, init, arrays), maximum_iterations=n
    )
    return carry, tf.nest.map_structure(lambda a: a.stack(), arrays)


def _scan_python(
    step: Callable, init: Tree, xs: Tree, length: int | None, reverse: bool
) -> tuple[Tree, Tree]:
    """The plain loop: the reference of the others, and PyTorch's own way."""
    n = length if length is not None else keras.tree.flatten(xs)[0].shape[0]
    if n == 0:
        # A step over zeros, thrown away, tells the outputs' shapes.
        x = xs
        if xs is not None:
            x = keras.tree.map_structure(lambda a: keras.ops.zeros(a.shape[1:], a.dtype), xs)
        _, y = step(init, x)
        return init, keras.tree.map_structure(lambda a: keras.ops.stack([a])[:0], y)
    carry, ys = init, []
    for t in reversed(range(n)) if reverse else range(n):
        x = None if xs is None else keras.tree.map_structure(lambda a, t=t: a[t], xs)
        carry, y = step(carry, x)
        ys.append(y)
    if reverse:
        ys.reverse()
    return carry, keras.tree.map_structure(lambda *y: keras.ops.stack(y), *ys)
