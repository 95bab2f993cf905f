"""Encoder-decoders that write a sentence's tree."""

from kblocks.models.parsing.transformer_parser import TransformerParser

__all__ = ["TransformerParser"]
