"""From features to heads and back: the projections of Vaswani et al. (2017), section 3.2.2.

All heads of all positions are one product of two matrices, which is what a machine is fastest at;
the heads are transposed once on the way in and once on the way out.
"""

from typing import Any

from keras import ops

Tensor = Any


def to_heads(x: Tensor, W: Any, b: Any = None) -> Tensor:
    """x W_1 + b_1, ..., x W_h + b_h.

    Args:
        x: (batch, time, features).
        W: (features, heads, size).
        b: (heads, size), or `None`.

    Returns:
        (batch, heads, time, size).
    """
    features, heads, size = W.shape
    W = ops.reshape(ops.cast(W, x.dtype), (features, heads * size))
    y = ops.matmul(ops.reshape(x, (-1, features)), W)  # (batch * time, heads * size)
    if b is not None:
        # `ops.add`, since TensorFlow joins its bias with the product, as it does not with a `+`.
        y = ops.add(y, ops.reshape(ops.cast(b, x.dtype), (heads * size,)))
    y = ops.reshape(y, (*ops.shape(x)[:2], heads, size))
    return ops.transpose(y, (0, 2, 1, 3))


def from_heads(heads: Tensor, W: Any, b: Any = None) -> Tensor:
    """Concat(head_1, ..., head_h) W + b.

    Args:
        heads: (batch, heads, time, size).
        W: (heads, size, features).
        b: (features,), or `None`.

    Returns:
        (batch, time, features).
    """
    batch, _, time, _ = ops.shape(heads)
    number, size, features = W.shape
    concat = ops.reshape(ops.transpose(heads, (0, 2, 1, 3)), (-1, number * size))
    y = ops.matmul(concat, ops.reshape(ops.cast(W, heads.dtype), (number * size, features)))
    if b is not None:
        y = ops.add(y, ops.cast(b, heads.dtype))
    return ops.reshape(y, (batch, time, features))
