"""Models built of the blocks."""

from kblocks.models.language import (
    GPT,
    GPT2,
    BertClassifier,
    BertEncoder,
    BertPretrainer,
    BertSentenceEncoder,
    BertSpanClassifier,
    BertTagger,
    GPTClassifier,
)
from kblocks.models.parsing import TransformerParser
from kblocks.models.sequence import SequenceClassifier, SequenceGenerator, SequenceTagger
from kblocks.models.translation import BahdanauTranslator, LuongTranslator, TransformerTranslator
from kblocks.models.trees import TreeLSTMClassifier
from kblocks.models.vision import GraphLSTMSegmenter, PixelRNN

__all__ = [
    "GPT",
    "GPT2",
    "BahdanauTranslator",
    "BertClassifier",
    "BertEncoder",
    "BertPretrainer",
    "BertSentenceEncoder",
    "BertSpanClassifier",
    "BertTagger",
    "GPTClassifier",
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
