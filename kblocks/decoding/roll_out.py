"""One token after the other, however it is chosen: what greedy decoding and sampling share."""

from collections.abc import Callable
from typing import Any

from keras import ops

from kblocks.decoding.constraint import Constrained, Constraint
from kblocks.decoding.protocol import (
    Decodable,
    Decoded,
    check_max_length,
    next_log_probabilities,
    repeated,
)

Tensor = Any


def roll_out(
    model: Decodable,
    source: Tensor,
    max_length: int,
    choose: Callable[[Tensor, Tensor], Tensor],
    times: int = 1,
    constraint: Constraint | None = None,
) -> Decoded:
    """Go on until each row has ended.

    Args:
        model: See `kblocks.decoding.Decodable`.
        source: `(batch, time)` ids.
        max_length: The static length of the result; a hypothesis may be cut there.
        choose: From log-probabilities `(batch * times, vocabulary)` and the number of the step to
            ids `(batch * times,)`.
        times: Hypotheses of each source.
        constraint: What may be produced at all; anything if absent.

    Returns:
        `Decoded`; a score is the sum of the log-probabilities of the hypothesis.
    """
    check_max_length(max_length)
    if constraint is not None:
        model = Constrained(model, constraint)
    special = model.special_tokens
    memory, carry = repeated(model.start(source, max_length), times)
    first = repeated(model.first(source), times)
    rows, width = ops.shape(first)[0], ops.shape(source)[1]
    positions = ops.arange(max_length)

    def unfinished(i: Any, last: Any, ended: Any, *_: Any) -> Any:
        return ops.logical_and(i < max_length, ops.any(ops.logical_not(ended)))

    def advance(
        i: Any, last: Any, ended: Any, carry: Any, produced: Any, score: Any, alignment: Any
    ) -> tuple:
        logits, carry, aligned = model.step(last, carry, memory)
        log_p = next_log_probabilities(logits, special)
        chosen = ops.cast(choose(log_p, i), "int32")
        gained = ops.take_along_axis(log_p, chosen[:, None], axis=-1)[:, 0]
        score = score + ops.where(ended, 0.0, gained)
        here = positions == i
        written = ops.where(ended, special.padding, chosen)
        produced = ops.where(here, written[:, None], produced)
        aligned = ops.where(ended[:, None], 0.0, ops.cast(aligned, "float32"))
        alignment = ops.where(here[:, None], aligned[:, None, :], alignment)
        ended = ops.logical_or(ended, chosen == special.end)
        return i + 1, chosen, ended, carry, produced, score, alignment

    start = (
        ops.zeros((), "int32"),
        first,
        ops.zeros_like(first, "bool"),
        carry,
        ops.full((rows, max_length), special.padding, "int32"),
        ops.zeros((rows,), "float32"),
        ops.zeros((rows, max_length, width), "float32"),
    )
    *_, produced, score, alignment = ops.while_loop(unfinished, advance, start)
    return Decoded(
        ops.reshape(produced, (-1, times, max_length)),
        ops.reshape(score, (-1, times)),
        ops.reshape(alignment, (-1, times, max_length, width)),
    )
