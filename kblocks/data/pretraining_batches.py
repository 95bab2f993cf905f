"""Batches for BERT's pre-training, from documents: Devlin et al. 2019, section 3.1 and A.2.

What a row holds depends on the seed, the number of the epoch and its own number alone, so that it
is the same in whatever batch it stands, and in a run that was stopped and goes on.
"""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from kblocks import tokens as marks
from kblocks.data import masking
from kblocks.data.documents import TokenisedDocuments
from kblocks.data.passages import DRAWS, PairMaker, SingleMaker, Spans, cut_passages
from kblocks.data.pipelines import Batches, bucketed
from kblocks.data.text_batches import BUCKETS
from kblocks.text import WordPieceVocabulary

Objective = Literal["masked", "left_to_right"]
Example = tuple[dict[str, tf.Tensor], tf.Tensor]


def pretraining_batches(
    documents: TokenisedDocuments,
    vocabulary: WordPieceVocabulary,
    batch_size: int,
    max_length: int = 128,
    next_sentence: bool = True,
    objective: Objective = "masked",
    predictions: int = 20,
    whole_words: bool = False,
    dynamic: bool = True,
    packed: bool = False,
    shorter: float = 0.1,
    shuffle: bool = True,
    seed: int = 0,
    first_epoch: int = 0,
    drop_remainder: bool = False,
) -> Batches:
    """Make rows of documents, and put those of about equal length into batches.

    Args:
        documents: As `tokenise` or `read_shards` gives them.
        vocabulary: With which they were cut.
        batch_size: Rows in a batch; the last of a bucket may have fewer.
        max_length: The most pieces of a row, special ones included.
        next_sentence: Whether a row is a pair, `[CLS] A [SEP] B [SEP]`: see `PairMaker`. Else it is
            one passage, `[CLS] A [SEP]`.
        objective: `"masked"`: 15 % of the pieces are to be said, see `Masking`; `"left_to_right"`:
            each piece from those before it, for an encoder with `causal=True`.
        predictions: The most pieces of a row that are hidden.
        whole_words: Whether words are hidden whole.
        dynamic: Whether each epoch pairs and hides anew (Liu et al. 2019, arXiv:1907.11692, section
            4.1); else all do as the first.
        packed: Whether passages go on in the next document, behind a `[SEP]`, so that every row but
            the last is full ("full sentences", the same, section 4.2). Without next sentences.
        shorter: The share of passages that are to be shorter than a row. None are if packed.
        shuffle: Whether each epoch mixes the rows.
        seed: Of everything that is drawn.
        first_epoch: Epochs already done.
        drop_remainder: Leave out the batches that are not full, other rows in each epoch.

    Returns:
        `Batches(dataset, steps, left_out)`. The dataset yields `(inputs, labels)`: inputs are
        `tokens` and `segments`, (batch, time) int32, and `positions`, (batch, predictions) int32,
        the places of what is to be said; labels are `masked`, (batch, predictions) int32, the
        pieces that stand there, or -1 (`kblocks.tokens.NOTHING`), and with `next_sentence` also
        `next`, (batch,) int32, 1 where B follows A.

    Raises:
        ValueError: An argument is out of its range, there is no document, or for next sentences
            only one.
    """
    if packed and next_sentence:
        raise ValueError("`packed` rows have no next sentence: set `next_sentence` to false.")
    if objective not in ("masked", "left_to_right"):
        raise ValueError(f"`objective` must be masked or left_to_right, got {objective!r}.")
    room = max_length - (3 if next_sentence else 2)
    if room < 2:
        raise ValueError(f"`max_length` must be at least 5, got {max_length!r}.")
    if not documents.number:
        raise ValueError("there is no document.")
    ids, lengths, spans = _rows(documents, vocabulary, room, next_sentence, packed, shorter, seed)
    pieces = tf.constant(ids)
    said: Callable[[tf.Tensor, tf.Tensor], Example] = _EachNext(vocabulary.padding)
    if objective == "masked":
        said = masking.Masking(vocabulary, most=predictions, whole_words=whole_words)
    pair, hide = DRAWS, masking.DRAWS

    def draw(row: tf.Tensor, epoch: tf.Tensor) -> tf.Tensor:
        key = tf.random.fold_in(tf.random.fold_in([seed, 0], epoch), row)
        return tf.random.stateless_uniform([pair + max_length * hide], key)

    def examples(rows: tf.Tensor, epoch: tf.Tensor) -> tuple[dict[str, tf.Tensor], Any]:
        rows, epoch = tf.cast(rows, tf.int64), epoch if dynamic else tf.zeros_like(epoch)
        draws = tf.map_fn(lambda row: draw(row, epoch), rows, fn_output_signature=tf.float32)
        where = spans(rows, draws[:, :pair])
        first = _gathered(pieces, where.first, where.first_end)
        second = _gathered(pieces, where.second, where.second_end) if next_sentence else None
        row = vocabulary.pack(first, second, max_length=max_length)
        of_pieces = tf.reshape(draws[:, pair:], [-1, max_length, hide])
        inputs, masked = said(row["tokens"], of_pieces[:, : tf.shape(row["tokens"])[1]])
        labels = {"masked": masked}
        if next_sentence:
            labels["next"] = tf.cast(where.follows, tf.int32)
        return {**inputs, "segments": row["segments"]}, labels

    bucket_of = np.searchsorted(BUCKETS, lengths + max_length - room)
    dataset, steps = bucketed(
        bucket_of, batch_size, examples, seed, first_epoch, drop_remainder, shuffle, with_epoch=True
    )
    if not steps:
        raise ValueError(f"there are no {batch_size} rows of about equal length (`batch_size`).")
    return Batches(dataset, steps, 0)


def _gathered(ids: tf.Tensor, begin: tf.Tensor, end: tf.Tensor) -> tf.RaggedTensor:
    """The ids between two places of each row."""
    return tf.gather(ids, tf.ragged.range(begin, end))


def _rows(
    documents: TokenisedDocuments,
    vocabulary: WordPieceVocabulary,
    room: int,
    next_sentence: bool,
    packed: bool,
    shorter: float,
    seed: int,
) -> tuple[np.ndarray, np.ndarray, Callable[[tf.Tensor, tf.Tensor], Spans]]:
    """The ids that rows are cut from, the length of each row, and what says where it is cut."""
    if packed:
        # All documents as one text, and windows side by side over it.
        behind = documents.sentences[documents.documents[1:-1]]
        ids = np.insert(documents.ids, behind, vocabulary.end)
        first = np.arange(0, len(ids), room)
        lengths = np.minimum(room, len(ids) - first)
        return ids, lengths, SingleMaker(first, first + lengths)
    if next_sentence:
        found = cut_passages(documents, room, 2, shorter, seed)
        return documents.ids, found.room, PairMaker(documents, found)
    found = cut_passages(documents, room, 1, shorter, seed)
    first = documents.sentences[found.first]
    return documents.ids, found.room, SingleMaker(first, first + found.room)


class _EachNext:
    """Lets every piece be said from those before it, in the manner of `Masking`."""

    def __init__(self, padding: int) -> None:
        self.padding = padding

    def __call__(self, tokens: tf.Tensor, draws: tf.Tensor) -> Example:
        next_ones = tokens[:, 1:]
        labels = tf.where(next_ones == self.padding, marks.NOTHING, next_ones)
        positions = tf.zeros_like(labels) + tf.range(tf.shape(labels)[1])
        return {"tokens": tokens, "positions": positions}, labels
