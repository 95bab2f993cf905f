"""The translators held to the block contract, each kind against its equations in NumPy."""

from typing import Any

import pytest

from kblocks.models import BahdanauTranslator, LuongTranslator, TransformerTranslator
from tests.contract import NUMBERS_ONLY, check_layer
from tests.models.translation.samples import BAHDANAU, LUONG, TRANSFORMER, pairs
from tests.reference import translation as reference
from tests.reference.transformer_translator import transformer_translator

SCORES = {"return_attention_scores": True}
NOT_OF_MODELS = {
    "shapes": "Keras traces a model's shapes; the saved files have them free",
    "policies": "logits are float32 in mixed policies: test_translators.py",
}


def bad_ids() -> list[tuple[dict[str, Any], str]]:
    good = pairs()
    return [
        ({"inputs": {**good, "source": good["source"][0]}}, "source"),
        ({"inputs": {**good, "target": good["target"][..., None]}}, "target"),
    ]


def test_bahdanau() -> None:
    check_layer(
        BahdanauTranslator,
        {**BAHDANAU, "attention_units": 3},
        {"inputs": pairs()},
        reference.bahdanau_translator,
        call=SCORES,
        bad_inputs=bad_ids(),
        bad_arguments=[
            {"cell": "rnn"},
            {"attention": "dot"},
            {"readout": "relu"},
            {"tie_embeddings": "source"},
            {"tie_embeddings": "all"},
        ],
        skip=NOT_OF_MODELS,
    )


def test_luong() -> None:
    check_layer(
        LuongTranslator,
        {**LUONG, "layers": 2},
        {"inputs": pairs()},
        reference.luong_translator,
        call=SCORES,
        bad_inputs=bad_ids(),
        bad_arguments=[{"attention": "hard"}, {"tie_embeddings": "target"}],
        skip=NOT_OF_MODELS,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"cell": "lstm", "readout": "tanh"},
        {"attention": None},
        {"cell": "lstm", "attention": None, "tie_embeddings": "target"},
        {"target_vocabulary_size": 9, "tie_embeddings": "all", "readout": "tanh"},
    ],
    ids=str,
)
def test_other_kinds_of_bahdanau(changes: dict) -> None:
    check_layer(
        BahdanauTranslator,
        {**BAHDANAU, **changes},
        {"inputs": pairs()},
        reference.bahdanau_translator,
        call={} if "attention" in changes else SCORES,
        skip=NUMBERS_ONLY,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"layers": 1, "attention": "dot", "input_feeding": False},
        {"layers": 2, "attention": "dot", "bidirectional": True},
        {"layers": 2, "attention": None, "input_feeding": False},
        {"layers": 1, "attention": None, "bidirectional": True},
        {"layers": 1, "attention": "location", "max_length": 4},
        {"target_vocabulary_size": 9, "embedding_dim": 6, "tie_embeddings": "all"},
    ],
    ids=str,
)
def test_other_kinds_of_luong(changes: dict) -> None:
    check_layer(
        LuongTranslator,
        {**LUONG, **changes},
        {"inputs": pairs()},
        reference.luong_translator,
        call={} if "attention" in changes and not changes["attention"] else SCORES,
        skip=NUMBERS_ONLY,
    )


def key_biases(layers: int) -> dict[str, str]:
    """A key's bias adds the same to all scores of a query."""
    paths = [f"encoder/{i}/self_attention" for i in range(layers)]
    paths += [f"decoder/{i}/{kind}_attention" for i in range(layers) for kind in ("self", "cross")]
    return {f"{path}/b_K": "the same for all scores of a softmax" for path in paths}


@pytest.mark.slow
def test_transformer() -> None:
    check_layer(
        TransformerTranslator,
        {**TRANSFORMER, "dropout": 0.0},
        {"inputs": pairs()},
        transformer_translator,
        call=SCORES,
        zero_gradients=key_biases(2),
        bad_inputs=bad_ids(),
        bad_arguments=[
            {"norm": "both"},
            {"num_heads": 4},
            {"tie_embeddings": "source"},
        ],
        skip=NOT_OF_MODELS,
    )


@pytest.mark.full
@pytest.mark.parametrize(
    "changes",
    [
        {"norm": "pre", "activation": "gelu"},
        {"layers": 3, "tie_embeddings": "target", "target_vocabulary_size": 8},
        {"layers": 1, "tie_embeddings": "none", "target_vocabulary_size": 8},
    ],
    ids=str,
)
def test_other_kinds_of_transformer(changes: dict) -> None:
    arguments = {**TRANSFORMER, "dropout": 0.0, **changes}
    check_layer(
        TransformerTranslator,
        arguments,
        {"inputs": pairs()},
        transformer_translator,
        call=SCORES,
        zero_gradients=key_biases(arguments["layers"]),
        skip=NUMBERS_ONLY,
    )
