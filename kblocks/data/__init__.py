"""Readers of public formats and embedded corpora, and the `tf.data` pipelines made of them."""

from kblocks.data.corpora import Splits, libreoffice_help, split_by_letters
from kblocks.data.pipelines import Batches, translation_batches
from kblocks.data.readers import Pairs, read_lines, read_pairs, read_parallel

__all__ = [
    "Batches",
    "Pairs",
    "Splits",
    "libreoffice_help",
    "read_lines",
    "read_pairs",
    "read_parallel",
    "split_by_letters",
    "translation_batches",
]
