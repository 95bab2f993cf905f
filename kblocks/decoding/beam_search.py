"""Beam search with length normalisation.

Hypotheses are ranked by log P(y | x) / lp(y), lp(y) = ((5 + |y|) / 6)^alpha
(Wu et al. 2016, arXiv:1609.08144, equation 14; coverage is left out).
"""

from typing import Any

import keras
from keras import ops

from kblocks.decoding.constraint import IMPOSSIBLE, Constrained, Constraint
from kblocks.decoding.protocol import (
    Decodable,
    Decoded,
    check_max_length,
    next_log_probabilities,
    repeated,
)


def beam_search(
    model: Decodable,
    source: Any,
    max_length: int,
    beam_width: int = 4,
    length_penalty: float = 1.0,
    constraint: Constraint | None = None,
) -> Decoded:
    """Keep the `beam_width` best hypotheses of each source, until all have ended.

    Args:
        model: See `kblocks.decoding.Decodable`.
        source: `(batch, time)` ids; batch and time may be free.
        max_length: The static length of the result; a hypothesis may be cut there.
        beam_width: Hypotheses kept, and returned: the n-best list. At most the vocabulary's size.
        length_penalty: alpha; 0 ranks by the plain log-probability, which favours short ones.
        constraint: What may be produced at all; anything if absent.

    Returns:
        `Decoded` with `beam_width` hypotheses a source, best first. Where fewer are possible, the
        others are all padding, with a score of -1e9.

    Raises:
        ValueError: `beam_width` or `max_length` is not a positive int, `length_penalty` is
            negative, or the beam is wider than the vocabulary.
    """
    check_max_length(max_length)
    if not isinstance(beam_width, int) or beam_width < 1:
        raise ValueError(f"`beam_width` must be a positive int, got {beam_width!r}.")
    if length_penalty < 0:
        raise ValueError(f"`length_penalty` must not be negative, got {length_penalty!r}.")

    if constraint is not None:
        model = Constrained(model, constraint)
    k, max_source = beam_width, ops.shape(source)[1]
    batch = ops.shape(source)[0]
    special = model.special_tokens
    memory, carry = repeated(model.start(source, max_length), k)
    first = repeated(model.first(source), k)
    positions = ops.arange(max_length)
    first_row = ops.arange(batch)[:, None] * k  # (batch, 1): where each source's beams begin

    def unfinished(i: Any, last: Any, ended: Any, *_: Any) -> Any:
        return ops.logical_and(i < max_length, ops.any(ops.logical_not(ended)))

    def advance(i: Any, last: Any, ended: Any, carry: Any, hypotheses: tuple) -> tuple:
        produced, log_p, lengths, alignment = hypotheses
        logits, carry, aligned = model.step(ops.reshape(last, (-1,)), carry, memory)
        vocabulary = logits.shape[-1]
        if k > vocabulary:
            raise ValueError(f"`beam_width` {k} is wider than the vocabulary of {vocabulary}.")

        # An ended hypothesis has one continuation, at no cost: the end id once more.
        new = ops.reshape(next_log_probabilities(logits, special), (-1, k, vocabulary))
        at_end = ops.arange(vocabulary) == special.end
        new = ops.where(ended[:, :, None], ops.where(at_end, 0.0, IMPOSSIBLE), new)
        totals = log_p[:, :, None] + new
        long = lengths + ops.cast(ops.logical_not(ended), "int32")  # (batch, k)
        ranked = totals / _length_penalty(long, length_penalty)[:, :, None]

        _, best = ops.top_k(ops.reshape(ranked, (-1, k * vocabulary)), k)  # (batch, k)
        best = ops.cast(best, "int32")
        log_p = ops.take_along_axis(ops.reshape(totals, (-1, k * vocabulary)), best, axis=1)
        parent, chosen = best // vocabulary, best % vocabulary

        # What belongs to a hypothesis moves with it to its new place.
        rows = ops.reshape(first_row + parent, (-1,))  # (batch * k,)
        carry = keras.tree.map_structure(lambda x: ops.take(x, rows, axis=0), carry)
        ended = ops.take_along_axis(ended, parent, axis=1)
        lengths = ops.take_along_axis(long, parent, axis=1)
        produced = _moved(produced, rows)
        alignment = _moved(alignment, rows)
        aligned = ops.reshape(
            ops.take(ops.cast(aligned, "float32"), rows, axis=0), (-1, k, 1, max_source)
        )

        here = ops.logical_and(positions == i, ops.logical_not(ended)[:, :, None])
        produced = ops.where(here, chosen[:, :, None], produced)
        alignment = ops.where(here[:, :, :, None], aligned, alignment)
        ended = ops.logical_or(ended, chosen == special.end)
        return i + 1, chosen, ended, carry, (produced, log_p, lengths, alignment)

    # All beams begin alike; only the first of them counts.
    only_first = ops.where(ops.arange(k) == 0, 0.0, IMPOSSIBLE)
    hypotheses = (
        ops.full((batch, k, max_length), special.padding, "int32"),
        ops.zeros((batch, k), "float32") + only_first,
        ops.zeros((batch, k), "int32"),
        ops.zeros((batch, k, max_length, max_source), "float32"),
    )
    first = ops.reshape(first, (batch, k))
    start = (ops.zeros((), "int32"), first, ops.zeros_like(first, "bool"), carry, hypotheses)
    *_, (produced, log_p, lengths, alignment) = ops.while_loop(unfinished, advance, start)
    scores = log_p / _length_penalty(lengths, length_penalty)
    possible = log_p > IMPOSSIBLE / 2  # (batch, k)
    return Decoded(
        ops.where(possible[:, :, None], produced, special.padding),
        ops.where(possible, scores, IMPOSSIBLE),
        ops.where(possible[:, :, None, None], alignment, 0.0),
    )


def _length_penalty(lengths: Any, alpha: float) -> Any:
    return ((5.0 + ops.cast(lengths, "float32")) / 6.0) ** alpha


def _moved(x: Any, rows: Any) -> Any:
    """Reorder `(batch, k, ...)` by rows of `(batch * k, ...)`."""
    shape = ops.shape(x)
    flat = ops.reshape(x, (-1, *shape[2:]))
    return ops.reshape(ops.take(flat, rows, axis=0), (-1, *shape[1:]))
