"""GPT's classifier held to the block contract, against equation 3 in NumPy."""

from typing import Any

import numpy as np
import pytest

from kblocks.models import GPT, GPT2, GPTClassifier
from tests.contract import NUMBERS_ONLY, check_layer
from tests.models.language.gpt_samples import PADDED, TINY, TOKENS
from tests.models.language.test_gpt_contract import KEY_BIASES, NOT_OF_MODELS
from tests.reference.language import gpt_classifier

OF_HEAD = {f"gpt/{path}": reason for path, reason in KEY_BIASES.items()}


def reference(norm: str) -> Any:
    def of_equations(weights: Any, ids: np.ndarray, **_: Any) -> np.ndarray:
        return gpt_classifier(weights, ids, **{**TINY, "norm": norm})

    return of_equations


@pytest.mark.slow
def test_gpt_classifier() -> None:
    check_layer(
        GPTClassifier,
        {"gpt": GPT(**TINY), "num_classes": 3, "dropout": 0.0},
        TOKENS,
        reference("post"),
        zero_gradients=OF_HEAD,
        bad_inputs=[
            ({"inputs": TOKENS[0]}, "inputs"),
            ({"inputs": np.tile(TOKENS, (1, 2))}, "inputs"),  # beyond the last position
        ],
        bad_arguments=[{"num_classes": 0}, {"language_weight": -1.0}, {"dropout": 1.0}],
        skip=NOT_OF_MODELS,
    )


def test_gpt2_with_padding() -> None:
    check_layer(
        GPTClassifier,
        {"gpt": GPT2(**TINY), "num_classes": 2, "dropout": 0.0},
        PADDED,
        reference("pre"),
        zero_gradients=OF_HEAD,
        skip=NUMBERS_ONLY,
    )
