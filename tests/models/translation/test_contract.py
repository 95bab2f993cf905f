"""The translators held to the block contract, each kind against its equations in NumPy."""

from typing import Any

import pytest

from kblocks.models import BahdanauTranslator, LuongTranslator
from tests.contract import NUMBERS_ONLY, check_layer
from tests.models.translation.samples import BAHDANAU, LUONG, pairs
from tests.reference import translation as reference

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
