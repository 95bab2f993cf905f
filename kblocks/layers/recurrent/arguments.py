"""The constructor arguments that a recurrent layer hands on to its cell."""

from typing import Any

_OF_THE_CELL = (
    "activation",
    "recurrent_activation",
    "use_bias",
    "kernel_initializer",
    "recurrent_initializer",
    "bias_initializer",
    "unit_forget_bias",
    "kernel_regularizer",
    "recurrent_regularizer",
    "bias_regularizer",
    "kernel_constraint",
    "recurrent_constraint",
    "bias_constraint",
    "dropout",
    "recurrent_dropout",
    "seed",
)
_SHARED = ("dtype", "trainable")


def cell_arguments(layer_arguments: dict[str, Any]) -> dict[str, Any]:
    """Take the cell's arguments out of `layer_arguments`, with a copy of those it shares."""
    arguments = {
        name: layer_arguments.pop(name) for name in _OF_THE_CELL if name in layer_arguments
    }
    shared = {name: layer_arguments[name] for name in _SHARED if name in layer_arguments}
    return arguments | shared
