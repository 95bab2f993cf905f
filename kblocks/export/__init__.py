"""SavedModels for TensorFlow Serving."""

from kblocks.export.save import save
from kblocks.export.text_translator import TextTranslator

__all__ = ["TextTranslator", "save"]
