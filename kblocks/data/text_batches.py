"""Batches of labelled texts, or pairs of texts, as BERT reads them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from kblocks.data.pipelines import Batches, bucketed
from kblocks.text import WordPieceVocabulary

BUCKETS = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384)


def text_batches(
    first: Sequence[str],
    second: Sequence[str] | None,
    labels: Any,
    vocabulary: WordPieceVocabulary,
    batch_size: int,
    max_length: int = 128,
    shuffle: bool = True,
    seed: int = 0,
    first_epoch: int = 0,
    drop_remainder: bool = False,
) -> Batches:
    """Put texts of about equal length into batches.

    Args:
        first: Texts.
        second: A second text for each, or `None`.
        labels: What is to be said of each.
        vocabulary: Cuts the texts.
        batch_size: Texts in a batch; the last of a bucket may have fewer.
        max_length: The most pieces of a row; longer ones are cut.
        shuffle: Whether each epoch mixes the texts.
        seed: Of the shuffling; the order depends on it and on the epoch's number alone.
        first_epoch: Epochs already done.
        drop_remainder: Leave out the batches that are not full.

    Returns:
        `Batches`: of `({"tokens", "segments"}, labels)`, each of the former `(batch, time)` int32.
    """
    encoded = [vocabulary.encode(list(texts)) for texts in (first, second) if texts is not None]
    lengths = sum(ids.row_lengths() for ids in encoded) + 1 + len(encoded)
    bucket_of = np.searchsorted(BUCKETS, np.minimum(lengths, max_length), side="left")
    labels = tf.constant(labels)

    def examples(rows: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        texts = (tf.gather(ids, rows) for ids in encoded)
        return vocabulary.pack(*texts, max_length=max_length), tf.gather(labels, rows)

    dataset, steps = bucketed(
        bucket_of, batch_size, examples, seed, first_epoch, drop_remainder, shuffle
    )
    if not steps:
        raise ValueError(f"there are no {batch_size} texts of about equal length (`batch_size`).")
    return Batches(dataset, steps, 0)
