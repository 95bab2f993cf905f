"""What may be produced at all: a constraint takes tokens away from a model while it is decoded.

    state = constraint.start(source, max_length)
    may = constraint.allowed(state)                  # (batch, vocabulary)
    state = constraint.advance(state, tokens)

`state` is a nesting of tensors whose first axis is the batch, as the carry of a model is: a beam
search moves it along when hypotheses change places. The probabilities of a model are then those
given that the token is allowed: each step's softmax is over the allowed tokens alone.
"""

from typing import Any, Protocol

import keras
from keras import ops

from kblocks.decoding.protocol import Decodable, Tensor, Tree

IMPOSSIBLE = -1e9


class Constraint(Protocol):
    """Which tokens may follow, from a state that each token changes."""

    def start(self, source: Tensor, max_length: int) -> Tree:
        """The state before the first token, of sources `(batch, time)` and results so long."""
        ...

    def allowed(self, state: Tree) -> Tensor:
        """The tokens that may come next, `(batch, vocabulary)` bool.

        At least one in each row, from any state that only allowed tokens have led to; where a
        hypothesis has ended, the end id.
        """
        ...

    def advance(self, state: Tree, tokens: Tensor) -> Tree:
        """The state after one more token in each row, `(batch,)`.

        After the end id comes the end id again. What becomes of a state after a token that was not
        allowed does not matter: such a hypothesis is impossible, and stays so.
        """
        ...


class Constrained(Decodable):
    """A model that gives its probability to allowed tokens alone.

    Its carry is the model's with the constraint's state beside it.
    """

    def __init__(self, model: Decodable, constraint: Constraint) -> None:
        self.model = model
        self.constraint = constraint
        self.special_tokens = model.special_tokens

    def start(self, source: Tensor, length: int) -> tuple[Tree, Tree]:
        memory, carry = self.model.start(source, length)
        begun = ops.zeros_like(self.first(source), "bool")
        return memory, (carry, self.constraint.start(source, length), begun)

    def first(self, source: Tensor) -> Tensor:
        return self.model.first(source)

    def step(self, tokens: Tensor, carry: Any, memory: Tree) -> tuple[Tensor, Tree, Tensor]:
        carry, state, begun = carry
        logits, carry, alignment = self.model.step(tokens, carry, memory)
        # What the first step reads was not produced.
        state = _where(begun, self.constraint.advance(state, tokens), state)
        may = self.constraint.allowed(state)
        if may.shape[-1] != logits.shape[-1]:
            raise ValueError(
                f"`constraint` knows a vocabulary of {may.shape[-1]} tokens, and the model has one "
                f"of {logits.shape[-1]}."
            )
        logits = ops.where(may, ops.cast(logits, "float32"), IMPOSSIBLE)
        return logits, (carry, state, ops.ones_like(begun)), alignment


def _where(rows: Tensor, x: Tree, y: Tree) -> Tree:
    """In the rows `(batch,)` that are true `x`, in the others `y`."""

    def chosen(x: Tensor, y: Tensor) -> Tensor:
        return ops.where(ops.reshape(rows, (-1, *(1,) * (len(x.shape) - 1))), x, y)

    return keras.tree.map_structure(chosen, x, y)
