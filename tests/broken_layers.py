"""A sound layer, and one subclass for each defect that the block contract must catch."""

from typing import Any

import keras
import numpy as np

from kblocks.backend import scan


@keras.saving.register_keras_serializable("kblocks")
class Echo(keras.layers.Layer):
    """h(t) = tanh(x(t) W + u * h(t-1) + b), held where the mask is false."""

    def __init__(self, units: int, dropout: float = 0.0, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        if not isinstance(units, int) or units < 1:
            raise ValueError(f"`units` must be a positive integer, and is {units!r}.")
        if not 0 <= dropout < 1:
            raise ValueError(f"`dropout` must lie in [0, 1), and is {dropout!r}.")
        self.units = units
        self.dropout = dropout
        self.seed = seed
        self.supports_masking = True
        self.drop = keras.layers.Dropout(dropout, seed=seed, dtype=self.dtype_policy)

    def build(self, input_shape: tuple) -> None:
        self.features = self.check_shape(input_shape)[-1]
        self.kernel = self.add_weight(shape=(self.features, self.units), name="kernel")
        self.recurrent = self.add_weight(shape=(self.units,), name="recurrent")
        self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")
        self.drop.build(input_shape)

    def check_shape(self, shape: tuple) -> tuple:
        expected = getattr(self, "features", shape[-1])
        if len(shape) != 3 or shape[-1] != expected:
            raise ValueError(f"`inputs` must be (batch, time, {expected}), and is {shape}.")
        return shape

    def call(self, inputs: Any, mask: Any = None, training: bool = False) -> Any:
        self.check_shape(inputs.shape)
        if not keras.backend.is_float_dtype(keras.backend.standardize_dtype(inputs.dtype)):
            raise ValueError(f"`inputs` must be floats, and are of dtype {inputs.dtype}.")
        inputs = self.drop(inputs, training=training)
        # (time, batch, units)
        x = keras.ops.swapaxes(keras.ops.matmul(inputs, self.kernel) + self.bias, 0, 1)
        if mask is None:
            step, xs = self.step, x
        else:
            step, xs = self.masked_step, (x, keras.ops.expand_dims(keras.ops.transpose(mask), -1))
        _, states = scan(step, keras.ops.zeros_like(x[0]), xs)
        return self.finish(keras.ops.swapaxes(states, 0, 1))

    def step(self, h: Any, x: Any) -> tuple[Any, Any]:
        h = keras.ops.tanh(x + self.recurrent * h)
        return h, h

    def masked_step(self, h: Any, x: Any) -> tuple[Any, Any]:
        h = keras.ops.where(x[1], self.step(h, x[0])[0], h)
        return h, h

    def finish(self, states: Any) -> Any:
        return states

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        own = {"units": self.units, "dropout": self.dropout, "seed": self.seed}
        return {**super().get_config(), **own}


def echo_reference(weights: dict, inputs: np.ndarray, units: int, **_: Any) -> np.ndarray:
    h, states = np.zeros((len(inputs), units)), []
    for t in range(inputs.shape[1]):
        h = np.tanh(inputs[:, t] @ weights["kernel"] + weights["bias"] + weights["recurrent"] * h)
        states.append(h)
    return np.stack(states, 1)


class WrongActivation(Echo):
    def step(self, h: Any, x: Any) -> tuple[Any, Any]:
        h = keras.ops.sigmoid(x + self.recurrent * h)
        return h, h


class StoppedGradient(Echo):
    """The carry's gradient is cut: forward is right, learning is not."""

    def step(self, h: Any, x: Any) -> tuple[Any, Any]:
        h = keras.ops.tanh(x + self.recurrent * keras.ops.stop_gradient(h))
        return h, h


class FrozenBias(Echo):
    def step(self, h: Any, x: Any) -> tuple[Any, Any]:
        bias = self.bias + 0.0
        return super().step(h, x - bias + keras.ops.stop_gradient(bias))


class FixedTime(Echo):
    def finish(self, states: Any) -> Any:
        return keras.ops.reshape(states, (-1, 4, self.units))


class WrongOutputShape(Echo):
    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (*input_shape[:-1], self.units + 1)


class NoBuild(Echo):
    """A weight that only the call makes: it would be lost on loading."""

    def call(self, inputs: Any, mask: Any = None, training: bool = False) -> Any:
        if not hasattr(self, "late"):
            self._tracker.unlock()
            self.late = self.add_weight(shape=(1,), name="late")
        return super().call(inputs, mask, training)


class LeakingPadding(Echo):
    """The mean over all steps, padded ones too, is taken away."""

    def finish(self, states: Any) -> Any:
        return states - 0.1 * keras.ops.mean(states, 1, keepdims=True)


class IgnoredMask(Echo):
    def masked_step(self, h: Any, x: Any) -> tuple[Any, Any]:
        return self.step(h, x[0])


class LostMask(Echo):
    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        return None


class NanInMaskedRow(Echo):
    def call(self, inputs: Any, mask: Any = None, training: bool = False) -> Any:
        outputs = super().call(inputs, mask, training)
        if mask is None:
            return outputs
        steps = keras.ops.sum(keras.ops.cast(mask, outputs.dtype), 1)
        return outputs * keras.ops.reshape(steps / steps, (-1, 1, 1))


class ForgottenArgument(Echo):
    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["seed"]
        return config


class ChangedArgument(Echo):
    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units + 1}


class FullPrecision(Echo):
    def finish(self, states: Any) -> Any:
        return keras.ops.cast(states, "float32")


class HalfInfinity(Echo):
    """Adds and takes away what float16 cannot hold."""

    def finish(self, states: Any) -> Any:
        return states + keras.ops.cast(1e5, states.dtype) - keras.ops.cast(1e5, states.dtype)


class LoopByValue(Echo):
    """XLA must know how often a loop runs: not from a tensor's value."""

    def finish(self, states: Any) -> Any:
        import tensorflow as tf

        steps = tf.cast(tf.reduce_max(tf.abs(states)) * 0 + 2, tf.int32)
        return states + 0.0 * tf.reduce_sum(tf.random.uniform([steps, 3]), keepdims=True)[0, 0]


class SummedOverReplicas(Echo):
    """Each replica sees only its part of the batch: a sum over the batch differs."""

    def finish(self, states: Any) -> Any:
        return states * keras.ops.cast(keras.ops.shape(states)[0], states.dtype)


class RandomInference(Echo):
    def finish(self, states: Any) -> Any:
        return states + 0.01 * keras.random.uniform((1,), dtype=states.dtype)


class NoDropout(Echo):
    def call(self, inputs: Any, mask: Any = None, training: bool = False) -> Any:
        return super().call(inputs, mask, training=False)


class DropoutAlways(Echo):
    def call(self, inputs: Any, mask: Any = None, training: bool = False) -> Any:
        return super().call(inputs, mask, training=True)


class UncheckedInputs(Echo):
    def check_shape(self, shape: tuple) -> tuple:
        return shape


class NamelessError(Echo):
    def check_shape(self, shape: tuple) -> tuple:
        if len(shape) != 3 or shape[-1] != 2:
            raise ValueError(f"The shape {shape} is wrong.")
        return shape


class UncheckedArgument(Echo):
    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(max(units, 1), **kwargs)


class IntegersOtherwise(Echo):
    """Integers are taken for something else than the same numbers."""

    def call(self, inputs: Any, mask: Any = None, training: bool = False) -> Any:
        if keras.backend.standardize_dtype(inputs.dtype) == "int32":
            inputs = keras.ops.cast(inputs, self.compute_dtype) / 255.0
        return super().call(inputs, mask, training)
