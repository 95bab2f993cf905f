"""Greedy decoding: at each step the most probable token."""

from typing import Any

from keras import ops

from kblocks.decoding.protocol import Decodable, Decoded
from kblocks.decoding.roll_out import roll_out


def greedy(model: Decodable, source: Any, max_length: int) -> Decoded:
    """Take the most probable token at each step, until each row has ended.

    Args:
        model: See `kblocks.decoding.Decodable`.
        source: `(batch, time)` ids.
        max_length: The static length of the result; a hypothesis may be cut there.

    Returns:
        `Decoded` with one hypothesis a source; its score is the sum of log-probabilities.

    Raises:
        ValueError: `max_length` is not a positive int.
    """
    return roll_out(model, source, max_length, lambda log_p, i: ops.argmax(log_p, axis=-1))
