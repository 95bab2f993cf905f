"""Models built of the blocks."""

from kblocks.models.translation import BahdanauTranslator, LuongTranslator

__all__ = ["BahdanauTranslator", "LuongTranslator"]
