"""Layer normalisation of Ba, Kiros and Hinton (2016), https://arxiv.org/abs/1607.06450.

mu = mean of the features of x,  sigma^2 = their variance              (equation 3)
LayerNorm(x) = gamma (x - mu) / sqrt(sigma^2 + epsilon) + beta         (equation 4; g and b there)
"""

from typing import Any

import keras
from keras import ops

from kblocks.backend import normalize_features
from kblocks.layers.attention.checks import check_positive

Tensor = Any


@keras.saving.register_keras_serializable("kblocks")
class LayerNormalization(keras.layers.Layer):
    """Give the features of each position mean 0 and variance 1, then a learned scale and shift.

    The weights lie as in `keras.layers.LayerNormalization`; on TensorFlow the gradient is written
    by hand, which takes fewer passes over the data. Half precision is normalised in float32.
    Positions do not see each other, so that masks make no difference; they pass through.

    Args:
        epsilon: What is added to the variance.

    Call arguments:
        inputs: Floats (..., features).

    Returns:
        (..., features), in the compute dtype.

    Raises:
        ValueError: `epsilon` is not a positive number, or `inputs` has no features, or others than
            when the layer was built.

    Example:

    >>> import keras
    >>> from kblocks.layers import LayerNormalization
    >>> y = LayerNormalization()(keras.ops.array([[1.0, 3.0], [5.0, 5.0]]))
    >>> keras.ops.convert_to_numpy(y).round(3).tolist()
    [[-1.0, 1.0], [0.0, 0.0]]

    References:
        Ba, Kiros and Hinton (2016), "Layer Normalization".
    """

    def __init__(self, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_positive("epsilon", epsilon, float)
        self.epsilon = epsilon
        self.supports_masking = True
        self.autocast = False  # gamma and beta stay as wide as they are

    def build(self, inputs_shape: tuple) -> None:
        if len(inputs_shape) < 2 or inputs_shape[-1] is None:
            raise ValueError(
                f"`inputs` must have shape (..., features), got {tuple(inputs_shape)}."
            )
        shape = (inputs_shape[-1],)
        self.gamma = self.add_weight(shape=shape, initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=shape, initializer="zeros", name="beta")
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        self._check(inputs)
        x = ops.cast(inputs, keras.backend.result_type(self.compute_dtype, "float32"))
        y = normalize_features(
            x, ops.cast(self.gamma, x.dtype), ops.cast(self.beta, x.dtype), self.epsilon
        )
        return ops.cast(y, self.compute_dtype)

    def _check(self, inputs: Tensor) -> None:
        dtype = keras.backend.standardize_dtype(inputs.dtype)
        features = self.gamma.shape[0]
        if not keras.backend.is_float_dtype(dtype):
            raise ValueError(f"`inputs` must be of a floating-point dtype, got {dtype}.")
        if len(inputs.shape) < 2 or inputs.shape[-1] != features:
            raise ValueError(
                f"`inputs` must have shape (..., {features}), got {tuple(inputs.shape)}."
            )

    def compute_output_shape(self, inputs_shape: tuple) -> tuple:
        return tuple(inputs_shape)

    def compute_output_spec(self, inputs: Tensor, **kwargs: Any) -> Any:
        self._check(inputs)
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "epsilon": self.epsilon}
