"""SavedModels for TensorFlow Serving."""

from kblocks.export.image_segmenter import ImageSegmenter
from kblocks.export.question_answerer import QuestionAnswerer
from kblocks.export.save import save
from kblocks.export.servable import Request, Servable
from kblocks.export.servable_model import ServableModel
from kblocks.export.text_classifier import TextClassifier
from kblocks.export.text_embedder import TextEmbedder
from kblocks.export.text_generator import TextGenerator
from kblocks.export.text_parser import TextParser
from kblocks.export.text_tagger import TextTagger
from kblocks.export.text_translator import TextTranslator
from kblocks.export.tree_labeller import TreeLabeller

__all__ = [
    "ImageSegmenter",
    "QuestionAnswerer",
    "Request",
    "Servable",
    "ServableModel",
    "TextClassifier",
    "TextEmbedder",
    "TextGenerator",
    "TextParser",
    "TextTagger",
    "TextTranslator",
    "TreeLabeller",
    "save",
]
