"""Tiny sequences for the tests of the recurrent layers."""

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
