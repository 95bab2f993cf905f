"""A model that is a table: what follows depends on the source and on all that was said before."""

from typing import Any

import numpy as np
from keras import ops

from kblocks import tokens
from kblocks.decoding import Decodable

STATES, SOURCES, LONGEST = 7, 5, 6


class Toy(Decodable):
    """`words` ids beside the end can be produced; the special ones look best, yet may not be."""

    def __init__(self, vocabulary: int = 9, words: int = 3, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.logits = np.full((SOURCES, STATES, vocabulary, vocabulary), -np.inf)
        shape = (SOURCES, STATES, vocabulary, words + 1)
        self.logits[..., tokens.END : tokens.END + words + 1] = rng.normal(size=shape)
        self.looks = rng.random((STATES, vocabulary, LONGEST))  # where a step looks, by position
        shown = np.where(np.isinf(self.logits), -1e9, self.logits)
        shown[..., : tokens.END] = 5.0
        self._logits = ops.convert_to_tensor(shown.astype("float32"))
        self._looks = ops.convert_to_tensor(self.looks.astype("float32"))

    def start(self, source: Any, length: int) -> tuple[Any, Any]:
        source = ops.cast(source, "int32")
        memory = {"kind": ops.sum(source, axis=1) % SOURCES, "real": source != tokens.PADDING}
        return memory, [ops.zeros_like(source[:, 0])]

    def step(self, tokens: Any, carry: Any, memory: Any) -> tuple[Any, Any, Any]:
        state = (3 * carry[0] + tokens) % STATES
        logits = _look_up(self._logits, memory["kind"], state, tokens)
        looks = _look_up(self._looks, state, tokens)[:, : ops.shape(memory["real"])[1]]
        return logits, [state], ops.where(memory["real"], looks, 0.0)

    # The same in NumPy, by the prefix alone.

    def replay(self, prefix: tuple[int, ...]) -> tuple[int, int]:
        """The state and the token that the step after `prefix` has."""
        state, token = 0, tokens.START
        for y in (*prefix, None):
            state = (3 * state + token) % STATES
            if y is not None:
                token = y
        return state, token

    def next_log_p(self, source: np.ndarray, prefix: tuple[int, ...]) -> np.ndarray:
        state, token = self.replay(prefix)
        logits = self.logits[int(source.sum()) % SOURCES, state, token]
        return logits - np.log(np.exp(logits).sum())

    def alignment(self, source: np.ndarray, prefix: tuple[int, ...]) -> np.ndarray:
        state, token = self.replay(prefix)
        return self.looks[state, token, : len(source)] * (source != tokens.PADDING)


def _look_up(table: Any, *indices: Any) -> Any:
    """table[i, j, ...] for each row's indices."""
    row = ops.zeros_like(indices[0])
    for size, index in zip(table.shape, indices, strict=False):
        row = row * size + index
    return ops.take(ops.reshape(table, (-1, table.shape[-1])), row, axis=0)


def hypothesis(ids: np.ndarray) -> tuple[int, ...]:
    """Without the padding behind it."""
    return tuple(int(y) for y in ids if y != tokens.PADDING)
