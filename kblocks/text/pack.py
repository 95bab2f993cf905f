"""BERT's input: one or two segments between special ids, cut to a length, in plain TensorFlow.

Section 3 and figure 2 of Devlin, Chang, Lee, Toutanova 2019 (arXiv:1810.04805). TensorFlow Text's
own trimmers and combiners are missing in TensorFlow Serving before 2.20.
"""

from typing import Any

import tensorflow as tf


def pack_segments(
    first: tf.RaggedTensor,
    second: tf.RaggedTensor | None = None,
    *,
    max_length: int,
    start: int,
    end: int,
    padding: int,
    between: int | None = None,
) -> dict[str, tf.Tensor]:
    """Put one or two segments into one row: `[CLS] a [SEP]`, or `[CLS] a [SEP] b [SEP]`.

    What is too long loses its last ids, one by one from the longer segment, and from the second
    where both are equally long, as BERT's `truncate_seq_pair` does.

    Args:
        first: `(batch, None)` ids, ragged.
        second: `(batch, None)` ids, ragged.
        max_length: The longest row, special ids included.
        start: The id that begins a row.
        end: The id that ends each segment.
        padding: The id behind the end of a shorter row.
        between: The id that ends the first of two segments; `end` by default.

    Returns:
        A dict: `tokens` `(batch, time)` int32, and `segments` `(batch, time)` int32, 1 from the
        first id of the second segment on, 0 before and in the padding. `time` is the length of the
        longest row.

    Raises:
        ValueError: `max_length` has no room for the special ids, an argument is not ragged, or the
            batches differ in size.

    Example:

    >>> import tensorflow as tf
    >>> from kblocks.text import pack_segments
    >>> first, second = tf.ragged.constant([[5, 6, 7], [8]]), tf.ragged.constant([[9], []])
    >>> packed = pack_segments(first, second, max_length=6, start=2, end=3, padding=0)
    >>> packed["tokens"].numpy()
    array([[2, 5, 6, 3, 9, 3],
           [2, 8, 3, 3, 0, 0]], dtype=int32)
    >>> packed["segments"].numpy()
    array([[0, 0, 0, 0, 1, 1],
           [0, 0, 0, 1, 0, 0]], dtype=int32)
    """
    given = [("first", first)] if second is None else [("first", first), ("second", second)]
    room = max_length - 1 - len(given)
    if room < 0:
        raise ValueError(
            f"`max_length` must be at least {1 + len(given)}, the special ids, got {max_length!r}."
        )
    for name, ids in given:
        if not isinstance(ids, tf.RaggedTensor) or ids.shape.rank != 2:
            raise ValueError(f"`{name}` must be a ragged tensor of shape (batch, None), got {ids}.")
        if None not in (first.shape[0], ids.shape[0]) and first.shape[0] != ids.shape[0]:
            raise ValueError(
                f"`first` and `second` must have as many rows, got {first.shape[0]} and "
                f"{ids.shape[0]}."
            )
    rows = first.nrows()
    starts, ends = _column(start, rows), _column(end, rows)
    lengths = first.row_lengths()
    if second is None:
        before, after = [starts, _cut(first, tf.minimum(lengths, room)), ends], []
    else:
        # |b| <= max(n - |a|, n / 2), where n is the room for both; a has what b leaves.
        most = tf.maximum(room - lengths, room // 2)
        kept = tf.minimum(second.row_lengths(), most)
        middles = ends if between is None else _column(between, rows)
        before = [starts, _cut(first, tf.minimum(lengths, room - kept)), middles]
        after = [_cut(second, kept), ends]
    tokens = tf.concat([*before, *after], axis=1)
    segments = tf.concat(
        [tf.zeros_like(ids) for ids in before] + [tf.ones_like(ids) for ids in after], axis=1
    )
    # A batch without a row has a first column all the same, for who reads the first token.
    shape = tf.stack([-1, tf.maximum(tokens.bounding_shape(axis=1), 1)])
    return {
        name: tf.ensure_shape(ids.to_tensor(default, shape=shape), [None, None])
        for name, ids, default in (("tokens", tokens, padding), ("segments", segments, 0))
    }


def _column(id: int, rows: tf.Tensor) -> tf.RaggedTensor:
    return tf.RaggedTensor.from_tensor(tf.fill([rows, 1], tf.constant(id, tf.int32)))


def _cut(ids: tf.RaggedTensor, lengths: Any) -> tf.RaggedTensor:
    place = tf.ragged.range(ids.row_lengths())
    return tf.ragged.boolean_mask(tf.cast(ids, tf.int32), place < lengths[:, tf.newaxis])
