"""Greedy decoding: at each step the most probable token."""

from typing import Any

from kblocks.backend import argmax
from kblocks.decoding.constraint import Constraint
from kblocks.decoding.protocol import Decodable, Decoded
from kblocks.decoding.roll_out import roll_out


def greedy(
    model: Decodable, source: Any, max_length: int, constraint: Constraint | None = None
) -> Decoded:
    """Take the most probable token at each step, until each row has ended.

    Args:
        model: See `kblocks.decoding.Decodable`.
        source: `(batch, time)` ids.
        max_length: The static length of the result; a hypothesis may be cut there.
        constraint: What may be produced at all; anything if absent.

    Returns:
        `Decoded` with one hypothesis a source; its score is the sum of log-probabilities.

    Raises:
        ValueError: `max_length` is not a positive int.
    """

    def choose(log_p: Any, i: Any) -> Any:
        return argmax(log_p)

    return roll_out(model, source, max_length, choose, constraint=constraint)
