"""Configs round-trip; `.keras` files and SavedModels are written for the fresh processes."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tests.contract.case import Case, as_numpy, assert_close, flat_numpy
from tests.contract.gathering import case_directory, write_arrays
from tests.contract.shapes import symbolic_inputs


def check_config(case: Case) -> None:
    """Every constructor argument is in the config and an attribute; a copy gives the same."""
    registered = keras.saving.get_registered_name(case.layer_class)
    assert registered == f"kblocks>{case.name}", f"registered as {registered!r}"
    layer = case.built()
    config = layer.get_config()
    for name in case.constructor():
        assert name in config, f"`{name}` is not in the config"
        assert hasattr(layer, name), f"`{name}` is not an attribute"
    json.dumps(keras.saving.serialize_keras_object(layer))
    copy = case.layer_class.from_config(config)
    assert _plain(copy.get_config()) == _plain(config), "the copy's config differs"
    case.run(copy)
    copy.set_weights(layer.get_weights())
    outputs, copied = flat_numpy(case.run(layer)), flat_numpy(case.run(copy))
    assert_close(copied, outputs, 0.0, "copy from the config")


def _plain(config: dict[str, Any]) -> str:
    return json.dumps(keras.saving.serialize_keras_object(config), sort_keys=True, default=str)


def model_of(case: Case, masked: bool = True) -> keras.Model:
    """The layer as a model with free axes: without masks and, by `Masking`, with them."""
    layer = case.built()
    inputs = symbolic_inputs(case)
    tensors = case.repack(inputs)
    outputs = keras.tree.flatten(case.apply(layer, tensors))
    maskable = {name for name in case.mask if case.inputs[name].ndim == 3 and masked}
    maskable &= set(case.floats())
    if maskable:
        masks = {name: keras.layers.Masking()(tensors[name]) for name in maskable}
        outputs += keras.tree.flatten(case.apply(layer, {**tensors, **masks}))
    named = {f"output_{number}": output for number, output in enumerate(outputs)}
    return keras.Model({tensor.name: tensor for tensor in inputs.values()}, named)


def _sample(case: Case) -> dict[str, np.ndarray]:
    """Zeros where `Masking` is to mask."""
    sample = case.flat()
    for name, mask in case.mask.items():
        if sample[name].ndim == 3:
            sample[name] = sample[name] * mask[..., None].astype(sample[name].dtype)
    return {path.replace("/", "_"): array for path, array in sample.items()}


def _write(directory: Path, model: keras.Model, sample: dict[str, np.ndarray]) -> None:
    outputs = model({name: keras.ops.convert_to_tensor(a) for name, a in sample.items()})
    write_arrays(directory / "inputs.npz", sample)
    write_arrays(
        directory / "outputs.npz", {name: as_numpy(value) for name, value in outputs.items()}
    )


def check_keras_file(case: Case) -> None:
    """Written here; `gathering.finish` loads it in a fresh process."""
    model = model_of(case)
    directory = case_directory("keras_files", case.name)
    _write(directory, model, _sample(case))
    model.save(directory / "model.keras")


def check_saved_model(case: Case) -> None:
    """Written here; `gathering.finish` loads it in a process that never imports kblocks."""
    model = model_of(case)
    directory = case_directory("saved_models", case.name)
    _write(directory, model, _sample(case))
    model.export(directory / "model", format="tf_saved_model", verbose=False)
