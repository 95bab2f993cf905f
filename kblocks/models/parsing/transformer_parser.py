r"""The Transformer as a parser that knows where it is in the sentence and in the tree.

Vaswani et al. (2017), arXiv:1706.03762, section 6.3, translate a sentence into the brackets of its
tree (`kblocks.data.linearise`); the decoder sees nothing but the tokens it has written, y_1 .. y_t.
What these mean can be counted, and need not be learnt of few trees: how many words they hold, and
which bracket is open. As transition-based parsers look at their buffer and their stack (Dyer et al.
2015, arXiv:1505.08075; in a Transformer: Fernandez Astudillo et al. 2020, arXiv:2010.10669), here
the decoder reads, beside the token,

    b_t    the place of the next word: the number of words in y_1 .. y_t
    o_t    the token of the innermost bracket that is open; the start, where none is
    a_t    the place of the first word in it
    x_t = sqrt(d) (E y_t + F o_t + G o_(t-1)) + PE_t + W [m_(a_t) ; m_(b_t)]

with m, the encoder's output. In o_(t-1) y_t was written: of `)` it is the bracket that was closed,
of one that opens the bracket around it. All else is `TransformerTranslator`. Behind the last word
b_t is the place of the source's end.
"""

from typing import Any, NamedTuple

import keras
from keras import ops

from kblocks import tokens as ids
from kblocks.decoding import TreeConstraint
from kblocks.models.translation import TransformerTranslator

Tree = Any
Tensor = Any


class Surroundings(NamedTuple):
    """What the tokens so far say about each position, integers (batch, target)."""

    opened: Tensor  # o
    within: Tensor  # o of the position before, the start at the first
    first_word: Tensor  # a
    next_word: Tensor  # b


@keras.saving.register_keras_serializable("kblocks")
class TransformerParser(TransformerTranslator):
    """A Transformer whose decoder sees the next word and the bracket that is open.

    It writes trees when it is decoded with `constraint`, a `kblocks.decoding.TreeConstraint`.

    Args:
        source_vocabulary_size: Number of source ids; a source is words and the end id.
        target_vocabulary_size: Number of target ids (`kblocks.text.BracketVocabulary`).
        word: The id of a word in the target.
        close: The id of a closing bracket.
        first_tag: In the target, the ids from here on are words, too, with parts of speech.
        tie_embeddings: `"none"` or `"target"`: the output's matrix is the target embedding E.
        kwargs: The other arguments of `TransformerTranslator`.

    Call arguments:
        inputs: A dict: `source` `(batch, source)` and `target` `(batch, target)` int ids, padded
            with 0; the target begins with the start id.
        return_attention_scores: Also return the alignment; see `TransformerTranslator`.
        training: Whether dropout is on.

    Returns:
        Logits of the next token, float32 or wider, `(batch, target, target_vocabulary_size)`; with
        `return_attention_scores`, `(logits, (batch, target, source))`.

    Raises:
        ValueError: An argument is out of its range.

    Example:

    >>> import numpy as np
    >>> from kblocks.models import TransformerParser
    >>> model = TransformerParser(50, 8, layers=1, embedding_dim=16)
    >>> decoded = model.translate(
    ...     np.array([[9, 7, 3]]), max_length=9, beam_width=2, constraint=model.constraint
    ... )
    >>> best = np.asarray(decoded.tokens)[0, 0].tolist()
    >>> [token for token in best if token in (4, 3)]  # two words, the end
    [4, 4, 3]

    References:
        Vaswani et al. 2017, "Attention is all you need", arXiv:1706.03762, section 6.3.
    """

    def __init__(
        self,
        source_vocabulary_size: int,
        target_vocabulary_size: int,
        word: int = 4,
        close: int = 5,
        first_tag: int | None = None,
        tie_embeddings: str = "target",
        **kwargs: Any,
    ) -> None:
        if tie_embeddings == "all":
            raise ValueError("`tie_embeddings` must be 'none' or 'target' here, got 'all'.")
        super().__init__(
            source_vocabulary_size,
            target_vocabulary_size,
            tie_embeddings=tie_embeddings,
            **kwargs,
        )
        self.word = word
        self.close = close
        self.first_tag = first_tag
        self.constraint = TreeConstraint(target_vocabulary_size, word, close, first_tag=first_tag)
        self.opened_embedding, self.within_embedding = (
            keras.layers.Embedding(
                target_vocabulary_size,
                self.embedding_dim,
                embeddings_initializer=keras.initializers.RandomNormal(
                    stddev=self.embedding_dim**-0.5
                ),
                dtype=self.dtype_policy,
            )
            for _ in range(2)
        )
        self.words_projection = keras.layers.Dense(
            self.embedding_dim, use_bias=False, dtype=self.dtype_policy
        )

    def build(self, input_shape: Any = None) -> None:
        super().build(input_shape)
        self.opened_embedding.build()
        self.within_embedding.build()
        self.words_projection.build((None, None, 2 * self.embedding_dim))

    def read_target(self, target: Tensor, m: Tensor, mask: Tensor, training: bool) -> Tensor:
        x = self.embed("target", target, training=training)
        seen = self._see(self.surroundings(target), m, mask)
        return x + self.drop(seen, training=training)

    def surroundings(self, target: Tensor) -> Surroundings:
        """What the tokens up to each position say, of targets `(batch, target)`."""
        target = ops.cast(target, "int32")
        is_word, closes, opens = self._kinds(target)
        next_word = ops.cumsum(is_word, axis=1)  # (batch, target)
        depth = ops.cumsum(opens - closes, axis=1)
        # The innermost open bracket is the last one that led to the present depth; the start, to 0.
        place = ops.arange(ops.shape(target)[1])
        begins = ops.logical_or(opens > 0, place == 0)
        same = ops.expand_dims(depth, 1) == ops.expand_dims(depth, 2)  # (batch, target, target)
        candidate = ops.logical_and(ops.expand_dims(begins, 1), same)
        candidate = ops.logical_and(candidate, place[None, :] <= place[:, None])
        opener = ops.max(ops.where(candidate, place, 0), axis=-1)  # (batch, target)
        opened = ops.take_along_axis(target, opener, axis=1)
        start = ops.full_like(opened[:, :1], ids.START)
        return Surroundings(
            opened,
            ops.concatenate([start, opened[:, :-1]], axis=1),
            ops.take_along_axis(next_word, opener, axis=1),
            next_word,
        )

    def _kinds(self, target: Tensor) -> list[Tensor]:
        """1 where a token is a word, where it closes, where it opens, else 0."""
        return [ops.cast(kind, "int32") for kind in self.constraint.kinds(target)[:3]]

    def _see(self, around: Surroundings, m: Tensor, mask: Tensor) -> Tensor:
        """What x_t has beside the token and its position, (batch, target, embedding_dim)."""
        last = ops.maximum(ops.sum(ops.cast(mask, "int32"), axis=1) - 1, 0)  # the source's end
        words = [
            ops.take_along_axis(m, ops.expand_dims(ops.minimum(place, last[:, None]), -1), axis=1)
            for place in (around.first_word, around.next_word)
        ]
        brackets = self.opened_embedding(around.opened) + self.within_embedding(around.within)
        return brackets * self.embedding_dim**0.5 + self.words_projection(
            ops.concatenate(words, axis=-1)
        )

    # The decoding protocol: the carry has a stack of the brackets that are open.

    def start(self, source: Tensor, length: int) -> tuple[Tree, Tree]:
        m, mask, _ = self._encode(source, training=False)
        memory, carry = self._begin(m, mask, length)
        none = ops.zeros_like(carry["position"])
        slots = (ops.shape(m)[0], length + 1)
        stack = {
            "depth": none,
            "words": none,
            "opened": ops.full(slots, ids.START, "int32"),
            "first_word": ops.zeros(slots, "int32"),
        }
        return {**memory, "m": m}, {**carry, "stack": stack}

    def step(self, tokens: Tensor, carry: Tree, memory: Tree) -> tuple[Tensor, Tree, Tensor]:
        stack, around = self._push(ops.cast(tokens, "int32"), carry["stack"])
        h = self.embed("target", tokens[:, None], carry["position"])
        h = h + self._see(around, memory["m"], memory["mask"])
        logits, carry, alignment = self._advance(h, carry, memory)
        return logits, {**carry, "stack": stack}, alignment

    def _push(self, tokens: Tensor, stack: Tree) -> tuple[Tree, Surroundings]:
        """The stack after one more token in each row, and what is on top of it."""
        is_word, closes, opens = self._kinds(tokens)
        words = stack["words"] + is_word
        depth = ops.maximum(stack["depth"] + opens - closes, 0)
        top = ops.expand_dims(depth, 1)
        slot = ops.arange(ops.shape(stack["opened"])[1]) == top
        pushed = ops.logical_and(ops.expand_dims(opens > 0, 1), slot)
        opened = ops.where(pushed, ops.expand_dims(tokens, 1), stack["opened"])
        first_word = ops.where(pushed, ops.expand_dims(words, 1), stack["first_word"])
        around = Surroundings(
            ops.take_along_axis(opened, top, axis=1),
            ops.take_along_axis(stack["opened"], ops.expand_dims(stack["depth"], 1), axis=1),
            ops.take_along_axis(first_word, top, axis=1),
            ops.expand_dims(words, 1),
        )
        return {
            "depth": depth,
            "words": words,
            "opened": opened,
            "first_word": first_word,
        }, around

    def get_config(self) -> dict[str, Any]:
        names = ("word", "close", "first_tag")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
