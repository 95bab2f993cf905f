"""Small inputs for the tests of this folder."""

import numpy as np


def sample(query_features: int = 3, features: int = 3, with_key: bool = False) -> dict:
    """A query of five steps and a memory of four, all axes of different sizes."""
    rng = np.random.default_rng(4)
    inputs = {
        "query": rng.normal(size=(2, 5, query_features)),
        "value": rng.normal(size=(2, 4, 6 if with_key else features)),
    }
    if with_key:
        inputs["key"] = rng.normal(size=(2, 4, features))
    return {name: array.astype("float32") for name, array in inputs.items()}


def memory_mask() -> np.ndarray:
    """Of the memory's four steps, all of the first row and two of the second are there."""
    return np.array([[True] * 4, [True, True, False, False]])


def query_mask() -> np.ndarray:
    """Of the query's five steps, three of the first row and all of the second are there."""
    return np.array([[True, True, True, False, False], [True] * 5])
