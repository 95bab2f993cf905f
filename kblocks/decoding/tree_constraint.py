"""Only trees over the words of the source: the grammar of `kblocks.data.linearise` as a constraint.

A sequence `(S (NP XX XX ) (VP XX ) )` is a tree over n words when its brackets match, none is
empty, the first closes last, and n words stand in it. With d brackets open, w words and s tokens
still to come, and r brackets opened since the last word or closing bracket, what may follow is

    (LABEL   if w > 0, r < max_opens and w + (d + 1) + 1 <= s - 1; or at the very beginning
    XX       if w > 0 and d > 0
    )        if r = 0, and d > 1 or w = 0 < d
    end      if w = 0 and d = 0

A bracket opens only where the tokens behind it have room for all words, all closing brackets and
the end, and every other token brings its part of these to an end: from the first bracket on,
w + d + 1 <= s. So some token is always allowed, and any model's result is a tree in time: with
random weights, and at any length from n + 3 on.
"""

import dataclasses

from keras import ops

from kblocks import tokens as ids
from kblocks.decoding.protocol import Tensor

State = dict[str, Tensor]


@dataclasses.dataclass(frozen=True)
class TreeConstraint:
    """A `Constraint` that allows nothing but well-formed trees whose leaves are the source's words.

    Args:
        vocabulary: The number of ids of the target. All behind the end id that are neither `word`
            nor `close`, and below `first_tag`, open a bracket (`kblocks.text.BracketVocabulary`).
        word: The id of a word in the target.
        close: The id of a closing bracket.
        max_opens: How many brackets may open without a word or a closing bracket between them.
        first_word: In the source, the ids from here on and the unknown one are words. Behind the
            four ids of every vocabulary by default; 2 for `kblocks.text.WordVocabulary`.
        first_tag: In the target, the ids from here on are words, too, each with a part of speech;
            no ids if absent.

    Raises:
        ValueError: An argument is out of range; from `start`, `max_length` is too short for the
            sources. Where the length of the sources is not known when the graph is made, a result
            that has no room for its tree is cut, as any other.

    Example:

    >>> from keras import ops
    >>> from kblocks.decoding import TreeConstraint
    >>> constraint = TreeConstraint(vocabulary=8, word=4, close=5)
    >>> state = constraint.start(ops.array([[9, 7, 0]]), max_length=12)
    >>> [[id for id, may in enumerate(row) if may] for row in constraint.allowed(state)]
    [[6, 7]]
    >>> state = constraint.advance(state, ops.array([6]))
    >>> [[id for id, may in enumerate(row) if may] for row in constraint.allowed(state)]
    [[4, 6, 7]]
    """

    vocabulary: int
    word: int
    close: int
    max_opens: int = 8
    first_word: int = ids.END + 1
    first_tag: int | None = None

    def __post_init__(self) -> None:
        known = range(ids.END + 1, self.vocabulary)
        if self.word not in known or self.close not in known or self.word == self.close:
            raise ValueError(
                f"`word` and `close` must be two ids from {ids.END + 1} to below the `vocabulary` "
                f"{self.vocabulary}, got {self.word} and {self.close}."
            )
        if self.vocabulary <= ids.END + 3:
            raise ValueError(
                f"`vocabulary` must have an id for an opening bracket, got {self.vocabulary}."
            )
        lowest = max(self.word, self.close, ids.END + 3) + 1
        if self.first_tag is not None and self.first_tag not in range(lowest, self.vocabulary):
            raise ValueError(
                f"`first_tag` must be an id from {lowest} to below the `vocabulary` "
                f"{self.vocabulary}, got {self.first_tag!r}."
            )
        if self.max_opens < 1:
            raise ValueError(f"`max_opens` must be at least 1, got {self.max_opens!r}.")

    def start(self, source: Tensor, max_length: int) -> State:
        longest = source.shape[1]
        if longest is not None and max_length < longest + 3:
            raise ValueError(
                f"`max_length` must be at least the sources' length and 3, {longest + 3}, to hold "
                f"their trees and the end, got {max_length}."
            )
        is_word = ops.logical_or(source == ids.UNKNOWN, source >= self.first_word)
        words = ops.sum(ops.cast(is_word, "int32"), axis=1)  # (batch,)
        none = ops.zeros_like(words)
        return {"depth": none, "words": words, "opens": none, "steps": none + max_length}

    def allowed(self, state: State) -> Tensor:
        d, w, r, s = (state[name][:, None] for name in ("depth", "words", "opens", "steps"))
        is_word, closes, opens, ends = (
            kind[None] for kind in self.kinds(ops.arange(self.vocabulary))
        )
        fits = (d == 0) | ((r < self.max_opens) & (w + (d + 1) + 1 <= s - 1))
        return (
            (opens & (w > 0) & fits)
            | (is_word & (w > 0) & (d > 0))
            | (closes & (r == 0) & ((d > 1) | ((d == 1) & (w == 0))))
            | (ends & (w == 0) & (d == 0))
        )

    def advance(self, state: State, tokens: Tensor) -> State:
        word, close, opens, _ = (
            ops.cast(kind, "int32") for kind in self.kinds(ops.cast(tokens, "int32"))
        )
        return {
            "depth": state["depth"] + opens - close,
            "words": state["words"] - word,
            "opens": (state["opens"] + opens) * opens,
            "steps": state["steps"] - 1,
        }

    def kinds(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Whether each token is a word, closes, opens, or ends."""
        is_word, closes = tokens == self.word, tokens == self.close
        if self.first_tag is not None:
            is_word = is_word | (tokens >= self.first_tag)
        opens = (tokens > ids.END) & ~(is_word | closes)
        return is_word, closes, opens, tokens == ids.END
