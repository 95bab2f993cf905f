"""Bucketed, shuffled, prefetched `tf.data` pipelines."""

from collections.abc import Callable
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
        dataset: Yields `(inputs, labels)`, as the function that made it says.
        steps: Batches in an epoch.
        left_out: How many examples were left out; the function says which.
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
    drop_remainder: bool = False,
    batch_tokens: int | None = None,
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
        drop_remainder: Leave out the batches that are not full, other pairs in each epoch.
        batch_tokens: Fill each batch with about so many subwords a side, padding included, instead
            of with `batch_size` pairs: more of the short ones, fewer of the long ones.

    Returns:
        `Batches(dataset, steps, left_out)`. The dataset yields `({"source": ids, "target": ids},
        labels)`, each `(batch, time)` int32 and padded with 0: the target begins with the start
        id, source and labels end with the end. Left out are pairs with a side that is longer than
        `max_length`, or empty.

    Raises:
        ValueError: No pair is left, or `batch_tokens` is less than `max_length`.
    """
    if batch_tokens is not None and batch_tokens <= max_length:
        raise ValueError(
            f"`batch_tokens` must be more than `max_length`, {max_length}, got {batch_tokens!r}."
        )
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
    bucket_of = np.searchsorted(_BUCKETS, longest[kept], side="right")

    sizes: int | np.ndarray = batch_size
    if batch_tokens is not None:
        # The longest side of a bucket's pairs, and the start or the end.
        longest_of = [
            1 + max(longest[kept][bucket_of == i], default=0) for i in range(len(_BUCKETS) + 1)
        ]
        sizes = batch_tokens // np.array(longest_of)

    def examples(rows: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        return _examples(tf.gather(sources, rows), tf.gather(targets, rows))

    dataset, steps = bucketed(bucket_of, sizes, examples, seed, first_epoch, drop_remainder)
    if not steps:
        raise ValueError(
            f"No {batch_size} pairs of about equal length (`batch_size`, `drop_remainder`) are "
            f"among the {len(bucket_of)}."
        )
    return Batches(dataset, steps, int((~kept).sum()))


def bucketed(
    bucket_of: np.ndarray,
    batch_size: int | np.ndarray,
    examples: Callable[..., Any],
    seed: int = 0,
    first_epoch: int = 0,
    drop_remainder: bool = False,
    shuffle: bool = True,
    with_epoch: bool = False,
) -> tuple[tf.data.Dataset, int]:
    """Make batches of examples of one bucket each, in an order by seed and epoch alone.

    Args:
        bucket_of: The bucket of each example: (number,), from 0.
        batch_size: Examples in a batch, for all buckets or for each; the last may have fewer.
        examples: From the numbers of a batch's examples to the batch.
        seed: Of the shuffling.
        first_epoch: Epochs already done.
        drop_remainder: Leave out the batches that are not full, other examples in each epoch.
        shuffle: Whether each epoch mixes the examples of a bucket, and the batches.
        with_epoch: Whether `examples` takes the number of the epoch as well.

    Returns:
        The dataset, without end, and how many batches make an epoch, 0 if there are none.
    """
    spans = _spans(np.bincount(bucket_of), batch_size, drop_remainder)
    in_order = np.argsort(bucket_of, kind="stable")

    def epoch(number: tf.Tensor) -> tf.data.Dataset:
        rows, turns = tf.constant(in_order), tf.constant(spans)
        if shuffle:
            rows = _shuffled(len(bucket_of), [seed, 2 * number])
            # Each bucket's rows side by side, in that order.
            rows = tf.gather(rows, tf.argsort(tf.gather(bucket_of, rows), stable=True))
            turns = tf.gather(spans, _shuffled(len(spans), [seed, 2 * number + 1]))
        more = (number,) if with_epoch else ()
        return tf.data.Dataset.from_tensor_slices(turns).map(
            lambda span: examples(rows[span[0] : span[1]], *more), num_parallel_calls=2
        )

    dataset = tf.data.Dataset.range(first_epoch, np.iinfo(np.int64).max // 2).flat_map(epoch)
    return prefetched(dataset), len(spans)


def prefetched(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Make two batches ahead of the one that is trained on.

    Without autotuning: its thread sleeps for up to a minute between two looks, and whoever lets go
    of an iterator, as Keras after each validation, waits until it wakes.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.prefetch(2).with_options(options)


def _spans(
    bucket_sizes: np.ndarray, batch_size: int | np.ndarray, drop_remainder: bool
) -> np.ndarray:
    """Where each batch begins and ends, the buckets laid side by side: `(batches, 2)`."""
    ends = np.cumsum(bucket_sizes)
    sizes = np.broadcast_to(batch_size, (max(len(ends), np.size(batch_size)),))[: len(ends)]
    return np.array(
        [
            (first, min(first + size, end))
            for begin, end, size in zip(ends - bucket_sizes, ends, sizes, strict=True)
            for first in range(begin, end, size)
            if first + size <= end or not drop_remainder
        ],
        "int64",
    ).reshape(-1, 2)


def _shuffled(count: int, seed: Any) -> tf.Tensor:
    """0 to `count` - 1, in an order that `seed` alone decides; the global seed has no say."""
    return tf.argsort(tf.random.stateless_uniform([count], seed))


def _ids(pairs: Pairs, vocabulary: SubwordVocabulary, side: int) -> tf.RaggedTensor:
    return vocabulary.encode(tf.constant([pair[side] for pair in pairs]))


def _examples(
    sources: tf.RaggedTensor, targets: tf.RaggedTensor
) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
    start, end = (tf.fill([sources.nrows(), 1], i) for i in (tokens.START, tokens.END))
    source = tf.concat([sources, end], axis=1).to_tensor()
    target = tf.concat([start, targets], axis=1).to_tensor()
    labels = tf.concat([targets, end], axis=1).to_tensor()
    return {"source": source, "target": target}, labels
