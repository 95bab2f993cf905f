"""From questions and texts to answers, in one graph."""

from typing import Any

import tensorflow as tf

from kblocks.export.servable import Request
from kblocks.export.text_embedder import check_fit
from kblocks.models import BertSpanClassifier
from kblocks.text import Windows, WordPieceVocabulary, span_windows

Tensor = Any

_AT_ONCE = 32  # windows that the model reads together, so that a text of any length has room


class QuestionAnswerer(tf.Module):
    """Raw strings in, a question and a text; the piece of the text that answers it out.

    A long text is read in windows, and the best span of all is taken: the one that stands out most
    from no answer in its window, S h_t + E h_t' - (S h_1 + E h_1). Any bytes have an answer.

    Args:
        model: Its encoder's ids are the vocabulary's.
        vocabulary: Cuts the strings.
        max_length: The most pieces of a question and a window, the special ones among them.
        stride: How many pieces further the next window begins.
        max_question: The most pieces of a question; what it has beyond them is left out.
        max_answer: The most pieces of an answer.
        threshold: By how much an answer must stand out; none: whatever it is, it is given.

    Raises:
        ValueError: The sizes of model and vocabulary differ, the model has not so many positions,
            or the windows would leave gaps.
    """

    def __init__(
        self,
        model: BertSpanClassifier,
        vocabulary: WordPieceVocabulary,
        max_length: int = 384,
        stride: int = 128,
        max_question: int = 64,
        max_answer: int = 30,
        threshold: float | None = None,
    ) -> None:
        super().__init__(name="question_answerer")
        check_fit(model.encoder, vocabulary, max_length)
        if max_answer < 1:
            raise ValueError(f"`max_answer` must be positive, got {max_answer!r}.")
        nothing = tf.RaggedTensor.from_row_splits(tf.constant([], tf.int32), [0])
        self._cut = {"max_length": max_length, "stride": stride, "max_question": max_question}
        span_windows(nothing, nothing, **self._cut)  # looks at the arguments
        self.model = model
        self.vocabulary = vocabulary
        self.max_length = max_length
        self.max_answer = max_answer
        self.threshold = threshold

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, name="question"),
            tf.TensorSpec([None], tf.string, name="context"),
        ]
    )
    def answer(self, question: Tensor, context: Tensor) -> dict[str, Tensor]:
        """The answers to a batch of questions.

        Args:
            question: `(batch,)` strings.
            context: `(batch,)` strings, the text that each is about.

        Returns:
            A dict, each `(batch,)`: `answer`, strings, empty where there is none; `start`, int32,
            where it begins in the text, in characters (bytes that are no UTF-8 not counted), -1
            where there is none; `probability`, float32, of its first and last piece in their
            window, 0 where there is none; `score`, float32, how far it, or what comes nearest to
            one, stands out from no answer.
        """
        context = tf.strings.unicode_transcode(context, "UTF-8", "UTF-8", errors="ignore")
        pieces, begins, ends = self.vocabulary.encode_with_offsets(context)
        windows = span_windows(self.vocabulary.encode(question), pieces, **self._cut)
        spans = self._spans(windows)
        best = _best_of_each(spans[:, 2], windows.row, tf.shape(context)[0])
        first, last, score, log_p = tf.unstack(tf.gather(spans, best), axis=1)
        # From the place in the row to the piece of the text, and from it to characters.
        moved = tf.gather(windows.first - windows.offset, best)
        moved += tf.cast(pieces.row_starts(), tf.int32)
        start = _taken(begins.values, tf.cast(first, tf.int32) + moved)
        end = _taken(ends.values, tf.cast(last, tf.int32) + moved)
        given = score > -1e29  # not of an empty text
        if self.threshold is not None:
            given = given & (score > self.threshold)
        start, end = tf.where(given, start, 0), tf.where(given, end, 0)
        return {
            "answer": tf.strings.substr(context, start, end - start, unit="UTF8_CHAR"),
            "start": tf.where(given, start, -1),
            "probability": tf.where(given, tf.exp(log_p), 0.0),
            "score": score,
        }

    def _spans(self, windows: Windows) -> Tensor:
        """`best_spans` of all windows, some at a time, (windows, 4) float32."""
        inputs = self.vocabulary.pack(windows.question, windows.context, max_length=self.max_length)
        count, time = tf.unstack(tf.shape(inputs["tokens"]))
        at_once = tf.clip_by_value(count, 1, _AT_ONCE)
        turns = tf.maximum(1, -(-count // at_once))
        more = [[0, turns * at_once - count], [0, 0]]  # the last turn is filled up with padding
        filled = {
            "tokens": tf.pad(inputs["tokens"], more, constant_values=self.vocabulary.padding),
            "segments": tf.pad(inputs["segments"], more),
        }

        def best(some: dict[str, Tensor]) -> Tensor:
            spans = self.model.best_spans(some, self.max_answer)
            return tf.cast(spans, tf.float32)

        spans = tf.map_fn(
            best,
            {name: tf.reshape(ids, [turns, at_once, time]) for name, ids in filled.items()},
            parallel_iterations=1,
            fn_output_signature=tf.TensorSpec([None, 4], tf.float32),
        )
        return tf.reshape(spans, [-1, 4])[:count]

    def signatures(self) -> dict[str, Any]:
        """`serving_default` is `answer`."""
        return {"serving_default": self.answer}

    def warmup_requests(self) -> list[Request]:
        """A question, and a batch with an empty text."""
        pairs = (["Who sails?"], ["Anna sails."]), (["Who sails?", "Why?"], ["Anna sails.", ""])
        return [Request("serving_default", {"question": q, "context": c}) for q, c in pairs]


def _best_of_each(scores: Tensor, row: Tensor, rows: Tensor) -> Tensor:
    """Of which window each row has the highest score, the first of equals: (rows,) int32."""
    highest = tf.math.unsorted_segment_max(scores, row, rows)
    numbers = tf.range(tf.size(scores))
    others = tf.where(scores < tf.gather(highest, row), tf.size(scores), numbers)
    return tf.math.unsorted_segment_min(others, row, rows)


def _taken(values: Tensor, places: Tensor) -> Tensor:
    """The values at places, any value for a place beyond them."""
    values = tf.concat([values, [0]], 0)
    return tf.gather(values, tf.clip_by_value(places, 0, tf.size(values) - 1))
