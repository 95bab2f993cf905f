"""A question beside a text that is too long for one row: windows over the text, in the graph.

Devlin et al. 2019, section 4.2, and `run_squad.py` of https://github.com/google-research/bert:

    [CLS] question [SEP] window [SEP]        each window begins `stride` pieces after the one before
"""

from typing import NamedTuple

import tensorflow as tf


class Windows(NamedTuple):
    """Windows over texts, those of the first text first.

    Attributes:
        row: `(windows,)` int32, of which text each is.
        first: `(windows,)` int32, the number of its first piece in the text.
        question: `(windows, None)` ids, ragged: the text's question, cut.
        context: `(windows, None)` ids, ragged.
    """

    row: tf.Tensor
    first: tf.Tensor
    question: tf.RaggedTensor
    context: tf.RaggedTensor

    @property
    def offset(self) -> tf.Tensor:
        """`(windows,)` int32: where the window begins in its row, behind `[CLS] question [SEP]`."""
        return tf.cast(self.question.row_lengths(), tf.int32) + 2


def span_windows(
    question: tf.RaggedTensor,
    context: tf.RaggedTensor,
    *,
    max_length: int,
    stride: int,
    max_question: int,
) -> Windows:
    """Cut texts into windows that overlap; a text that fits has one.

    Args:
        question: `(batch, None)` ids, ragged.
        context: `(batch, None)` ids, ragged.
        max_length: The longest row of a question, a window and three special ids.
        stride: How many pieces further the next window begins.
        max_question: The most pieces of a question; what it has beyond them is left out.

    Raises:
        ValueError: `stride` is not from 1 to what a row has room for beside the longest question.

    Example:

    >>> import tensorflow as tf
    >>> from kblocks.text import span_windows
    >>> question, context = tf.ragged.constant([[7]]), tf.ragged.constant([[1, 2, 3, 4, 5, 6]])
    >>> windows = span_windows(question, context, max_length=8, stride=2, max_question=2)
    >>> windows.context.to_list(), windows.first.numpy().tolist()
    ([[1, 2, 3, 4], [3, 4, 5, 6]], [0, 2])
    """
    least = max_length - 3 - max_question
    if max_question < 1 or not 1 <= stride <= least:
        raise ValueError(
            f"`stride` must be from 1 to max_length - 3 - max_question = {least}, got {stride!r} "
            f"(max_length={max_length!r}, max_question={max_question!r})."
        )
    question = question[:, :max_question]
    rooms = max_length - 3 - tf.cast(question.row_lengths(), tf.int32)
    lengths = tf.cast(context.row_lengths(), tf.int32)
    further = tf.maximum(0, -(-(lengths - rooms) // stride))  # windows beside the first
    numbers = tf.ragged.range(further + 1)  # of each text's windows
    row = tf.cast(numbers.value_rowids(), tf.int32)
    first = stride * numbers.values
    kept = tf.minimum(tf.gather(rooms, row), tf.gather(lengths, row) - first)
    begins = tf.gather(tf.cast(context.row_starts(), tf.int32), row) + first
    places = tf.ragged.range(begins, begins + kept)
    cut = places.with_values(tf.gather(context.values, places.values))
    return Windows(row, first, tf.gather(question, row), cut)
