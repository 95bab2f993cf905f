"""What a model offers to be decoded from, and what comes out.

    memory, carry = model.start(source, length)
    logits, carry, alignment = model.step(tokens, carry, memory)

`memory` is what the source gives and no step changes (encoder states, projected keys); `carry` is
what the steps hand on (recurrent states, caches of keys and values). Both are nestings of tensors
whose first axis is the batch: a beam search repeats them, and moves the carry when hypotheses
change places.
"""

from typing import Any, NamedTuple

import keras
from keras import ops

from kblocks.tokens import SpecialTokens

Tree = Any
Tensor = Any


class Decodable:
    """The base of the models that start from a source and step on tokens."""

    special_tokens = SpecialTokens()

    def start(self, source: Tensor, length: int) -> tuple[Tree, Tree]:
        """Read the source, `(batch, time)` ids, before at most `length` steps: `(memory, carry)`.

        `length` is static: caches have room for so many steps.
        """
        raise NotImplementedError

    def first(self, source: Tensor) -> Tensor:
        """What the first step reads, `(batch,)` ids; a language model begins with its prompt."""
        return ops.full((ops.shape(source)[0],), self.special_tokens.start, "int32")

    def step(self, tokens: Tensor, carry: Tree, memory: Tree) -> tuple[Tensor, Tree, Tensor]:
        """Read one token per row, `(batch,)`.

        Returns:
            The logits of the next token `(batch, vocabulary)`, the new carry, and the alignment
            `(batch, source)`, zeros from a model that has none.
        """
        raise NotImplementedError


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


def next_log_probabilities(logits: Tensor, special: SpecialTokens) -> Tensor:
    """Log-softmax in float32 over what may be produced."""
    logits = ops.cast(logits, "float32")
    if special.never:
        ids = ops.arange(logits.shape[-1])
        never = ops.any(ids[:, None] == ops.array(special.never, "int32"), axis=-1)
        logits = ops.where(never, -1e9, logits)
    return ops.log_softmax(logits)


def repeated(tree: Tree, times: int) -> Tree:
    """Each row of the tensors so many times, one after the other."""
    return keras.tree.map_structure(lambda x: ops.repeat(x, times, axis=0), tree)


def check_max_length(max_length: int) -> None:
    """Refuse a length that is no positive int."""
    if isinstance(max_length, bool) or not isinstance(max_length, int) or max_length < 1:
        raise ValueError(f"`max_length` must be a positive int, got {max_length!r}.")
