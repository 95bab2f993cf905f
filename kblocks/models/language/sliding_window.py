"""Decoding beyond a model's last position.

A model with learned positions has no vector for a position beyond `max_length`, and where a window
of its last tokens moves on, each of them stands at another position: what was cached is of no use.
"""

from typing import Any

from keras import ops

from kblocks.decoding import Decodable
from kblocks.models.language.language_model import (
    LanguageModel,
    count_tokens,
    take_positions,
)
from kblocks.tokens import NOTHING

Tree = Any
Tensor = Any


class SlidingWindow(Decodable):
    """A language model that reads its last `max_length` tokens anew at each step.

    As long as prompt and continuation fit into the window, it says what the model says by its
    caches.

    Args:
        model: The language model.

    Example:

    >>> import numpy as np
    >>> from kblocks.decoding import greedy
    >>> from kblocks.models import GPT2
    >>> from kblocks.models.language import SlidingWindow
    >>> model = GPT2(50, layers=1, hidden_dim=8, num_heads=2, max_length=4)
    >>> greedy(SlidingWindow(model), np.array([[7, 3]]), max_length=20).tokens.shape
    TensorShape([1, 1, 20])
    """

    def __init__(self, model: LanguageModel) -> None:
        self.model = model
        self.special_tokens = model.special_tokens

    def start(self, source: Tensor, length: int) -> tuple[Tree, Tree]:
        """Keep the tokens of each prompt, int ids (batch, prompt), but for the last one."""
        source = ops.cast(source, "int32")
        window, count = self.model.max_length, count_tokens(source) - 1
        places = ops.maximum(count - window, 0)[:, None] + ops.arange(window)  # (batch, window)
        last = ops.take_along_axis(source, ops.minimum(places, ops.shape(source)[1] - 1), axis=1)
        last = ops.where(places < count[:, None], last, NOTHING)
        nowhere = ops.zeros_like(source, self.model.compute_dtype)
        return nowhere, {"window": last, "count": ops.minimum(count, window)}

    def first(self, source: Tensor) -> Tensor:
        """The last token of each prompt."""
        return self.model.first(source)

    def step(self, tokens: Tensor, carry: Tree, memory: Tree) -> tuple[Tensor, Tree, Tensor]:
        """Read one token a row, (batch,), and all in the window before it."""
        window, count = carry["window"], carry["count"]
        size = self.model.max_length
        full = (count == size)[:, None]
        window = ops.where(full, ops.roll(window, -1, axis=1), window)
        place = ops.minimum(count, size - 1)  # (batch,)
        here = ops.arange(size) == place[:, None]
        window = ops.where(here, tokens[:, None], window)
        h = take_positions(self.model.features(window), place)
        return self.model.logits(h), {"window": window, "count": place + 1}, memory
