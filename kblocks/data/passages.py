"""Passages of documents, and the pairs made of them: Devlin et al. 2019, section 3.1, A.1 and A.2.

    [CLS] A [SEP] B [SEP]      half the time B is what follows A, else from another document

A passage is a run of whole sentences of a document that fills a row; A is its beginning. Nine
passages in ten are as long as they may be, one is shorter, since BERT shall read short texts, too.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from kblocks.data.documents import TokenisedDocuments

DRAWS = 3  # numbers that the making of a pair takes


class Passages(NamedTuple):
    """Runs of sentences, by the numbers of these in `TokenisedDocuments`.

    Attributes:
        first: The first sentence of each, (passages,) int64.
        end: One beyond the last one.
        room: The most pieces that are taken of it, or of a pair made of it.
        document: Where it is from.
    """

    first: np.ndarray
    end: np.ndarray
    room: np.ndarray
    document: np.ndarray


def cut_passages(
    documents: TokenisedDocuments,
    room: int,
    sentences: int = 1,
    shorter: float = 0.1,
    seed: int = 0,
) -> Passages:
    """Divide documents into passages, side by side.

    A passage takes sentences until it is full; what is too much of the last one will be cut. Fewer
    than `sentences` at the end of a document are left out.

    Args:
        documents: The documents.
        room: The most pieces of a passage, at least 2.
        sentences: The least number of sentences of a passage.
        shorter: The share of passages that are to be shorter, of a length from 2 to `room`.
        seed: Decides which ones.
    """
    rng = np.random.default_rng(seed)
    lengths = np.diff(documents.sentences)
    rows = []
    for document in range(documents.number):
        first, end = documents.documents[document : document + 2]
        while end - first >= sentences:
            wanted = rng.integers(2, room, endpoint=True) if rng.random() < shorter else room
            full = 1 + np.searchsorted(np.cumsum(lengths[first : first + wanted]), wanted)
            last = min(first + max(full, sentences), end)
            rows.append((first, last, min(wanted, lengths[first:last].sum()), document))
            first = last
    return Passages(*np.array(rows, "int64").reshape(-1, 4).T)


class Spans(NamedTuple):
    """Where the segments of pairs stand among the ids, each (batch,) int64; `end` is one beyond.

    Attributes:
        first: Where A begins.
        first_end: Where it ends.
        second: Where B begins.
        second_end: Where it ends.
        follows: Whether B is what follows A.
    """

    first: tf.Tensor
    first_end: tf.Tensor
    second: tf.Tensor
    second_end: tf.Tensor
    follows: tf.Tensor


class PairMaker:
    """Makes pairs of passages, with numbers that were drawn for them.

    A passage is divided after one of its sentences, any but the last. B is the rest of it, or as
    much of another document, from any of its sentences on: whole sentences until the row is full,
    as in the passage, so that lengths do not tell what follows. What is too much is cut off from
    the longer segment: the beginning of A, or the end of B, so that they meet. Differently from
    BERT's program any *sentence* of the others is as likely as another, not any document: else what
    stands in a short one would be known to be from elsewhere. What a B from elsewhere takes the
    place of comes in another epoch.

    Args:
        documents: At least two documents.
        made_of: Passages of these, each of two sentences or more.

    Raises:
        ValueError: There is only one document, or no passage.
    """

    def __init__(self, documents: TokenisedDocuments, made_of: Passages) -> None:
        if documents.number < 2:
            raise ValueError(
                "a next sentence from another document needs two documents at least, and there is "
                f"{documents.number}: divide the text by empty lines, or do without "
                "(`next_sentence`)."
            )
        if not len(made_of.first):
            raise ValueError("none of the documents has two sentences, to be one and the next.")
        self.begins = tf.constant(documents.sentences)
        self.documents = tf.constant(documents.documents)
        self.passages = Passages(*map(tf.constant, made_of))

    def __call__(self, rows: tf.Tensor, draws: tf.Tensor) -> Spans:
        """The pairs of some passages.

        Args:
            rows: Their numbers, (batch,).
            draws: Uniform from 0 to 1: (batch, `DRAWS`).
        """
        first, end, room, document = (tf.gather(values, rows) for values in self.passages)
        divide_at, is_other, which = tf.unstack(draws, axis=1)
        follows = is_other < 0.5
        divided = first + 1 + _below(divide_at, end - first - 1)
        a, a_end = tf.gather(self.begins, first), tf.gather(self.begins, divided)

        # Any sentence but those of this document, and as many as the row has room for.
        own, behind = tf.gather(self.documents, document), tf.gather(self.documents, document + 1)
        other = _below(which, self.documents[-1] - (behind - own))
        other = tf.where(other < own, other, other + behind - own)
        whose = tf.searchsorted(self.documents, other, side="right", out_type=tf.int64)
        full = tf.gather(self.begins, other) + room - (a_end - a)
        full = tf.searchsorted(self.begins, full, side="left", out_type=tf.int64)
        last = tf.minimum(tf.maximum(full, other + 1), tf.gather(self.documents, whose))

        b = tf.gather(self.begins, tf.where(follows, divided, other))
        b_end = tf.gather(self.begins, tf.where(follows, end, last))
        # |B| <= max(n - |A|, n / 2), where n is the room for both; A has what B leaves.
        b_end = tf.minimum(b_end, b + tf.maximum(room - (a_end - a), room // 2))
        a = tf.maximum(a, a_end - room + (b_end - b))
        return Spans(a, a_end, b, b_end, follows)


class SingleMaker:
    """Gives rows of one segment, in the manner of `PairMaker`.

    Args:
        first: Where the segments begin among the ids, (rows,).
        end: One beyond where they end.
    """

    def __init__(self, first: np.ndarray, end: np.ndarray) -> None:
        self.first, self.end = tf.constant(first), tf.constant(end)

    def __call__(self, rows: tf.Tensor, draws: tf.Tensor) -> Spans:
        """The segments of some rows; the second ones are empty."""
        first, end = tf.gather(self.first, rows), tf.gather(self.end, rows)
        return Spans(first, end, end, end, tf.zeros_like(rows, tf.bool))


def _below(draw: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """A number from 0 to `count` - 1 for a draw from 0 to 1."""
    number = tf.cast(tf.cast(draw, tf.float64) * tf.cast(count, tf.float64), tf.int64)
    return tf.minimum(number, count - 1)
