"""Language models: BERT, which reads a whole text, and GPT, which says the next token."""

from kblocks.models.language.bert_classifier import BertClassifier
from kblocks.models.language.bert_encoder import BertEncoder
from kblocks.models.language.bert_pretrainer import BertPretrainer
from kblocks.models.language.bert_sentence_encoder import BertSentenceEncoder
from kblocks.models.language.bert_span_classifier import BertSpanClassifier
from kblocks.models.language.bert_tagger import BertTagger
from kblocks.models.language.gpt import GPT
from kblocks.models.language.gpt2 import GPT2
from kblocks.models.language.gpt_classifier import GPTClassifier
from kblocks.models.language.language_model import LanguageModel
from kblocks.models.language.sliding_window import SlidingWindow
from kblocks.models.language.task_inputs import TaskInputs

__all__ = [
    "GPT",
    "GPT2",
    "BertClassifier",
    "BertEncoder",
    "BertPretrainer",
    "BertSentenceEncoder",
    "BertSpanClassifier",
    "BertTagger",
    "GPTClassifier",
    "LanguageModel",
    "SlidingWindow",
    "TaskInputs",
]
