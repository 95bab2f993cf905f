"""The position-wise feed-forward network of Vaswani et al. (2017), https://arxiv.org/abs/1706.03762.

FFN(x) = max(0, x W_1 + b_1) W_2 + b_2        (equation 2; any activation in place of the maximum)
"""

from typing import Any

import keras

from kblocks.layers.attention.by_rows import by_rows
from kblocks.layers.attention.checks import (
    check_fraction,
    check_positive,
    check_sequence,
    check_sequence_shape,
)
from kblocks.layers.attention.dropout import Dropout
from kblocks.layers.attention.initial import fresh
from kblocks.layers.transformer.activations import get_activation, serialize_activation

Tensor = Any


@keras.saving.register_keras_serializable("kblocks")
class FeedForward(keras.layers.Layer):
    """Two dense maps with an activation between them, the same at every position.

    No position sees another one, so that masks make no difference; they pass through.

    Args:
        intermediate_dim: The size between the two maps, d_ff in the paper.
        activation: The activation: a function, or a name that Keras knows (`"gelu"` is the exact
            one), or `"gelu_tanh"` for its approximation.
        dropout: Fraction of the activations dropped in training; none in the paper.
        kernel_initializer: For W_1 and W_2.
        seed: Seed of the dropout.

    Call arguments:
        inputs: Floats (batch, time, features).
        training: Whether dropout is on.

    Returns:
        (batch, time, features), in the compute dtype.

    Raises:
        ValueError: An argument or an input does not fit the above.

    Example:

    >>> import keras
    >>> from kblocks.layers import FeedForward
    >>> FeedForward(intermediate_dim=16)(keras.ops.ones((2, 5, 4))).shape
    TensorShape([2, 5, 4])

    References:
        Vaswani et al. (2017), "Attention Is All You Need", section 3.3.
    """

    def __init__(
        self,
        intermediate_dim: int,
        activation: Any = "relu",
        dropout: float = 0.0,
        kernel_initializer: Any = "glorot_uniform",
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive("intermediate_dim", intermediate_dim)
        check_fraction("dropout", dropout)
        self.supports_masking = True
        self.intermediate_dim = intermediate_dim
        self.activation = get_activation(activation)
        self.dropout = dropout
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.seed = seed
        self.drop = Dropout(dropout, seed=seed, dtype=self.dtype_policy)

    def build(self, inputs_shape: tuple) -> None:
        check_sequence_shape("inputs", inputs_shape)
        features = inputs_shape[2]
        self._features = features
        self.inner = self._dense(self.intermediate_dim, features, "inner", self.activation)
        self.outer = self._dense(features, self.intermediate_dim, "outer", None)
        self.drop.build((*inputs_shape[:2], self.intermediate_dim))
        self.built = True

    def _dense(self, units: int, features: int, name: str, activation: Any) -> keras.layers.Dense:
        layer = keras.layers.Dense(
            units,
            activation=activation,
            kernel_initializer=fresh(self.kernel_initializer),
            dtype=self.dtype_policy,
            name=name,
        )
        layer.build((None, features))
        return layer

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        check_sequence("inputs", inputs, self._features)
        hidden = by_rows(self.inner, inputs)  # (batch, time, intermediate_dim)
        if self.dropout:
            hidden = self.drop(hidden, training=training)
        return by_rows(self.outer, hidden)

    def compute_output_shape(self, inputs_shape: tuple) -> tuple:
        return tuple(inputs_shape)

    def compute_output_spec(self, inputs: Tensor, **kwargs: Any) -> Any:
        check_sequence("inputs", inputs, self._features)
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "intermediate_dim": self.intermediate_dim,
            "activation": serialize_activation(self.activation),
            "dropout": self.dropout,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "seed": self.seed,
        }
