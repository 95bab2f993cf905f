"""Tiny sequences for the tests of the recurrent layers."""

from typing import Any

import keras
import numpy as np


def sequences(seed: int = 0, features: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(3, 6, features)).astype("float32")


def states(number: int, units: int = 4) -> list[np.ndarray]:
    draw = np.random.default_rng(1).normal(size=(number, 3, units)).astype("float32")
    return list(draw)


def right_padded() -> np.ndarray:
    return np.arange(6) < np.array([[6], [2], [4]])


MASKS = {
    "none": None,
    "right": right_padded(),
    "left": right_padded()[:, ::-1],
    "holes": np.array([[1, 0, 1, 1, 0, 1], [0, 1, 0, 0, 1, 0], [0, 0, 0, 0, 0, 0]], "bool"),
}


def assert_same(found: Any, expected: Any, atol: float = 1e-6) -> None:
    """Equal leaf by leaf, whichever backend the tensors are of."""
    pairs = zip(keras.tree.flatten(found), keras.tree.flatten(expected), strict=True)
    for a, b in pairs:
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(a), keras.ops.convert_to_numpy(b), rtol=0, atol=atol
        )
