"""A Keras model as TensorFlow Serving should see it: names, float32, free axes."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kblocks.export.servable import Request

_FREE = 16  # the length of a free axis in the request that is made up for warming up


class ServableModel(tf.Module):
    """A built Keras model with one signature, `serving_default`.

    The inputs keep their names (the keys of a dict, or the names of the `keras.Input`s) and their
    free axes, and so do the outputs (the keys of a dict, or the names of the layers they come
    from; a second output of one layer is `name_1`). Every output that is a float leaves as float32,
    and a half-precision input is taken as float32: JSON has nothing for halves. Masks work inside;
    a mask of the output is no output.

    Args:
        model: A functional or sequential model with known inputs.
        examples: Inputs by name, to warm up with. By default one request of zeros, in which a free
            axis has the length 16, and the batch 1.

    Raises:
        ValueError: The model does not know its inputs, or the backend is not TensorFlow.

    Example:

    >>> import keras
    >>> from kblocks.export import ServableModel
    >>> model = keras.Sequential([keras.Input((3,), name="x"), keras.layers.Dense(2, name="y")])
    >>> [*ServableModel(model).signatures()["serving_default"].structured_outputs]
    ['y']
    """

    def __init__(
        self, model: keras.Model, examples: Sequence[Mapping[str, Any]] | None = None
    ) -> None:
        if keras.backend.backend() != "tensorflow":
            raise ValueError(
                "A SavedModel needs the Keras backend tensorflow (KERAS_BACKEND), got "
                f"{keras.backend.backend()}."
            )
        if not isinstance(model, keras.Model):
            raise ValueError(f"`model` must be a Servable or a Keras model, got {model!r}.")
        if not getattr(model, "inputs", None):
            raise ValueError(
                f"`model` must know its inputs, and {type(model).__name__} {model.name!r} does "
                "not; make it functional: keras.Model(inputs, model(inputs))."
            )
        super().__init__(name="servable_model")
        if isinstance(model, keras.Sequential):
            model = keras.Model(model.inputs, model.outputs)
        self.model = model
        self.inputs = dict(zip(_names(model.input), model.inputs, strict=True))
        self._examples = examples

    def signatures(self) -> dict[str, Any]:
        """The model's call, without training."""
        specs = {
            name: tf.TensorSpec(x.shape, _not_half(x.dtype), name=name)
            for name, x in self.inputs.items()
        }
        # The structure of what is returned is known once the function is traced.
        function = tf.function(self._call, input_signature=[specs])
        return {"serving_default": function.get_concrete_function()}

    def warmup_requests(self) -> list[Request]:
        """The examples, or one request of zeros."""
        examples = self._examples
        if examples is None:
            examples = [{name: _zeros(x) for name, x in self.inputs.items()}]
        return [Request("serving_default", example) for example in examples]

    def _call(self, inputs: dict[str, Any]) -> dict[str, Any]:
        flat = [tf.cast(inputs[name], x.dtype) for name, x in self.inputs.items()]
        packed = keras.tree.pack_sequence_as(self.model.input, flat)
        outputs = self.model(packed, training=False)
        names = _names(outputs, self.model.output_names)
        return {
            name: tf.cast(x, tf.float32) if x.dtype.is_floating else x
            for name, x in zip(names, keras.tree.flatten(outputs), strict=True)
        }


def _names(structure: Any, otherwise: Sequence[str] | None = None) -> list[str]:
    """A name for each leaf: its keys, or else its own name or the one given; all different."""
    names: list[str] = []
    for i, (path, leaf) in enumerate(keras.tree.flatten_with_path(structure)):
        keys = [str(step) for step in path]
        named = bool(path) and isinstance(path[0], str)
        name = "_".join(keys) if named else otherwise[i] if otherwise else leaf.name
        same = sum(taken == name or taken.startswith(f"{name}_") for taken in names)
        names.append(f"{name}_{same}" if name in names else name)
    return names


def _not_half(dtype: str) -> str:
    return "float32" if dtype in ("float16", "bfloat16") else dtype


def _zeros(x: Any) -> np.ndarray:
    batch, *shape = (_FREE if size is None else size for size in x.shape)
    batch = 1 if x.shape[0] is None else batch
    dtype = _not_half(x.dtype)
    return np.full(
        (batch, *shape), "" if dtype == "string" else 0, None if dtype == "string" else dtype
    )
