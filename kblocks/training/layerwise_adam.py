"""Adam whose rate falls from layer to layer, from the head of a model down to its embeddings.

Howard and Ruder 2018 (arXiv:1801.06146), section 3.2, "discriminative fine-tuning", with Adam:

    theta_d <- theta_d - eta decay^d m_d / (sqrt(v_d) + epsilon)

d is 0 for the head, 1 for the layer under it and so on. m and v are Adam's own, of the whole
gradient: it is the step that is scaled. (A scaled gradient would change next to nothing, since Adam
divides by its size.) Weight decay is scaled with the rate.
"""

from collections.abc import Sequence
from typing import Any

import keras

from kblocks.training.fused_adam import FusedAdam

Tensor = Any


@keras.saving.register_keras_serializable("kblocks")
class LayerwiseAdam(FusedAdam):
    """Adam with `learning_rate * decay ** depth` for each weight.

    It goes under `GlobalNormClipping` as any plain optimizer, and trains under `tf.distribute`.

    Args:
        depths: How far from the head each trainable weight stands, ints from 0, in the order of
            `model.trainable_variables`: `BertClassifier.depths()`.
        decay: Over 0 and at most 1; with 1 it is Adam.
        learning_rate: A float or a schedule, the rate of the head.
        weight_decay: As Adam's; the share of a weight that a step of rate 1 takes away.
        name: The optimizer's name.
        kwargs: Further arguments of `FusedAdam`.

    Raises:
        ValueError: An argument is out of its range, or there are not as many weights as `depths`.

    Example:

    >>> import keras
    >>> from kblocks.training import LayerwiseAdam
    >>> low, high = keras.Variable([1.0]), keras.Variable([1.0])
    >>> optimizer = LayerwiseAdam([1, 0], decay=0.5, learning_rate=0.1)
    >>> optimizer.apply([keras.ops.ones(1), keras.ops.ones(1)], [low, high])
    >>> [round(float(v[0]), 3) for v in (low, high)]
    [0.95, 0.9]

    References:
        - Howard and Ruder 2018, arXiv:1801.06146, section 3.2
        - Clark et al. 2020 (ELECTRA), arXiv:2003.10555, appendix B
    """

    def __init__(
        self,
        depths: Sequence[int],
        decay: float = 0.9,
        learning_rate: Any = 1e-3,
        weight_decay: float | None = None,
        name: str = "layerwise_adam",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, name=name, **kwargs)
        if isinstance(decay, bool) or not isinstance(decay, int | float) or not 0 < decay <= 1:
            raise ValueError(f"`decay` must be over 0 and at most 1, but it is {decay!r}.")
        wrong = [d for d in depths if isinstance(d, bool) or not isinstance(d, int) or d < 0]
        if wrong:
            raise ValueError(f"`depths` must be integers from 0, but one is {wrong[0]!r}.")
        self.depths = list(depths)
        self.decay = decay

    def build(self, variables: Sequence[keras.Variable]) -> None:
        if len(variables) != len(self.depths):
            raise ValueError(
                f"`depths` must be one for each trainable weight, {len(variables)}, but they are "
                f"{len(self.depths)}."
            )
        super().build(variables)

    def update_step(self, gradient: Tensor, variable: Any, learning_rate: Tensor) -> None:
        depth = self.depths[self._get_variable_index(variable)]
        super().update_step(gradient, variable, learning_rate * self.decay**depth)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "depths": self.depths, "decay": self.decay}
