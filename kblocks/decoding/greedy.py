"""Greedy decoding: at each step the most probable token."""

from typing import Any

from keras import ops

from kblocks import tokens
from kblocks.decoding.constraint import Constrained, Constraint
from kblocks.decoding.protocol import (
    Decodable,
    Decoded,
    check_max_length,
    next_log_probabilities,
)


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
    """
    check_max_length(max_length)
    if constraint is not None:
        model = Constrained(model, constraint, max_length)
    memory, carry = model.start(source)
    batch = ops.shape(source)[0]
    positions = ops.arange(max_length)

    def unfinished(i: Any, last: Any, *_: Any) -> Any:
        return ops.logical_and(i < max_length, ops.any(last != tokens.END))

    def advance(i: Any, last: Any, carry: Any, produced: Any, score: Any, alignment: Any) -> tuple:
        ended = (last == tokens.END) | (last == tokens.PADDING)
        logits, carry, aligned = model.step(last, carry, memory)
        log_p = next_log_probabilities(logits)  # (batch, vocabulary)
        best = ops.cast(ops.argmax(log_p, axis=-1), "int32")
        score = score + ops.where(ended, 0.0, ops.max(log_p, axis=-1))
        here = positions == i
        written = ops.where(ended, tokens.PADDING, best)
        produced = ops.where(here, written[:, None], produced)
        aligned = ops.where(ended[:, None], 0.0, ops.cast(aligned, "float32"))
        alignment = ops.where(here[:, None], aligned[:, None, :], alignment)
        # A row that has ended keeps saying so.
        return i + 1, ops.where(ended, tokens.END, best), carry, produced, score, alignment

    start = (
        ops.zeros((), "int32"),
        ops.full((batch,), tokens.START, "int32"),
        carry,
        ops.full((batch, max_length), tokens.PADDING, "int32"),
        ops.zeros((batch,), "float32"),
        ops.zeros((batch, max_length, ops.shape(source)[1]), "float32"),
    )
    _, _, _, produced, score, alignment = ops.while_loop(unfinished, advance, start)
    return Decoded(produced[:, None], score[:, None], alignment[:, None])
