"""The activations that the Transformers use, by name.

Hendrycks and Gimpel (2016), https://arxiv.org/abs/1606.08415, P the normal distribution function:

    gelu(x) = x P(x)                                                           exact, as in BERT
    gelu_tanh(x) = 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))           as in GPT and GPT-2
"""

from collections.abc import Callable
from typing import Any

import keras


@keras.saving.register_keras_serializable("kblocks")
def gelu_tanh(x: Any) -> Any:
    """The Gaussian error linear unit by its approximation with a hyperbolic tangent."""
    return keras.activations.gelu(x, approximate=True)


def get_activation(activation: Any) -> Callable[[Any], Any]:
    """An activation by name: Keras' own, "gelu" among them (exact), and "gelu_tanh"."""
    return gelu_tanh if activation == "gelu_tanh" else keras.activations.get(activation)


def serialize_activation(activation: Callable[[Any], Any]) -> Any:
    """What a config holds of it, for `get_activation`."""
    return "gelu_tanh" if activation is gelu_tanh else keras.activations.serialize(activation)
