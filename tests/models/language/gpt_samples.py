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
    """Built, with weights so large that what is said depends on all that was said before.

    All tokens' embeddings are equally long: of the longest alone would be spoken otherwise.
    """
    model = model_class(**{**TINY, **changes})
    model.build()
    rng = np.random.default_rng(3)
    for variable in model.trainable_variables:
        name = variable.path.rsplit("/", 1)[-1]
        mean, deviation = {"gamma": (1.0, 0.6), "beta": (0.0, 0.1)}.get(name, (0.0, 0.6))
        value = rng.normal(mean, deviation, variable.shape)
        if variable is model.token_embedding.embeddings:
            value /= np.linalg.norm(value, axis=1, keepdims=True)
        variable.assign(value.astype("float32"))
    return model
