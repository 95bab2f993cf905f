"""Windows over texts: all of a text is seen, and each has as much as a row has room for."""

import pytest
import tensorflow as tf

from kblocks.text import span_windows


def ragged(rows: list[list[int]]) -> tf.RaggedTensor:
    return tf.ragged.constant(rows, "int32", ragged_rank=1)


@pytest.mark.parametrize(("max_length", "stride"), [(8, 1), (8, 2), (8, 3), (12, 5), (40, 9)])
def test_as_run_squad_cuts(max_length: int, stride: int) -> None:
    """The loop of Google's program, `run_squad.py`, over texts of all lengths."""
    questions = [list(range(100, 100 + n % 4)) for n in range(20)]
    contexts = [list(range(n)) for n in range(20)]
    expected = []
    for row, (question, context) in enumerate(zip(questions, contexts, strict=True)):
        room = max_length - min(len(question), 2) - 3
        start = 0
        while True:
            length = min(len(context) - start, room)
            expected.append((row, start, question[:2], context[start : start + length]))
            if start + length == len(context):
                break
            start += min(length, stride)
    windows = span_windows(
        ragged(questions), ragged(contexts), max_length=max_length, stride=stride, max_question=2
    )
    found = zip(
        windows.row.numpy().tolist(),
        windows.first.numpy().tolist(),
        windows.question.to_list(),
        windows.context.to_list(),
        strict=True,
    )
    assert list(found) == expected
    assert windows.offset.numpy().tolist() == [2 + len(row[2]) for row in expected]


def test_no_texts() -> None:
    none = tf.RaggedTensor.from_row_splits(tf.zeros([0], tf.int32), [0])
    windows = span_windows(none, none, max_length=8, stride=2, max_question=2)
    assert windows.row.shape == windows.offset.shape == (0,)


@pytest.mark.parametrize(("stride", "max_question"), [(0, 2), (4, 2), (1, 5), (1, 0)])
def test_windows_with_gaps(stride: int, max_question: int) -> None:
    with pytest.raises(ValueError, match="`stride` must be from 1 to"):
        span_windows(
            ragged([[1]]), ragged([[1]]), max_length=8, stride=stride, max_question=max_question
        )
