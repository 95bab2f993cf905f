"""Tiny texts and encoders."""

from typing import Any

import numpy as np

from kblocks.models import BertEncoder

ENCODER: dict[str, Any] = {
    "vocabulary_size": 9,
    "layers": 2,
    "hidden_dim": 6,
    "num_heads": 2,
    "intermediate_dim": 5,
    "max_length": 7,
    "dropout": 0.0,
    "attention_dropout": 0.0,
}


def encoder(**changes: Any) -> BertEncoder:
    return BertEncoder(**{**ENCODER, **changes})


def texts() -> dict[str, np.ndarray]:
    """A pair, and a shorter text beside padding."""
    return {
        "tokens": np.array([[2, 4, 5, 3, 6, 3], [2, 7, 8, 3, 0, 0]], "int32"),
        "segments": np.array([[0, 0, 0, 0, 1, 1], [0, 0, 1, 1, 0, 0]], "int32"),
    }
