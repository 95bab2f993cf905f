"""Optimisation as the papers have it, in NumPy float64."""

from collections.abc import Sequence

import numpy as np

Array = np.ndarray


def clip_by_global_norm(gradients: list[Array], norm: float) -> list[Array]:
    """Pascanu et al. (2013), algorithm 1: if ||g|| >= threshold, g <- threshold / ||g|| * g."""
    whole = np.linalg.norm(np.concatenate([g.ravel() for g in gradients]))
    return [norm / whole * g if whole >= norm else g for g in gradients]


def adam(
    theta: Array,
    gradients: Sequence[Array],
    rate: float,
    weight_decay: float = 0.0,
    betas: tuple[float, float] = (0.9, 0.999),
    epsilon: float = 1e-7,
) -> Array:
    """A weight after steps with these gradients, in float64.

    Kingma and Ba (2015), algorithm 1, in the faster form at the end of section 2, where epsilon
    stands beside the root of v before its bias is corrected; Loshchilov and Hutter (2019),
    algorithm 2, line 12, with the schedule and alpha as one rate.
    """
    theta = np.asarray(theta, "float64")
    m = v = np.zeros_like(theta)
    for t, g in enumerate(np.asarray(gradients, "float64"), 1):
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        alpha_t = rate * np.sqrt(1 - betas[1] ** t) / (1 - betas[0] ** t)
        theta = theta - alpha_t * m / (np.sqrt(v) + epsilon) - rate * weight_decay * theta
    return theta


def noam_rate(step: int, model_dim: int, warmup_steps: int) -> float:
    """Vaswani et al. (2017), equation 3; the first step is 1."""
    return model_dim**-0.5 * min(step**-0.5, step * warmup_steps**-1.5)


def regression(
    x: Array, y: Array, kernel: Array, bias: Array, norm: float, rate: float, batch: int
) -> list[Array]:
    """One epoch of clipped SGD on the mean squared error of x W + b, batch by batch."""
    weights = [kernel.astype("float64"), bias.astype("float64")]
    for start in range(0, len(x), batch):
        part, goal = x[start : start + batch], y[start : start + batch]
        error = 2 * (part @ weights[0] + weights[1] - goal) / goal.size
        gradients = clip_by_global_norm([part.T @ error, error.sum(axis=0)], norm)
        weights = [w - rate * g for w, g in zip(weights, gradients, strict=True)]
    return weights
