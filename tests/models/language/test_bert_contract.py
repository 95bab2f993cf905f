"""BERT and its heads held to the block contract, against their equations in NumPy."""

from typing import Any

import numpy as np
import pytest

from kblocks.models import (
    BertClassifier,
    BertEncoder,
    BertPretrainer,
    BertSentenceEncoder,
    BertSpanClassifier,
    BertTagger,
)
from tests.contract import NUMBERS_ONLY, check_layer
from tests.models.language.bert_samples import ENCODER, encoder, texts
from tests.reference import bert as reference

NOT_OF_MODELS = {
    "shapes": "Keras traces a model's shapes; the saved files have them free",
    "policies": "logits are float32 in mixed policies: test_bert.py",
}
KEY_BIASES = {
    f"encoder/{i}/self_attention/b_K": "moves all scores of a query alike" for i in range(2)
}
OF_HEADS = {f"encoder/{path}": reason for path, reason in KEY_BIASES.items()}
UNUSED = {"encoder/pooler/kernel": "the head reads the tokens", "encoder/pooler/bias": "so"}


def bad_ids() -> list[tuple[dict[str, Any], str]]:
    good = texts()
    return [
        ({"inputs": {**good, "tokens": good["tokens"][0]}}, "tokens"),
        ({"inputs": {**good, "segments": good["segments"][:, :2]}}, "segments"),
        ({"inputs": {"segments": good["segments"]}}, "tokens"),
    ]


def test_encoder() -> None:
    check_layer(
        BertEncoder,
        ENCODER,
        {"inputs": texts()},
        reference.bert_encoder,
        zero_gradients=KEY_BIASES,
        bad_inputs=bad_ids(),
        bad_arguments=[{"num_heads": 4}, {"segments": 0}, {"attention_dropout": 1.0}],
        skip=NOT_OF_MODELS,
    )


@pytest.mark.slow
def test_causal_encoder() -> None:
    """The pooler reads the last token that is no padding."""
    check_layer(
        BertEncoder,
        {**ENCODER, "causal": True},
        {"inputs": texts()},
        reference.bert_encoder,
        zero_gradients=KEY_BIASES,
        skip=NUMBERS_ONLY,
    )


HEADS: dict[str, tuple[type, dict[str, Any], dict[str, Any], Any, dict[str, str]]] = {
    "classifier": (BertClassifier, {"num_classes": 3}, {}, reference.bert_classifier, {}),
    "classifier-mean": (
        BertClassifier,
        {"num_classes": 3, "pooling": "mean"},
        {},
        reference.bert_classifier,
        UNUSED,
    ),
    "tagger": (BertTagger, {"num_tags": 4}, {}, reference.bert_tagger, UNUSED),
    # Without padding: beside its -1e9 a finite difference would lose its digits.
    "spans": (
        BertSpanClassifier,
        {},
        {"tokens": np.array([[2, 4, 5, 3, 6, 3], [2, 7, 8, 3, 6, 4]], "int32")},
        reference.bert_span_classifier,
        UNUSED,
    ),
    "mean": (BertSentenceEncoder, {}, {}, reference.bert_sentence_encoder, UNUSED),
    "first": (
        BertSentenceEncoder,
        {"pooling": "first"},
        {},
        reference.bert_sentence_encoder,
        UNUSED,
    ),
    "pretrainer": (
        BertPretrainer,
        {},
        {"positions": np.array([[1, 4], [2, 0]], "int32")},
        reference.bert_pretrainer,
        {},
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("head", HEADS)
def test_heads(head: str) -> None:
    model_class, arguments, inputs, of_equations, zeros = HEADS[head]
    check_layer(
        model_class,
        {"encoder": encoder(), **arguments},
        {"inputs": {**texts(), **inputs}},
        of_equations,
        zero_gradients={**OF_HEADS, **zeros},
        skip=NUMBERS_ONLY,
    )


def test_what_a_classifier_reads() -> None:
    with pytest.raises(ValueError, match="pooling='first' needs an `encoder` with a pooler"):
        BertClassifier(encoder(pooler=False), num_classes=2)
    with pytest.raises(ValueError, match="`pooling` must be one of"):
        BertClassifier(encoder(), num_classes=2, pooling="max")
