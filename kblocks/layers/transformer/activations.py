"""The activations that the Transformers use, by name.

Hendrycks and Gimpel (2016), https://arxiv.org/abs/1606.08415, P the normal distribution function:

    gelu(x) = x P(x),  P(x) = (1 + erf(x / sqrt(2))) / 2                       exact, as in BERT
    gelu_tanh(x) = 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))           as in GPT and GPT-2
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("kblocks")
def gelu(x: Any) -> Any:
    """The Gaussian error linear unit.

    With the error function, and not with its complement as Keras has it, forward and backward pass
    take two thirds of the time on TensorFlow; in this order TensorFlow joins it, where there is no
    gradient, with the product before it.
    """
    return (ops.erf(x * 0.5**0.5) + 1.0) * 0.5 * x


@keras.saving.register_keras_serializable("kblocks")
def gelu_tanh(x: Any) -> Any:
    """The Gaussian error linear unit by its approximation with a hyperbolic tangent."""
    return keras.activations.gelu(x, approximate=True)


_BY_NAME = {"gelu": gelu, "gelu_tanh": gelu_tanh}


def get_activation(activation: Any) -> Callable[[Any], Any]:
    """An activation by name: "gelu" (exact), "gelu_tanh", or one of Keras' own."""
    if isinstance(activation, str) and activation in _BY_NAME:
        return _BY_NAME[activation]
    return keras.activations.get(activation)


def serialize_activation(activation: Callable[[Any], Any]) -> Any:
    """What a config holds of it, for `get_activation`."""
    name = next((name for name, function in _BY_NAME.items() if function is activation), None)
    return name or keras.activations.serialize(activation)
