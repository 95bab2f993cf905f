"""Models built of the blocks."""

from kblocks.models.language import (
    BertClassifier,
    BertEncoder,
    BertPretrainer,
    BertSentenceEncoder,
    BertSpanClassifier,
    BertTagger,
)
from kblocks.models.parsing import TransformerParser
from kblocks.models.sequence import SequenceClassifier, SequenceGenerator, SequenceTagger
from kblocks.models.translation import BahdanauTranslator, LuongTranslator, TransformerTranslator
from kblocks.models.trees import TreeLSTMClassifier
from kblocks.models.vision import GraphLSTMSegmenter, PixelRNN

__all__ = [
    "BahdanauTranslator",
    "BertClassifier",
    "BertEncoder",
    "BertPretrainer",
    "BertSentenceEncoder",
    "BertSpanClassifier",
    "BertTagger",
    "GraphLSTMSegmenter",
    "LuongTranslator",
    "PixelRNN",
    "SequenceClassifier",
    "SequenceGenerator",
    "SequenceTagger",
    "TransformerParser",
    "TransformerTranslator",
    "TreeLSTMClassifier",
]
