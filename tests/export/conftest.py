"""A tiny translator, labeller of trees and parser, exported once for each process of tests."""

from pathlib import Path
from typing import Any

import keras
import pytest

from kblocks.export import TextParser, TextTranslator, TreeLabeller, save
from kblocks.models import BahdanauTranslator, TransformerParser, TreeLSTMClassifier
from kblocks.text import BracketVocabulary, SubwordVocabulary, WordsOrEndings, WordVocabulary

LINES = [
    "Click the button.",
    "Klicken Sie auf die Schaltfläche.",
    "Choose a file, then press Enter.",
    "Wählen Sie eine Datei und drücken Sie die Eingabetaste.",
]


@pytest.fixture(scope="session")
def vocabulary() -> SubwordVocabulary:
    return SubwordVocabulary.train(LINES, size=330)


@pytest.fixture(scope="session")
def translator(vocabulary: SubwordVocabulary) -> TextTranslator:
    return tiny_translator(vocabulary)


def tiny_translator(vocabulary: SubwordVocabulary, length: int = 9) -> TextTranslator:
    """Untrained, with weights large enough that different sources have different translations."""
    keras.utils.set_random_seed(3)
    model = BahdanauTranslator(vocabulary.size, vocabulary.size, embedding_dim=8, units=8)
    model.build()
    model.set_weights([3 * weight for weight in model.get_weights()])
    return TextTranslator(model, vocabulary, vocabulary, beam_width=2, max_length=length)


@pytest.fixture(scope="session")
def exported(translator: TextTranslator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A version of the tiny translator, to be read and left as it is."""
    return save(translator, tmp_path_factory.mktemp("served") / "tiny")


WORDS = ["film", "'s", "größer", "日本", "MAX", "3", "a"]


@pytest.fixture(scope="session")
def labeller() -> TreeLabeller:
    return tiny_labeller()


def tiny_labeller(lowercase: bool = False, **kind: Any) -> TreeLabeller:
    """Untrained, with weights large enough that other trees have other classes."""
    words = [word.lower() if lowercase else word for word in WORDS]
    vocabulary = WordVocabulary(words, lowercase)
    keras.utils.set_random_seed(3)
    model = TreeLSTMClassifier(vocabulary.size, 3, units=5, embedding=4, **kind)
    model.build()
    model.set_weights([3 * weight for weight in model.get_weights()])
    model.word_embedding.embeddings.assign(20 * model.word_embedding.embeddings)
    return TreeLabeller(model, vocabulary, ["low", "middle", "größer"])


@pytest.fixture(scope="session")
def exported_labeller(labeller: TreeLabeller, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A version of the tiny labeller, to be read and left as it is."""
    return save(labeller, tmp_path_factory.mktemp("served_trees") / "tiny")


@pytest.fixture(scope="session")
def parser() -> TextParser:
    return tiny_parser()


def tiny_parser(beam_width: int = 2, tags: bool = True) -> TextParser:
    """Untrained, with weights large enough that other sentences have other trees."""
    endings = WordVocabulary(["the", "ing", "oße", "RB-"])
    words = WordsOrEndings(WordVocabulary(["the", "dog", "-LRB-", "größer"]), endings)
    brackets = BracketVocabulary(["S", "NP", "VP"], ["DT", "NN", "größer"] if tags else ())
    keras.utils.set_random_seed(3)
    model = TransformerParser(
        words.size,
        brackets.size,
        first_tag=brackets.first_tag,
        layers=1,
        embedding_dim=8,
        num_heads=2,
        intermediate_dim=8,
    )
    model.build()
    model.set_weights([3 * weight for weight in model.get_weights()])
    return TextParser(model, words, brackets, beam_width, max_words=9)


@pytest.fixture(scope="session")
def exported_parser(parser: TextParser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A version of the tiny parser, to be read and left as it is."""
    return save(parser, tmp_path_factory.mktemp("served_parser") / "tiny")
