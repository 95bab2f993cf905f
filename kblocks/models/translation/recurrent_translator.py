"""What the recurrent translators share: one `advance` per target token."""

from typing import Any

from keras import ops

from kblocks import tokens
from kblocks.backend import scan
from kblocks.models.ids import checked_ids
from kblocks.models.translation.translator import Translator

Tree = Any
Tensor = Any


class RecurrentTranslator(Translator):
    """An encoder, then a decoder that reads the target token by token.

    A subclass gives `encode`, `advance` and `combine`. Training runs `advance` over the known
    target (teacher forcing) and computes the logits of all positions in one product after the
    loop; decoding runs the same `advance` one token at a time. Dropped are parts of embeddings,
    encoder states and readout.
    """

    # A subclass gives these three.

    def encode(self, embedded: Tensor, mask: Tensor, training: bool) -> tuple[Tree, Tree]:
        """Read the embedded source `(batch, source, embedding)`: `(memory, carry)`."""
        raise NotImplementedError

    def advance(self, embedded: Tensor, carry: Tree, memory: Tree) -> tuple[Tree, Tensor, Tensor]:
        """Read one embedded target token: `(carry, features, alignment)`."""
        raise NotImplementedError

    def combine(self, features: Tensor, embedded: Tensor) -> Tensor:
        """What the logits are a linear function of, `(..., combined_dim)`, for any positions."""
        raise NotImplementedError

    # The decoding protocol.

    def start(
        self, source: Tensor, length: int | None = None, training: bool = False
    ) -> tuple[Tree, Tree]:
        """Read the source, `(batch, source)` ids: `(memory, carry)`. Any number of steps follow."""
        if not self.built:
            self.build()
        source = checked_ids("source", source)
        mask = ops.not_equal(source, tokens.PADDING)
        embedded = self.drop(self.source_embedding(source), training=training)
        return self.encode(embedded, mask, training)

    def step(self, tokens: Tensor, carry: Tree, memory: Tree) -> tuple[Tensor, Tree, Tensor]:
        """Read one token a row, `(batch,)`: `(logits, carry, alignment)`."""
        embedded = self.target_embedding(tokens)
        carry, features, alignment = self.advance(embedded, carry, memory)
        return self.readout(features, embedded), carry, alignment

    # Teacher forcing.

    def call(
        self,
        inputs: dict[str, Tensor],
        return_attention_scores: bool = False,
        training: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        memory, carry = self.start(inputs["source"], training=training)
        target = checked_ids("target", inputs["target"])
        embedded = self.drop(self.target_embedding(target), training=training)

        def step(carry: Tree, e: Tensor) -> tuple[Tree, tuple[Tensor, Tensor]]:
            carry, features, alignment = self.advance(e, carry, memory)
            return carry, (features, alignment)

        _, (features, alignment) = scan(step, carry, ops.moveaxis(embedded, 1, 0))
        logits = self.readout(ops.moveaxis(features, 0, 1), embedded, training=training)
        return (logits, ops.moveaxis(alignment, 0, 1)) if return_attention_scores else logits

    def readout(self, features: Tensor, embedded: Tensor, training: bool = False) -> Tensor:
        """The logits of any positions from what `advance` gave there and the token it read."""
        combined = self.drop(self.combine(features, embedded), training=training)
        return self.logits(combined)
