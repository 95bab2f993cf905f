"""Batches of questions with windows of their texts, as BERT reads them to find answers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from kblocks.data.pipelines import Batches, bucketed
from kblocks.data.squad import Question
from kblocks.data.text_batches import BUCKETS
from kblocks.text import WordPieceVocabulary, span_windows

_AT_ONCE = 1024  # questions that are encoded together


def question_batches(
    questions: Sequence[Question],
    vocabulary: WordPieceVocabulary,
    batch_size: int,
    max_length: int = 384,
    stride: int = 128,
    max_question: int = 64,
    shuffle: bool = True,
    seed: int = 0,
    first_epoch: int = 0,
    drop_remainder: bool = False,
) -> Batches:
    """Put windows of about equal length into batches, with the place of the first right answer.

    The place is that of [CLS], 0, where the answer is not wholly in the window, or there is none.

    Args:
        questions: With their texts and answers.
        vocabulary: Cuts both.
        batch_size: Windows in a batch; the last of a bucket may have fewer.
        max_length: The most pieces of a row.
        stride: How many pieces further the next window of a text begins.
        max_question: The most pieces of a question.
        shuffle: Whether each epoch mixes the windows.
        seed: Of the shuffling; the order depends on it and on the epoch's number alone.
        first_epoch: Epochs already done.
        drop_remainder: Leave out the batches that are not full.

    Returns:
        `Batches`: of `({"tokens", "segments"}, {"start", "end"})`, the former `(batch, time)`, the
        latter `(batch,)`, int32. Left out are questions of whose answer WordPiece leaves nothing.
    """
    parts = [
        _windows(questions[i : i + _AT_ONCE], vocabulary, max_length, stride, max_question)
        for i in range(0, len(questions), _AT_ONCE)
    ]
    if not parts:
        raise ValueError("there are no questions.")
    columns = [*zip(*parts, strict=True)]
    asked, read, starts, ends = (tf.concat(column, axis=0) for column in columns[:4])
    lengths = (asked.row_lengths() + read.row_lengths()).numpy() + 3
    bucket_of = np.searchsorted(BUCKETS, lengths, side="left")

    def examples(rows: tf.Tensor) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        inputs = vocabulary.pack(
            tf.gather(asked, rows), tf.gather(read, rows), max_length=max_length
        )
        return inputs, {"start": tf.gather(starts, rows), "end": tf.gather(ends, rows)}

    dataset, steps = bucketed(
        bucket_of, batch_size, examples, seed, first_epoch, drop_remainder, shuffle
    )
    if not steps:
        raise ValueError(f"there are no {batch_size} windows of about equal length (`batch_size`).")
    return Batches(dataset, steps, sum(columns[4]))


def _windows(
    questions: Sequence[Question],
    vocabulary: WordPieceVocabulary,
    max_length: int,
    stride: int,
    max_question: int,
) -> tuple[Any, Any, Any, Any, int]:
    """Questions and texts of windows, where answers are, and how many questions are left out."""
    contexts, begins, ends = vocabulary.encode_with_offsets([q.context for q in questions])
    splits, begin, end = (x.numpy() for x in (contexts.row_splits, begins.values, ends.values))
    rows = [slice(*splits[i : i + 2]) for i in range(len(questions))]
    places = [_pieces(q, begin[row], end[row]) for q, row in zip(questions, rows, strict=True)]
    kept = [i for i, place in enumerate(places) if place is not None]
    asked = vocabulary.encode([questions[i].question for i in kept])
    windows = span_windows(
        asked,
        tf.gather(contexts, kept),
        max_length=max_length,
        stride=stride,
        max_question=max_question,
    )
    row, first, offset = windows.row.numpy(), windows.first.numpy(), windows.offset.numpy()
    spans = np.array([places[i] for i in kept], "int32").reshape(-1, 2)[row]
    here = spans - first[:, None]  # in the window
    inside = (here[:, 0] >= 0) & (here[:, 1] < windows.context.row_lengths().numpy())
    inside &= spans[:, 0] >= 0
    labels = np.where(inside[:, None], here + offset[:, None], 0).astype("int32")
    return windows.question, windows.context, labels[:, 0], labels[:, 1], len(questions) - len(kept)


def _pieces(question: Question, begins: np.ndarray, ends: np.ndarray) -> tuple[int, int] | None:
    """The first and the last piece of the first answer; (-1, -1) of none, `None` if all is lost."""
    if not question.answers:
        return -1, -1
    start = question.starts[0]
    end = start + len(question.answers[0])
    [touched] = np.nonzero((begins < end) & (ends > start))
    return (int(touched[0]), int(touched[-1])) if len(touched) else None
