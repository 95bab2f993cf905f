"""The learning rate of every recipe."""

import keras


def rise_and_fall(
    height: float, steps: int, warm_up: int | None = None, end: float = 0.0
) -> keras.optimizers.schedules.LearningRateSchedule:
    """Up to `height` in `warm_up` of the steps, then along a cosine to a share `end` of it.

    Without `warm_up` it is a tenth of the steps, at most 500.
    """
    if warm_up is None:
        warm_up = max(1, min(500, steps // 10))
    return keras.optimizers.schedules.CosineDecay(
        0.0,
        decay_steps=max(1, steps - warm_up),
        warmup_target=height,
        warmup_steps=warm_up,
        alpha=end,
    )
