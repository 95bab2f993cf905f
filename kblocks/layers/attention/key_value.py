"""The projected keys and values of all heads: a memory, or a cache that steps write to."""

from typing import Any, NamedTuple

from keras import ops

Tensor = Any


class KeyValue(NamedTuple):
    """K W_i^K and V W_i^V of all heads, the batch first, so that rows can be taken.

    Attributes:
        key: (batch, heads, time, key_dim).
        value: (batch, heads, time, value_dim).
    """

    key: Tensor
    value: Tensor


def write(cache: KeyValue, new: KeyValue, at: Tensor) -> KeyValue:
    """The cache with new positions in it.

    Args:
        cache: Of a static length, which stays.
        new: The keys and values of the new positions.
        at: Where each of them belongs, integers (batch or 1, new); beyond the length nothing is
            written.
    """
    length = cache.key.shape[2]
    slots = ops.reshape(ops.arange(length, dtype="int32"), (1, 1, length, 1))
    at = ops.expand_dims(ops.expand_dims(at, 1), 1)
    here = ops.equal(slots, at)  # (batch or 1, 1, length, new)
    written = ops.any(here, axis=-1, keepdims=True)  # (batch or 1, 1, length, 1)

    def put(old: Tensor, x: Tensor) -> Tensor:
        if x.shape[2] != 1:  # each to its place; a single one is spread over all places
            x = ops.matmul(ops.cast(here, x.dtype), x)
        return ops.where(written, x, old)

    return KeyValue(put(cache.key, new.key), put(cache.value, new.value))
