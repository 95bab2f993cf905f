"""The harness can fail: a sound layer passes every check, and each defect is caught by its own."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from kblocks.backend import scan
from tests.contract import CHECKS, check_layer, gathering


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


X = np.random.default_rng(0).normal(size=(3, 4, 2))
MASK = np.arange(4) < np.array([[4], [2], [1]])


def check_echo(layer_class: type, only: str | None = None, **changes: Any) -> None:
    options: dict[str, Any] = {"mask": MASK, "output_mask": "inputs", "left_padded": True}
    skip = {name: "another defect's check" for name in CHECKS if only not in (None, name)}
    options = {**options, "skip": skip, **changes}
    check_layer(layer_class, {"units": 5}, X, echo_reference, **options)


def test_a_sound_layer_passes() -> None:
    check_layer(
        Echo,
        {"units": 5},
        X,
        echo_reference,
        mask=MASK,
        output_mask="inputs",
        left_padded=True,
        bad_inputs=[({"inputs": X[0]}, "inputs")],
        bad_arguments=[{"units": 2.5}],
        skip={"keras_file": "the fresh process knows only what `import kblocks` registers"},
    )


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
        if len(shape) != 3 or shape[-1] != X.shape[-1]:
            raise ValueError(f"The shape {shape} is wrong.")
        return shape


class UncheckedArgument(Echo):
    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(max(units, 1), **kwargs)


DEFECTS = [
    (WrongActivation, "forward", "off by"),
    (StoppedGradient, "gradients", "along a random direction"),
    (FrozenBias, "gradients", "the gradient of bias is zero"),
    (FixedTime, "shapes", "compute_output_shape: (4, 5, 5), not [(5, 4, 5)]"),
    (WrongOutputShape, "shapes", "symbolic shape (None, None, 6), but (3, 4, 5) came"),
    (NoBuild, "shapes", "`build` makes 3 weights, the call 4"),
    (LeakingPadding, "mask", "right-padded row 1: padding changes it"),
    (IgnoredMask, "mask", "left-padded row 1: padding changes it"),
    (LostMask, "mask", "does not carry the mask"),
    (NanInMaskedRow, "mask", "fully masked row"),
    (ForgottenArgument, "config", "`seed` is not in the config"),
    (ChangedArgument, "config", "the copy's config differs"),
    (FullPrecision, "policies", "an output is float32, not float64"),
    (HalfInfinity, "policies", "mixed_float16"),
    (LoopByValue, "xla", "XLA"),
    (SummedOverReplicas, "replicas", "not"),
    (RandomInference, "randomness", "training twice"),
    (NoDropout, "randomness", "nothing was drawn"),
    (DropoutAlways, "randomness", "inference with"),
    (UncheckedInputs, "errors", "instead of a ValueError"),
    (NamelessError, "errors", "does not name it"),
    (UncheckedArgument, "errors", "raises nothing"),
]


@pytest.mark.parametrize(("layer_class", "check", "message"), DEFECTS)
def test_each_defect_is_caught(layer_class: type, check: str, message: str) -> None:
    keras.saving.register_keras_serializable("kblocks")(layer_class)
    with pytest.raises(AssertionError, match=check) as caught:
        check_echo(layer_class, only=check)
    assert message in str(caught.value)


def test_an_unregistered_layer_is_caught() -> None:
    class Unregistered(Echo):
        pass

    with pytest.raises(AssertionError, match="registered as"):
        check_echo(Unregistered, only="config")


def test_a_zero_gradient_must_be_said_and_be_true() -> None:
    with pytest.raises(AssertionError, match="is not zero, though: it is a whim"):
        check_echo(Echo, only="gradients", zero_gradients={"bias": "it is a whim"})
    with pytest.raises(AssertionError, match="zero_gradients names"):
        check_echo(Echo, only="gradients", zero_gradients={"gamma": "there is none"})


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="files are TensorFlow's")
def test_fresh_processes_catch_what_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "_directory", tmp_path)

    def dense_reference(weights: dict, inputs: np.ndarray, units: int) -> np.ndarray:
        return inputs @ weights["kernel"] + weights["bias"]

    kept = ("keras_file", "saved_model")
    skip = {name: "only the files matter here" for name in CHECKS if name not in kept}
    for _ in range(2):
        check_layer(keras.layers.Dense, {"units": 5}, X, dense_reference, skip=skip)
    check_layer(Echo, {"units": 5}, X, echo_reference, skip=skip)
    for kind in gathering.KINDS:
        outputs = tmp_path / kind / "001_Dense" / "outputs.npz"
        gathering.write_arrays(outputs, {k: v + 0.1 for k, v in np.load(outputs).items()})
    with pytest.raises(AssertionError) as caught:
        gathering.finish()
    lines = [
        line for line in str(caught.value).splitlines() if line.split(":")[0] in gathering.KINDS
    ]
    assert [line.split(":")[:2] for line in lines] == [
        ["keras_files", " 001_Dense"],
        ["keras_files", " 002_Echo"],  # not among what `import kblocks` registers
        ["saved_models", " 001_Dense"],
    ]
