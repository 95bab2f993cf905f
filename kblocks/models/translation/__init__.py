"""Encoder-decoders that translate."""

from kblocks.models.translation.bahdanau import BahdanauTranslator
from kblocks.models.translation.luong import LuongTranslator
from kblocks.models.translation.transformer import TransformerHeads, TransformerTranslator
from kblocks.models.translation.translator import Translator

__all__ = [
    "BahdanauTranslator",
    "LuongTranslator",
    "TransformerHeads",
    "TransformerTranslator",
    "Translator",
]
