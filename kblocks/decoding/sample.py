"""Sampling: at each step a token by chance, of those that are probable enough.

    p(y) = softmax(log p / temperature)

    top-k:    of the k most probable tokens            Fan et al. 2018, arXiv:1805.04833, section 5
    nucleus:  of the smallest set of the most probable tokens with sum p >= top_p
                                               Holtzman et al. 2020, arXiv:1904.09751, equation 3

and in proportion to p within them. One uniform number u decides: the tokens in the order of their
probability divide the line from 0 to the sum of what is kept, and u says where on it.
"""

from typing import Any

import keras
from keras import ops

from kblocks.decoding.constraint import Constraint
from kblocks.decoding.protocol import Decodable, Decoded, check_max_length
from kblocks.decoding.roll_out import roll_out

Tensor = Any


def sample(
    model: Decodable,
    source: Tensor,
    max_length: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    samples: int = 1,
    seed: int | keras.random.SeedGenerator | None = None,
    constraint: Constraint | None = None,
) -> Decoded:
    """Draw continuations of each source.

    Args:
        model: See `kblocks.decoding.Decodable`.
        source: `(batch, time)` ids.
        max_length: The static length of the result; a hypothesis may be cut there.
        temperature: Under 1 the probable becomes more probable; towards 0 it is greedy decoding.
        top_k: Only of so many tokens at each step; none: of all.
        top_p: Only of the nucleus, the fewest tokens that have this probability together; of what
            `top_k` leaves, where both are given.
        samples: Continuations of each source.
        seed: Of what is drawn: with the same int, the same.
        constraint: What may be produced at all; anything if absent.

    Returns:
        `Decoded` with `samples` hypotheses a source, in the order drawn. A score is the sum of the
        log-probabilities that the model gives, before temperature and cuts.

    Raises:
        ValueError: An argument is out of its range.

    References:
        - Fan, Lewis, Dauphin 2018, arXiv:1805.04833
        - Holtzman et al. 2020, arXiv:1904.09751
    """
    check_max_length(max_length)
    if not temperature > 0:
        raise ValueError(f"`temperature` must be positive, got {temperature!r}.")
    for name, count in (("top_k", top_k), ("samples", samples)):
        if count is not None and (not isinstance(count, int) or count < 1):
            raise ValueError(f"`{name}` must be a positive int, got {count!r}.")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"`top_p` must be over 0 and at most 1, got {top_p!r}.")
    rows = ops.shape(source)[0] * samples
    # All at once: a loop must not draw by itself, on every backend.
    u = keras.random.uniform((max_length, rows), seed=seed)

    def choose(log_p: Tensor, i: Tensor) -> Tensor:
        return draw(log_p / temperature, ops.take(u, i, axis=0), top_k, top_p)

    return roll_out(model, source, max_length, choose, samples, constraint)


def draw(logits: Tensor, u: Tensor, top_k: int | None, top_p: float | None) -> Tensor:
    """The ids `(batch,)` that uniform numbers `u` `(batch,)` choose by `logits` `(batch, ids)`."""
    count = logits.shape[-1]
    logits, ids = ops.top_k(logits, min(top_k or count, count))  # the most probable first
    p = ops.exp(logits - ops.logsumexp(logits, axis=-1, keepdims=True))
    before = ops.cumsum(p, axis=-1) - p  # the probability of all that are more probable
    if top_p is not None:
        p = ops.where(before < top_p, p, 0.0)
    end = ops.cumsum(p, axis=-1)
    place = ops.expand_dims(u, -1) * end[:, -1:]
    chosen = ops.sum(ops.cast(end <= place, "int32"), axis=-1, keepdims=True)
    # u just under 1 can round up to the end of the line.
    kept = ops.sum(ops.cast(p > 0, "int32"), axis=-1, keepdims=True)
    return ops.take_along_axis(ids, ops.minimum(chosen, kept - 1), axis=-1)[:, 0]
