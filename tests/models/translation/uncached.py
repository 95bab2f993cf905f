"""A translator without its caches: it reads again at each step all that was said."""

from typing import Any

from keras import ops

from kblocks.decoding import Decodable
from kblocks.models import TransformerTranslator


class Uncached(Decodable):
    """The same model, by its call alone."""

    def __init__(self, model: TransformerTranslator, length: int) -> None:
        self.model = model
        self.length = length

    def start(self, source: Any, length: int) -> tuple[Any, Any]:
        said = ops.zeros((ops.shape(source)[0], length), "int32")
        return {"source": source}, {"said": said, "position": ops.zeros_like(said[:, 0])}

    def step(self, token: Any, carry: Any, memory: Any) -> tuple[Any, Any, Any]:
        position = carry["position"]
        here = ops.arange(self.length) == position[:, None]
        said = ops.where(here, token[:, None], carry["said"])
        inputs = {"source": memory["source"], "target": said}
        logits, alignment = self.model(inputs, return_attention_scores=True)
        at = position[:, None, None]
        logits, alignment = (
            ops.take_along_axis(x, ops.repeat(at, x.shape[-1], -1), axis=1)[:, 0]
            for x in (logits, alignment)
        )
        return logits, {"said": said, "position": position + 1}, alignment
