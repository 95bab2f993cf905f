"""What a model offers to be decoded from, and what comes out.

    memory, carry = model.start(source)
    logits, carry, alignment = model.step(tokens, carry, memory)

`memory` is what the source gives and no step changes (encoder states, projected keys); `carry` is
what the steps hand on (recurrent states, caches). Both are nestings of tensors whose first axis is
the batch: a beam search repeats them, and moves the carry when hypotheses change places.
"""

from typing import Any, NamedTuple, Protocol

import keras

from kblocks import tokens

Tree = Any
Tensor = Any


class Decodable(Protocol):
    """A model that starts from a source and steps on tokens."""

    def start(self, source: Tensor) -> tuple[Tree, Tree]:
        """Read the source, `(batch, time)` ids: `(memory, carry)`."""
        ...

    def step(self, tokens: Tensor, carry: Tree, memory: Tree) -> tuple[Tensor, Tree, Tensor]:
        """Read one token per row, `(batch,)`.

        Returns:
            The logits of the next token `(batch, vocabulary)`, the new carry, and the alignment
            `(batch, source)`, zeros from a model that has none.
        """
        ...


class Decoded(NamedTuple):
    """The hypotheses of each source, best first.

    Attributes:
        tokens: `(batch, n, max_length)` int32; behind the end id stands padding.
        scores: `(batch, n)` float32, the log-probability, length-normalised where asked for.
        alignment: `(batch, n, max_length, source)` float32: what each token was aligned to.
    """

    tokens: Tensor
    scores: Tensor
    alignment: Tensor


def next_log_probabilities(logits: Tensor) -> Tensor:
    """Log-softmax in float32 over what may be produced: not padding, start or unknown."""
    logits = keras.ops.cast(logits, "float32")
    ids = keras.ops.arange(logits.shape[-1])
    special = (ids == tokens.PADDING) | (ids == tokens.START) | (ids == tokens.UNKNOWN)
    return keras.ops.log_softmax(keras.ops.where(special, -1e9, logits))


def check_max_length(max_length: int) -> None:
    """Refuse a length that is no positive int."""
    if not isinstance(max_length, int) or max_length < 1:
        raise ValueError(f"`max_length` must be a positive int, got {max_length!r}.")
