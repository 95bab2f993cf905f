"""Tiny pairs and translators."""

from typing import Any

import keras
import numpy as np

SIZES = {"source_vocabulary_size": 9, "target_vocabulary_size": 8}
BAHDANAU = {**SIZES, "embedding_dim": 4, "units": 5}
LUONG = {**SIZES, "embedding_dim": 4, "units": 6}
TRANSFORMER = {
    "source_vocabulary_size": 9,
    "target_vocabulary_size": 9,
    "layers": 2,
    "embedding_dim": 6,
    "num_heads": 2,
    "intermediate_dim": 5,
}


def pairs() -> dict[str, np.ndarray]:
    """Two pairs, the second source padded; every id stands somewhere."""
    return {
        "source": np.array([[4, 5, 6, 3], [7, 8, 0, 0]], "int32"),
        "target": np.array([[2, 4, 5], [2, 6, 7]], "int32"),
    }


def made(model_class: type[keras.Model], arguments: dict[str, Any], **kwargs: Any) -> keras.Model:
    """Built, with weights nowhere zero, the same in every policy."""
    model = model_class(**arguments, **kwargs)
    model.build()
    rng = np.random.default_rng(3)
    weights = [rng.normal(size=v.shape, scale=0.4) for v in model.trainable_variables]
    for variable, weight in zip(model.trainable_variables, weights, strict=True):
        variable.assign(weight.astype("float32"))
    return model
