"""Bucketed, shuffled, prefetched `tf.data` pipelines."""

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from kblocks import tokens
from kblocks.data.readers import Pairs
from kblocks.text import SubwordVocabulary

_BUCKETS = (8, 12, 16, 20, 24, 28, 32, 40, 48, 64, 96, 128)


class Batches(NamedTuple):
    """A dataset without end and how many of its batches make an epoch.

    Attributes:
        dataset: Yields `({"source": ids, "target": ids}, labels)`, each `(batch, time)` int32 and
            padded with 0: the target begins with the start id, source and labels end with the end.
        steps: Batches in an epoch.
        left_out: Pairs left out because a side is longer than `max_length`, or empty.
    """

    dataset: Any
    steps: int
    left_out: int


def translation_batches(
    pairs: Pairs,
    source_vocabulary: SubwordVocabulary,
    target_vocabulary: SubwordVocabulary,
    batch_size: int,
    max_length: int = 64,
    seed: int = 0,
    first_epoch: int = 0,
) -> Batches:
    """Turn sentence pairs into batches of about equal lengths, shuffled anew in each epoch.

    The order within an epoch depends on `seed` and the epoch's number alone, so that a run resumed
    with `first_epoch` sees what it would have seen.

    Args:
        pairs: (source, target) sentences.
        source_vocabulary: Makes the source's ids.
        target_vocabulary: Makes the target's ids.
        batch_size: Pairs in a batch; the last of a bucket may have fewer.
        max_length: Leave out pairs with more subwords than this on a side.
        seed: Of the shuffling.
        first_epoch: Epochs already done.

    Returns:
        `Batches(dataset, steps, left_out)`.

    Raises:
        ValueError: No pair is left.
    """
    sources, targets = _ids(pairs, source_vocabulary, 0), _ids(pairs, target_vocabulary, 1)
    lengths = np.stack([sources.row_lengths(), targets.row_lengths()])
    shortest, longest = lengths.min(axis=0), lengths.max(axis=0)
    kept = (longest <= max_length) & (shortest > 0)
    if not kept.any():
        raise ValueError(
            f"None of the {len(pairs)} pairs has 1 to {max_length} subwords on both sides "
            "(`max_length`)."
        )
    sources = tf.ragged.boolean_mask(sources, kept)
    targets = tf.ragged.boolean_mask(targets, kept)
    bounds = [b for b in _BUCKETS if b < max_length]
    bucket_sizes = np.bincount(np.searchsorted(bounds, longest[kept], side="right"))

    def epoch(number: tf.Tensor) -> tf.data.Dataset:
        order = tf.argsort(tf.random.stateless_uniform([sources.nrows()], [seed, number]))
        examples = tf.data.Dataset.from_tensor_slices(order).map(
            lambda row: _example(sources[row], targets[row]), num_parallel_calls=2
        )
        batches = examples.bucket_by_sequence_length(
            lambda inputs, labels: tf.maximum(tf.size(inputs["source"]), tf.size(labels)) - 1,
            bucket_boundaries=bounds,
            bucket_batch_sizes=[batch_size] * (len(bounds) + 1),
        )
        # Buckets fill at different times; a second shuffle keeps short and long ones mixed.
        return batches.shuffle(64, seed=seed)

    dataset = tf.data.Dataset.range(first_epoch, np.iinfo(np.int64).max).flat_map(epoch)
    steps = int(np.ceil(bucket_sizes / batch_size).sum())
    return Batches(dataset.prefetch(tf.data.AUTOTUNE), steps, int((~kept).sum()))


def _ids(pairs: Pairs, vocabulary: SubwordVocabulary, side: int) -> tf.RaggedTensor:
    return vocabulary.encode(tf.constant([pair[side] for pair in pairs]))


def _example(source: tf.Tensor, target: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
    inputs = tf.concat([[tokens.START], target], 0)
    labels = tf.concat([target, [tokens.END]], 0)
    return {"source": tf.concat([source, [tokens.END]], 0), "target": inputs}, labels
