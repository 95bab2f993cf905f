"""Bad input: a ValueError that names the argument, what was expected and what came."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np

from tests.contract.case import Case, assert_close, flat_numpy


def check_errors(case: Case) -> None:
    layer = case.built()
    for name, array, came in _bad_arrays(case):
        inputs = {**case.inputs, name: array}
        _expect_error(lambda inputs=inputs: case.run(layer, inputs), name, came)
    for name in [name for name in case.floats() if "/" not in name]:
        _check_integers(case, layer, name)
    for changes, name in case.bad_inputs:
        inputs = {**case.inputs, **changes}
        _expect_error(lambda inputs=inputs: case.run(layer, inputs), name, [])
    for changes in [*_bad_arguments(case), *case.bad_arguments]:
        ((name, value),) = changes.items()
        came = [str(value), repr(value)]
        _expect_error(lambda changes=changes: case.run(case.make(**changes)), name, came)


def _bad_arrays(case: Case) -> Iterator[tuple[str, np.ndarray, list[str]]]:
    """Of each float input: its name, a bad array, and what the message may show of it."""
    for name, array in case.floats().items():
        if "/" in name:
            continue
        for wrong in (array[..., None], array[..., 0]):
            yield name, wrong, [str(wrong.ndim), _shape_text(wrong)]
        if name not in case.any_size:
            wrong = np.concatenate([array, array[..., :1]], -1)
            yield name, wrong, [str(wrong.shape[-1])]
        if keras.backend.backend() == "tensorflow":
            yield name, np.full(array.shape, "text"), ["string", "str"]


def _check_integers(case: Case, layer: keras.layers.Layer, name: str) -> None:
    """Integers where floats are expected raise, or count as the same numbers; never otherwise."""
    array = case.inputs[name]
    integers = np.arange(array.size, dtype="int32").reshape(array.shape) % 3
    outputs, message = _outcome(lambda: case.run(layer, {**case.inputs, name: integers}))
    if message is None:
        floats = integers.astype("float32")
        expected = flat_numpy(case.run(layer, {**case.inputs, name: floats}))
        assert_close(flat_numpy(outputs), expected, 1e-5, f"integers as `{name}`")
    else:
        assert _names(message, name), f"integers as `{name}`: the message does not name it"


def _shape_text(array: np.ndarray) -> str:
    return ", ".join(map(str, array.shape))


def _bad_arguments(case: Case) -> Iterator[Mapping[str, Any]]:
    for name, value in case.arguments.items():
        if isinstance(value, int) and not isinstance(value, bool) and name != "seed":
            yield from ({name: 0}, {name: -1})
    for name in case.constructor():
        if name.endswith("dropout"):
            yield from ({name: -0.1}, {name: 1.5})


def _expect_error(run: Callable[[], Any], name: str, came: list[str]) -> None:
    try:
        _, message = _outcome(run)
    except Exception as error:
        raise AssertionError(
            f"bad `{name}` ({came}): {type(error).__name__} instead of a ValueError: {error}"
        ) from error
    assert message is not None, f"bad `{name}` ({came}) raises nothing"
    assert _names(message, name), f"bad `{name}`: the message does not name it: {message}"
    shown = not came or any(text in message for text in came)
    assert shown, f"bad `{name}`: the message shows none of {came}: {message}"


def _outcome(run: Callable[[], Any]) -> tuple[Any, str | None]:
    """The result, or the message of the ValueError without what Keras adds below.

    Keras adds every argument by name, the good ones too.
    """
    try:
        return run(), None
    except ValueError as error:
        return None, str(error).partition("Arguments received by")[0].strip()


def _names(message: str, name: str) -> bool:
    """Keras' own message calls the only input of a layer "Input 0"."""
    if name == "inputs" and "Input 0 of layer" in message:
        return True
    return re.search(rf"\b{re.escape(name)}\b", message) is not None
