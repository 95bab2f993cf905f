"""Pre-trained language models."""

from kblocks.models.language.bert_classifier import BertClassifier
from kblocks.models.language.bert_encoder import BertEncoder
from kblocks.models.language.bert_pretrainer import BertPretrainer
from kblocks.models.language.bert_sentence_encoder import BertSentenceEncoder
from kblocks.models.language.bert_span_classifier import BertSpanClassifier
from kblocks.models.language.bert_tagger import BertTagger

__all__ = [
    "BertClassifier",
    "BertEncoder",
    "BertPretrainer",
    "BertSentenceEncoder",
    "BertSpanClassifier",
    "BertTagger",
]
