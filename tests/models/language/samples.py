"""Tiny language models and texts."""

from typing import Any

import keras
import numpy as np

TINY: dict[str, Any] = {
    "vocabulary_size": 9,
    "layers": 2,
    "hidden_dim": 6,
    "num_heads": 2,
    "intermediate_dim": 5,
    "max_length": 7,
    "dropout": 0.0,
    "attention_dropout": 0.0,
}
TOKENS = np.array([[4, 0, 6, 3, 8], [7, 1, 2, 5, 7]], "int32")
PADDED = np.array([[4, 0, 6, 3], [7, -1, -1, -1], [1, 2, -1, -1]], "int32")


def made(model_class: type[keras.Model], **changes: Any) -> Any:
    """Built, with weights so large that what is said depends on all that was said before."""
    model = model_class(**{**TINY, **changes})
    model.build()
    rng = np.random.default_rng(3)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(size=variable.shape, scale=0.6).astype("float32"))
    return model
