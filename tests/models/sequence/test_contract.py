"""The sequence models held to the block contract, each against its equations in NumPy."""

from typing import Any

import numpy as np
import pytest

from kblocks.models import SequenceClassifier, SequenceGenerator, SequenceTagger
from tests.contract import NUMBERS_ONLY, check_layer
from tests.reference import sequence as reference

SIZES = {"vocabulary_size": 7, "num_classes": 3, "units": 4, "embedding_dim": 5}
SPEAKS = {"vocabulary_size": 7, "units": 4, "embedding_dim": 5}
NOT_OF_MODELS = {
    "shapes": "Keras traces a model's shapes; the saved files have them free",
    "policies": "logits are float32 in mixed policies: test_sequence_models.py",
}
WORDS = np.array([[4, 5, 6, 3, 1, 2], [6, 2, 0, 0, 0, 0], [1, 3, 4, 2, 0, 0]], "int32")
ENDINGS = np.array([[1, 2, 3, 4, 1, 2], [4, 4, 0, 0, 0, 0], [3, 2, 1, 1, 0, 0]], "int32")
TARGET = np.array([[2, 4, 5, 6, 1], [2, 6, 3, 0, 0]], "int32")


def test_classifier() -> None:
    check_layer(
        SequenceClassifier,
        {**SIZES, "layers": 2, "bidirectional": True},
        WORDS,
        reference.sequence_classifier,
        bad_inputs=[({"inputs": WORDS[0]}, "inputs"), ({"inputs": WORDS[..., None]}, "inputs")],
        bad_arguments=[{"cell": "rnn"}],
        skip=NOT_OF_MODELS,
    )


def test_tagger() -> None:
    good = {"words": WORDS, "endings": ENDINGS}
    check_layer(
        SequenceTagger,
        {**SIZES, "ending_vocabulary_size": 5, "ending_embedding_dim": 2},
        {"inputs": good},
        reference.sequence_tagger,
        bad_inputs=[
            ({"inputs": {**good, "words": WORDS[0]}}, "words"),
            ({"inputs": {**good, "endings": ENDINGS[..., None]}}, "endings"),
            ({"inputs": {"words": WORDS}}, "endings"),
            ({"inputs": WORDS}, "endings"),
        ],
        bad_arguments=[{"cell": "rnn"}],
        skip=NOT_OF_MODELS,
    )


def test_generator() -> None:
    vectors = np.random.default_rng(0).normal(size=(2, 3)).astype("float32")
    good = {"condition": vectors, "target": TARGET}
    check_layer(
        SequenceGenerator,
        {**SPEAKS, "layers": 2, "condition": "vector", "condition_size": 3},
        {"inputs": good},
        reference.sequence_generator,
        bad_inputs=[
            ({"inputs": {**good, "condition": vectors[..., None]}}, "condition"),
            ({"inputs": {**good, "condition": vectors[:, :2]}}, "condition"),
            ({"inputs": {**good, "target": TARGET[0]}}, "target"),
            ({"inputs": {"target": TARGET}}, "condition"),
            ({"inputs": TARGET}, "condition"),
        ],
        bad_arguments=[{"cell": "rnn"}, {"condition": "image"}, {"condition_size": None}],
        skip=NOT_OF_MODELS,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"cell": "gru"},
        {"cell": "simple_rnn", "layers": 2},
        {"cell": "gru", "bidirectional": True},
        {"cell": "simple_rnn", "bidirectional": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("model", [SequenceClassifier, SequenceTagger])
def test_other_kinds_of_readers(model: Any, changes: dict) -> None:
    expected = {
        SequenceClassifier: reference.sequence_classifier,
        SequenceTagger: reference.sequence_tagger,
    }[model]
    arguments = {**SIZES, "bidirectional": False, **changes}
    check_layer(model, arguments, WORDS, expected, skip=NUMBERS_ONLY)


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"cell": "gru"},
        {"cell": "simple_rnn", "layers": 2},
        {"cell": "gru", "condition": "token", "condition_size": 4},
        {"cell": "lstm", "condition": "token", "condition_size": 4},
    ],
    ids=str,
)
def test_other_kinds_of_generators(changes: dict) -> None:
    tokens = np.array([[3], [0]], "int32")
    inputs: Any = TARGET
    if "condition" in changes:
        inputs = {"inputs": {"condition": tokens, "target": TARGET}}
    arguments = {**SPEAKS, **changes}
    check_layer(
        SequenceGenerator, arguments, inputs, reference.sequence_generator, skip=NUMBERS_ONLY
    )
