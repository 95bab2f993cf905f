"""A tiny translator, exported once for each process that runs tests."""

from pathlib import Path

import keras
import pytest

from kblocks.export import TextTranslator, save
from kblocks.models import BahdanauTranslator
from kblocks.text import SubwordVocabulary

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
