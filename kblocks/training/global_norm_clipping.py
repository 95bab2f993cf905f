"""Clipping by the global norm, after the gradients of all replicas have been summed.

Pascanu, Mikolov and Bengio (2013), https://arxiv.org/abs/1211.5063, algorithm 1:

    g <- dL / d theta
    if ||g|| >= threshold:  g <- threshold / ||g|| * g

g is the gradient of the whole batch. Under `tf.distribute` each replica has a part of it only;
what each would clip by itself, as `global_clipnorm` of a Keras optimizer does, sums to something
else: of two replicas with orthogonal gradients, to a norm of sqrt(2) times the threshold.
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from kblocks.backend import dense_gradient

Tensor = Any


@keras.saving.register_keras_serializable("kblocks")
class GlobalNormClipping(keras.optimizers.Optimizer):
    """Clips the gradient of the whole batch to a global norm, then takes the optimizer's step.

    The gradients are clipped after they were unscaled, averaged over accumulated steps and summed
    over the replicas, so training under `tf.distribute` equals training on one device. Everything
    else is the wrapped optimizer's: its variables, learning rate, weight decay, moving averages,
    gradient accumulation. It belongs to the wrapper from then on. In mixed precision Keras puts
    its `LossScaleOptimizer` around this one; a gradient that is not finite makes all of them NaN.

    On TensorFlow the gradient of an embedding reaches the optimizer as one dense tensor: Keras'
    adaptive optimizers square each occurrence of a token by itself otherwise.

    Args:
        optimizer: A Keras optimizer without clipping of its own, or the name of one.
        norm: Positive float. The largest global norm that is left as it is.
        name: The optimizer's name.

    Raises:
        ValueError: `norm` is not a positive number, or `optimizer` clips by itself or wraps others.

    Example:

    >>> import keras
    >>> from kblocks.training import GlobalNormClipping
    >>> weight = keras.Variable([0.0, 0.0])
    >>> optimizer = GlobalNormClipping(keras.optimizers.SGD(1.0), norm=2.5)
    >>> optimizer.apply([keras.ops.convert_to_tensor([-3.0, -4.0])], [weight])
    >>> keras.ops.convert_to_numpy(weight).tolist()
    [1.5, 2.0]

    References:
        - Pascanu et al., 2013, https://arxiv.org/abs/1211.5063, algorithm 1
    """

    def __init__(
        self,
        optimizer: keras.optimizers.Optimizer | str,
        norm: float,
        name: str = "global_norm_clipping",
    ) -> None:
        optimizer = keras.optimizers.get(optimizer)
        if isinstance(norm, bool) or not isinstance(norm, int | float) or not 0 < norm < math.inf:
            raise ValueError(f"`norm` must be a positive number, but it is {norm!r}.")
        if hasattr(optimizer, "inner_optimizer") or hasattr(optimizer, "optimizers"):
            raise ValueError(
                "`optimizer` must be a plain optimizer, for others go around GlobalNormClipping, "
                f"but it is a {type(optimizer).__name__}, which wraps others itself."
            )
        for argument in ("clipnorm", "clipvalue", "global_clipnorm"):
            if getattr(optimizer, argument) is not None:
                raise ValueError(
                    f"`optimizer` must not clip by itself, but its {argument} is "
                    f"{getattr(optimizer, argument)}."
                )
        # A function, so that no variable of this class stands beside the optimizer's own.
        super().__init__(learning_rate=lambda: optimizer.learning_rate, name=name)
        self._iterations = optimizer._iterations
        self.optimizer = optimizer
        self.norm = norm
        if keras.backend.backend() == "tensorflow":
            optimizer._all_reduce_sum_gradients = self._reduce_and_clip
        else:  # the gradients of the whole batch, averaged over accumulated steps
            optimizer._clip_gradients = self._clip

    def _reduce_and_clip(self, grads_and_vars: Sequence[tuple]) -> list[tuple]:
        reduced = type(self.optimizer)._all_reduce_sum_gradients(self.optimizer, grads_and_vars)
        gradients, variables = zip(*reduced, strict=True)
        return list(zip(self._clip(gradients), variables, strict=True))

    def _clip(self, gradients: Sequence[Tensor]) -> list[Tensor]:
        gradients = [dense_gradient(g) for g in gradients]
        wide = [ops.cast(g, keras.backend.result_type(g.dtype, "float32")) for g in gradients]
        norm = ops.sqrt(sum(ops.sum(ops.square(g)) for g in wide))  # ||g||
        # 1 where ||g|| <= norm, norm / ||g|| above, NaN (inf - inf) where ||g|| is not finite
        scale = self.norm / ops.maximum(norm, self.norm) + (norm - norm)
        return [
            ops.cast(w * ops.cast(scale, w.dtype), g.dtype)
            for w, g in zip(wide, gradients, strict=True)
        ]

    @property
    def inner_optimizer(self) -> keras.optimizers.Optimizer:
        """The wrapped optimizer, by the name under which Keras' callbacks look for one."""
        return self.optimizer

    @property
    def variables(self) -> list[keras.Variable]:
        return self.optimizer.variables

    @property
    def iterations(self) -> Tensor:
        return self.optimizer.iterations

    @property
    def learning_rate(self) -> Tensor:
        return self.optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        self.optimizer.learning_rate = learning_rate

    @property
    def loss_scale_factor(self) -> float | None:
        return self.optimizer.loss_scale_factor

    @loss_scale_factor.setter
    def loss_scale_factor(self, factor: float | None) -> None:
        # The base class sets it before there is an optimizer, LossScaleOptimizer afterwards.
        if hasattr(self, "optimizer"):
            self.optimizer.loss_scale_factor = factor

    def build(self, variables: Sequence[keras.Variable]) -> None:
        self.optimizer.build(variables)
        super().build(variables)

    def apply(
        self,
        grads: Sequence[Tensor],
        trainable_variables: Sequence[keras.Variable] | None = None,
    ) -> None:
        if not self.built and trainable_variables is not None:
            self.build(list(trainable_variables))
        if self.loss_scale_factor is not None:  # Keras divides by it, rows with indices cannot
            grads = [g if g is None else dense_gradient(g) for g in grads]
        self.optimizer.apply(grads, trainable_variables)

    def scale_loss(self, loss: Tensor) -> Tensor:
        return self.optimizer.scale_loss(loss)

    def finalize_variable_values(self, var_list: Sequence[keras.Variable]) -> None:
        self.optimizer.finalize_variable_values(var_list)

    def set_weights(self, weights: Sequence[Tensor]) -> None:
        self.optimizer.set_weights(weights)

    def save_own_variables(self, store: dict) -> None:
        """Nothing: Keras' saving walks on to the wrapped optimizer, which saves its own."""

    def load_own_variables(self, store: dict) -> None:
        """Nothing: Keras' saving walks on to the wrapped optimizer, which loads its own."""

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "optimizer": keras.saving.serialize_keras_object(self.optimizer),
            "norm": self.norm,
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> "GlobalNormClipping":
        optimizer = keras.saving.deserialize_keras_object(
            config["optimizer"], custom_objects=custom_objects
        )
        return cls(**{**config, "optimizer": optimizer})
