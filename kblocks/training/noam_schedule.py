"""The learning rate of the Transformer: a linear warm-up, then the inverse square root.

Vaswani et al. (2017), https://arxiv.org/abs/1706.03762, equation 3:

    rate = model_dim^-0.5 * min(step^-0.5, step * warmup_steps^-1.5)

The two branches meet at step = warmup_steps, where the rate is at its highest,
(model_dim * warmup_steps)^-0.5.
"""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("kblocks")
class NoamSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """The learning rate rises for `warmup_steps` steps and falls as one over the root afterwards.

    The paper counts steps from one and Keras' optimizers from zero: the first step of training,
    Keras' step 0, has the paper's rate of step 1.

    Args:
        model_dim: Positive int. The width of the model, d_model in the paper.
        warmup_steps: Positive int. The number of steps with a rising rate.
        scale: Positive float. A factor on the whole schedule, 1 in the paper.

    Call arguments:
        step: The number of steps taken so far, a scalar or a tensor.

    Returns:
        The learning rate, a float32 tensor of the shape of `step`.

    Raises:
        ValueError: An argument is not a positive number.

    Example:

    >>> from kblocks.training import NoamSchedule
    >>> schedule = NoamSchedule(model_dim=512, warmup_steps=4000)
    >>> round(float(schedule(3999)), 6), round(float(schedule(15999)), 6)
    (0.000699, 0.000349)

    References:
        - Vaswani et al., 2017, https://arxiv.org/abs/1706.03762, equation 3
    """

    def __init__(self, model_dim: int, warmup_steps: int = 4000, scale: float = 1.0) -> None:
        super().__init__()
        for argument, value in (("model_dim", model_dim), ("warmup_steps", warmup_steps)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"`{argument}` must be a positive integer, but it is {value!r}.")
        if isinstance(scale, bool) or not isinstance(scale, int | float) or not scale > 0:
            raise ValueError(f"`scale` must be a positive number, but it is {scale!r}.")
        self.model_dim = model_dim
        self.warmup_steps = warmup_steps
        self.scale = scale

    def __call__(self, step: Any) -> Any:
        step = ops.cast(step, "float32") + 1.0
        return (
            self.scale
            * self.model_dim**-0.5
            * ops.minimum(ops.rsqrt(step), step * self.warmup_steps**-1.5)
        )

    def get_config(self) -> dict[str, Any]:
        return {
            "model_dim": self.model_dim,
            "warmup_steps": self.warmup_steps,
            "scale": self.scale,
        }
