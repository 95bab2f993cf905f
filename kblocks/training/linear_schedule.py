"""The learning rate of BERT: Devlin et al. 2019 (arXiv:1810.04805), appendix A.2.

rate = height * step / warm_up                            while step < warm_up
rate = height * (steps - step) / (steps - warm_up)        then, down to zero
"""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("kblocks")
class LinearSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Up along a line, then down to zero along another.

    Args:
        height: Positive float, the largest rate.
        steps: Positive int, when it is zero again.
        warm_up: Int from 0 to `steps`, when it is highest.

    Call arguments:
        step: The number of steps taken so far, a scalar or a tensor.

    Returns:
        The learning rate, a float32 tensor of the shape of `step`.

    Raises:
        ValueError: An argument is out of its range.

    Example:

    >>> from kblocks.training import LinearSchedule
    >>> schedule = LinearSchedule(1.0, steps=100, warm_up=10)
    >>> [round(float(schedule(step)), 2) for step in (0, 5, 10, 55, 100)]
    [0.0, 0.5, 1.0, 0.5, 0.0]

    References:
        - Devlin et al. 2019, arXiv:1810.04805, appendix A.2
    """

    def __init__(self, height: float, steps: int, warm_up: int = 0) -> None:
        super().__init__()
        if isinstance(height, bool) or not isinstance(height, int | float) or not height > 0:
            raise ValueError(f"`height` must be a positive number, but it is {height!r}.")
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
            raise ValueError(f"`steps` must be a positive integer, but it is {steps!r}.")
        if isinstance(warm_up, bool) or not isinstance(warm_up, int) or not 0 <= warm_up <= steps:
            raise ValueError(f"`warm_up` must be an integer from 0 to {steps}, got {warm_up!r}.")
        self.height = height
        self.steps = steps
        self.warm_up = warm_up

    def __call__(self, step: Any) -> Any:
        step = ops.cast(step, "float32")
        up = step / max(1, self.warm_up)
        down = (self.steps - step) / max(1, self.steps - self.warm_up)
        return self.height * ops.maximum(0.0, ops.where(step < self.warm_up, up, down))

    def get_config(self) -> dict[str, Any]:
        return {"height": self.height, "steps": self.steps, "warm_up": self.warm_up}
