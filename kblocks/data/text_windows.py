"""A long text in windows, for a language model: each token is to be said from those before it."""

import math

import numpy as np
import tensorflow as tf

from kblocks import tokens
from kblocks.data.pipelines import Batches, prefetched


def random_windows(
    ids: np.ndarray, context: int, batch_size: int, steps: int, seed: int = 0, first_epoch: int = 0
) -> Batches:
    """Windows that begin anywhere in a text, drawn anew for each batch.

    What is in a batch depends on `seed` and on its number alone, so that a run resumed with
    `first_epoch` sees what it would have seen.

    Args:
        ids: The text, (tokens,).
        context: Tokens in a window.
        batch_size: Windows in a batch.
        steps: Batches in an epoch.
        seed: Of the drawing.
        first_epoch: Epochs already done.

    Returns:
        `Batches(dataset, steps, left_out)`; the dataset yields `(tokens, labels)`, each
        (batch_size, context) int32, the labels the tokens that come next.

    Raises:
        ValueError: The text is no longer than a window, or `steps` is not positive.
    """
    _check(ids, context, 1 + context)
    if steps < 1:
        raise ValueError(f"`steps` must be a positive integer, got {steps!r}.")
    held = tf.constant(ids, tf.int32)

    def batch(number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        first = tf.random.stateless_uniform(
            [batch_size, 1], [seed, number], 0, len(ids) - context, tf.int32
        )
        windows = tf.gather(held, first + tf.range(context + 1))
        return windows[:, :-1], windows[:, 1:]

    numbers = tf.data.Dataset.range(first_epoch * steps, np.iinfo(np.int64).max // 2)
    return Batches(prefetched(numbers.map(batch)), steps, 0)


def all_windows(ids: np.ndarray, context: int, batch_size: int) -> Batches:
    """A text from its beginning to its end, in windows side by side.

    Each token but the first is a label once. The last window is padded with -1, tokens and labels.

    Args:
        ids: The text, (tokens,).
        context: Tokens in a window.
        batch_size: Windows in a batch; the last may have fewer.

    Returns:
        `Batches(dataset, steps, left_out)`, as `random_windows`.

    Raises:
        ValueError: The text has fewer than two tokens.
    """
    _check(ids, context, 2)
    windows = math.ceil((len(ids) - 1) / context)

    def divided(part: np.ndarray) -> np.ndarray:
        padded = np.full(windows * context, tokens.NOTHING, "int32")
        padded[: len(part)] = part
        return padded.reshape(windows, context)

    dataset = tf.data.Dataset.from_tensor_slices((divided(ids[:-1]), divided(ids[1:])))
    dataset = prefetched(dataset.batch(batch_size).repeat())
    return Batches(dataset, math.ceil(windows / batch_size), 0)


def _check(ids: np.ndarray, context: int, least: int) -> None:
    if len(ids) < least:
        raise ValueError(
            f"a text of {len(ids)} tokens is too short: windows of {context} (`context`) need at "
            f"least {least}."
        )
