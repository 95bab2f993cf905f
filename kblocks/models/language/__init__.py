"""Language models that say the next token, and what is built on them."""

from kblocks.models.language.gpt import GPT
from kblocks.models.language.gpt2 import GPT2
from kblocks.models.language.gpt_classifier import GPTClassifier
from kblocks.models.language.language_model import NOTHING, LanguageModel
from kblocks.models.language.sliding_window import SlidingWindow
from kblocks.models.language.task_inputs import TaskInputs

__all__ = [
    "GPT",
    "GPT2",
    "NOTHING",
    "GPTClassifier",
    "LanguageModel",
    "SlidingWindow",
    "TaskInputs",
]
