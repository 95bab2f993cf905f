"""Dropout of Srivastava et al. (2014), cheaper than Keras' on TensorFlow."""

from typing import Any

import keras

from kblocks.backend import drop

Tensor = Any


@keras.saving.register_keras_serializable("kblocks")
class Dropout(keras.layers.Dropout):
    """`keras.layers.Dropout` in every respect but how the random numbers are drawn.

    A part of the attentions and the Transformer's layers, where it works on large tensors.
    """

    def call(self, inputs: Tensor, training: bool | None = False) -> Tensor:
        if not training or not self.rate:
            return inputs
        if self.rate == 1 or self.noise_shape is not None:
            return super().call(inputs, training=training)
        return drop(inputs, self.rate, self.seed_generator)
