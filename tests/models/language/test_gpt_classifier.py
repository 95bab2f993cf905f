"""Fine-tuning: the input transformations, the logits of the extract token, and the added loss."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from kblocks.models import GPT, GPTClassifier
from kblocks.models.language import TaskInputs
from tests.contract.case import named_weights
from tests.models.language.gpt_samples import TINY, made
from tests.reference import language as reference

TASK = TaskInputs(start=6, delimiter=7, extract=8)
FIRST, SECOND = [[1, 2], [3]], [[4], [5, 0]]
numpy = ops.convert_to_numpy


def classifier(num_classes: int | None = 3, **changes: Any) -> GPTClassifier:
    model = GPTClassifier(made(GPT), num_classes, **{"dropout": 0.0, **changes})
    model.build()
    kernel = model.head.kernel
    kernel.assign(np.random.default_rng(1).normal(size=kernel.shape))
    return model


def features(model: GPTClassifier, text: list[int]) -> np.ndarray:
    """h_n of the last token, by the reference."""
    return states(model, text)[-1]


def states(model: GPTClassifier, text: list[int]) -> np.ndarray:
    weights: Mapping = {
        path: numpy(v).astype("float64") for path, v in named_weights(model.gpt).items()
    }
    return reference.hidden_states(weights, np.array([text]), **{**TINY, "norm": "post"})[-1][0]


def head(model: GPTClassifier, h: np.ndarray) -> np.ndarray:
    return h @ numpy(model.head.kernel) + numpy(model.head.bias)


def test_the_sequences_of_each_task() -> None:
    assert TASK.sentences(FIRST).tolist() == [[6, 1, 2, 8], [6, 3, 8, -1]]
    assert TASK.pairs(FIRST, SECOND).tolist() == [[6, 1, 2, 7, 4, 8], [6, 3, 7, 5, 0, 8]]
    assert TASK.similarity(FIRST[:1], SECOND[:1]).tolist() == [
        [[6, 1, 2, 7, 4, 8], [6, 4, 7, 1, 2, 8]]
    ]
    assert TASK.choices([[1]], [[[2], [3, 4]]]).tolist() == [
        [[6, 1, 7, 2, 8, -1], [6, 1, 7, 3, 4, 8]]
    ]
    with pytest.raises(ValueError, match=r"`answers` must be equally many .* got \[1, 2\]"):
        TASK.choices([[1], [2]], [[[2]], [[3], [4]]])


def test_the_logits_are_those_of_the_extract_token() -> None:
    model = classifier()
    expected = [features(model, [6, *text, 8]) for text in FIRST]
    logits = numpy(model(TASK.sentences(FIRST)))
    np.testing.assert_allclose(logits, head(model, np.array(expected)), atol=1e-4)

    both = [
        features(model, [6, *a, 7, *b, 8]) + features(model, [6, *b, 7, *a, 8])
        for a, b in zip(FIRST, SECOND, strict=True)
    ]
    logits = numpy(model(TASK.similarity(FIRST, SECOND)))
    np.testing.assert_allclose(logits, head(model, np.array(both)), atol=1e-4)

    chooser = classifier(None)
    answers = [[[1], [2]], [[3], [4, 5]]]
    expected = [
        [head(chooser, features(chooser, [6, *text, 7, *answer, 8]))[0] for answer in some]
        for text, some in zip(FIRST, answers, strict=True)
    ]
    logits = numpy(chooser(TASK.choices(FIRST, answers)))
    np.testing.assert_allclose(logits, expected, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("language_weight", [0.0, 0.5])
def test_the_loss_of_a_fit_is_the_tasks_and_the_language_models(language_weight: float) -> None:
    model = classifier(language_weight=language_weight)
    E = numpy(model.gpt.token_embedding.embeddings)
    L_1, L_2 = [], []
    labels = np.array([2, 0])
    for text, label in zip(FIRST, labels, strict=True):
        text = [6, *text, 8]
        h = states(model, text)
        z = h[:-1] @ E.T
        L_1.append(np.mean(np.log(np.exp(z).sum(-1)) - z[np.arange(len(z)), text[1:]]))
        z = head(model, h[-1])
        L_2.append(np.log(np.exp(z).sum()) - z[label])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1), loss, jit_compile=False)
    before = numpy(model.head.kernel).copy()
    inputs = TASK.sentences(FIRST)
    evaluated = model.evaluate(inputs, labels, verbose=0)
    np.testing.assert_allclose(evaluated, np.mean(L_2), rtol=1e-4)
    fitted = model.fit(inputs, labels, verbose=0).history["loss"][0]
    np.testing.assert_allclose(fitted, np.mean(L_2) + language_weight * np.mean(L_1), rtol=1e-4)
    assert np.abs(numpy(model.head.kernel) - before).max() > 0


@pytest.mark.slow
def test_a_keras_file_gives_the_same_classifier(tmp_path: Path) -> None:
    model, inputs = classifier(), TASK.sentences(FIRST)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded) is GPTClassifier
    assert loaded.get_config() == model.get_config()
    np.testing.assert_array_equal(numpy(loaded(inputs)), numpy(model(inputs)))


@pytest.mark.parametrize(
    ("argument", "value"),
    [("num_classes", 0), ("language_weight", -0.1), ("dropout", 1.0)],
)
def test_arguments_out_of_their_range(argument: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"`{argument}` must .* got {value}"):
        GPTClassifier(GPT(**TINY), **{argument: value})


def test_inputs_of_another_shape() -> None:
    with pytest.raises(ValueError, match=r"`inputs` must have shape \(batch, sequences, time\)"):
        classifier(None)(TASK.sentences(FIRST))
    with pytest.raises(ValueError, match=r"`inputs` must have shape \(batch, time\) or .* \(4,\)"):
        classifier()(np.array([6, 1, 2, 8]))
