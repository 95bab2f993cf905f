"""Adam, with the whole step of a weight as one operation where the backend has one.

    theta <- theta - eta lambda theta          the decay of weights, Loshchilov and Hutter 2019
    theta <- theta - eta m / (sqrt(v) + epsilon)               m and v without their bias

The numbers are those of Keras' Adam and AdamW; `kblocks.backend.adam_step` says why it is faster.
Two things differ. TensorFlow gives the gradient of an embedding as a row for each token that was
read: here the rows of one token are summed before they are squared; Keras squares each by itself.
With `gradient_accumulation_steps` Keras moves a schedule on with each batch, here each step does.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from kblocks.backend import adam_step

Tensor = Any


@keras.saving.register_keras_serializable("kblocks")
class FusedAdam(keras.optimizers.Adam):
    """Adam as Keras has it, faster on TensorFlow; with `weight_decay` it is AdamW.

    It goes under `GlobalNormClipping` as any plain optimizer, and trains under `tf.distribute`.

    Args:
        learning_rate: A float or a schedule.
        weight_decay: The share of a weight that a step of rate 1 takes away, or `None`.
        name: The optimizer's name.
        kwargs: Further arguments of `keras.optimizers.Adam`.

    Raises:
        ValueError: `amsgrad` is set.

    Example:

    >>> import keras
    >>> from kblocks.training import FusedAdam
    >>> theta = keras.Variable([1.0, 2.0])
    >>> optimizer = FusedAdam(learning_rate=0.1, weight_decay=0.5)
    >>> optimizer.apply([keras.ops.array([3.0, -4.0])], [theta])
    >>> theta.numpy().round(3)  # 1 - 0.05 - 0.1 and 2 - 0.1 + 0.1
    array([0.85, 2.  ], dtype=float32)

    References:
        - Kingma and Ba 2015, arXiv:1412.6980, algorithm 1
        - Loshchilov and Hutter 2019, arXiv:1711.05101, algorithm 2
    """

    def __init__(
        self,
        learning_rate: Any = 1e-3,
        weight_decay: float | None = None,
        name: str = "fused_adam",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, name=name, **kwargs)
        if self.amsgrad:
            raise ValueError("`amsgrad` must be false; keras.optimizers.Adam has it.")

    def update_step(self, gradient: Tensor, variable: Any, learning_rate: Tensor) -> None:
        if self.weight_decay is not None and self._use_weight_decay(variable):
            share = ops.cast(learning_rate * self.weight_decay, variable.dtype)
            self.assign(variable, variable * (1 - share))
        i = self._get_variable_index(variable)
        adam_step(
            variable,
            self._momentums[i],
            self._velocities[i],
            gradient,
            learning_rate,
            self.iterations + 1,
            self.beta_1,
            self.beta_2,
            self.epsilon,
        )

    def _get_current_learning_rate(self) -> Tensor:
        """A schedule's rate of this step, whose gradients may be of several batches."""
        if isinstance(self._learning_rate, keras.optimizers.schedules.LearningRateSchedule):
            return self._learning_rate(self.iterations)
        return super()._get_current_learning_rate()

    def _apply_weight_decay(self, variables: Sequence[Any]) -> None:
        """Nothing: `update_step` does it, by the rate of the weight at hand."""
