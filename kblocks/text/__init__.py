"""Vocabularies and tokenizers that run in the TensorFlow graph."""

from kblocks.text.subword import SubwordVocabulary

__all__ = ["SubwordVocabulary"]
