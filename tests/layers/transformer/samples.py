"""Small inputs for the tests of this folder."""

import numpy as np


def sequence(features: int = 6, time: int = 5, seed: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(2, time, features)).astype("float32")


def memory(features: int = 3) -> np.ndarray:
    return sequence(features, 4, seed=5)


def mask() -> np.ndarray:
    """Of five steps, three of the first row and all of the second are there."""
    return np.array([[True, True, True, False, False], [True] * 5])


def memory_mask() -> np.ndarray:
    """Of the memory's four steps, all of the first row and two of the second are there."""
    return np.array([[True] * 4, [True, True, False, False]])
