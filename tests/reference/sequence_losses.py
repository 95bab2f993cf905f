"""Losses over padded sequences in NumPy float64, position by position."""

import numpy as np

Array = np.ndarray


def log_softmax(logits: Array) -> Array:
    shifted = logits - logits.max()
    return shifted - np.log(np.exp(shifted).sum())


def sequence_nll(labels: Array, logits: Array, smoothing: float = 0.0) -> float:
    """Szegedy et al. 2016, section 7: q_k = (1 - eps) [k = y] + eps / V; over real labels."""
    classes, total = logits.shape[-1], 0.0
    for y, z in zip(labels, logits.astype("float64"), strict=True):
        if y != 0:
            q = np.full(classes, smoothing / classes)
            q[y] += 1 - smoothing
            total -= q @ log_softmax(z)
    return total
