"""The block contract: one call of `check_layer` holds a public layer to all that kblocks promises.

What needs a fresh process (`.keras` files, SavedModels) is only written during the call; the
session fixture `fresh_processes` in `tests/conftest.py` loads it all in one process per kind when
the last test of the worker has run, and fails there, naming the layers.

On the JAX and PyTorch backends (`make parity`) the same call checks the forward pass and the
gradients alone; with `--quick` (`make check`) what neither compiles nor needs another process.
"""

import inspect
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from tests.contract import errors, masks, numeric, saving, shapes, training
from tests.contract.case import Case, is_float

CHECKS: dict[str, Callable[[Case], None]] = {
    "forward": numeric.check_forward,
    "gradients": numeric.check_gradients,
    "shapes": shapes.check_shapes,
    "mask": masks.check_mask,
    "config": saving.check_config,
    "policies": numeric.check_policies,
    "xla": numeric.check_xla,
    "replicas": training.check_replicas,
    "randomness": training.check_randomness,
    "errors": errors.check_errors,
    "keras_file": saving.check_keras_file,
    "saved_model": saving.check_saved_model,
}
ON_EVERY_BACKEND = ("forward", "gradients")
QUICK = ("forward", "gradients", "mask", "config", "errors")
# What a second kind of a layer skips when the first has gone through all checks.
NUMBERS_ONLY = {name: "one kind stands for all" for name in CHECKS if name not in ON_EVERY_BACKEND}
quick = False  # set by `--quick`

Inputs = np.ndarray | Mapping[str, Any]


def check_layer(
    layer_class: type[keras.layers.Layer],
    arguments: Mapping[str, Any],
    inputs: Inputs,
    reference: Callable[..., Any],
    *,
    call: Mapping[str, Any] | None = None,
    mask: np.ndarray | Mapping[str, np.ndarray] | None = None,
    output_mask: str | None = None,
    left_padded: bool = False,
    reversed_output: bool = False,
    free: Mapping[str, Sequence[int]] | None = None,
    zero_gradients: Mapping[str, str] | None = None,
    stochastic: Mapping[str, Any] | None = None,
    any_size: Sequence[str] = (),
    bad_inputs: Sequence[tuple[Mapping[str, Any], str]] = (),
    bad_arguments: Sequence[Mapping[str, Any]] = (),
    skip: Mapping[str, str] | None = None,
) -> None:
    """Holds one layer to the block contract.

    Args:
        layer_class: The class, registered under the package `kblocks`.
        arguments: Its constructor arguments. A value that is a layer (a cell, a score) is cloned
            from its config for each layer that the harness makes.
        inputs: A sample: one array for `call`'s first argument, or a dict from the names of
            `call`'s arguments to arrays or nestings of arrays (`{"inputs": x, "states": [h, c]}`);
            the first entry is passed by position, the others by name. Batch first, batch of at
            least 2, axis 1 is time where there is time. Float arrays are differentiated; integers
            and booleans (token ids, `attention_mask`) are passed on as they are. Tiny sizes, all
            of them different.
        reference: `reference(weights, inputs, **arguments, **call)` in NumPy float64, written from
            the paper. `weights` is a dict from each weight's path by attributes, leading
            underscores left off, to its value: `weights["kernel"]`, `weights["cell/bias"]`,
            `weights["layers/0/kernel"]` for a list. `inputs` has the structure given above. It
            returns what the layer returns: an array, or the same nesting (named tuples, lists and
            tuples count as equal).
        call: Further keyword arguments of the call that are no tensors, such as
            `{"return_attention_scores": True}`. A flag `return_...` may only add outputs after
            the first.
        mask: Right-padded boolean masks (batch, time), true where valid: one array for one input,
            else a dict by argument name. Rows differ in length; each has at least one valid step.
            The harness pads with other content, cuts each row to its length, masks a whole row,
            and compares. The reference sees no mask.
        output_mask: The name of the input whose mask the first output carries on; `None` if it
            carries none.
        left_padded: The layer promises the same for left-padded inputs.
        reversed_output: The outputs' time axis runs backwards (`go_backwards`).
        free: The axes of each input that may be unknown beside the batch. By default every axis
            but the first and the last of floats, every axis but the first of integers and
            booleans.
        zero_gradients: Weights (by path) and inputs (by name; nestings as `"states/0"`) whose
            gradient is zero by nature, each with its reason. It must indeed be zero; every other
            gradient must not be.
        stochastic: Changed arguments under which training draws at random; `{}` if it does so as
            it stands. By default every constructor argument whose name ends in `dropout` becomes
            0.5.
        any_size: Inputs whose last axis may change after the layer was built.
        bad_inputs: Pairs of changed inputs and the name that the ValueError's message must hold,
            beside what is tried by itself: of each float array one axis more, one axis less,
            another last axis, strings.
        bad_arguments: Changed constructor arguments, one each, beside what is tried by itself: 0
            and -1 for each integer in `arguments` except `seed`, -0.1 and 1.5 for each `dropout`.
            The ValueError names the argument and shows the value.
        skip: Names of checks (see `tests.contract.CHECKS`) that cannot hold, each with its reason.

    Raises:
        AssertionError: A promise is broken; the message names the layer and the check.
    """
    single = isinstance(inputs, np.ndarray)
    name = next(p for p in inspect.signature(layer_class.call).parameters if p != "self")
    named = {name: inputs} if single else dict(inputs)
    case = Case(
        layer_class,
        arguments,
        {name: keras.tree.map_structure(_tested_dtype, value) for name, value in named.items()},
        single,
        reference,
        call=call or {},
        mask={name: mask} if isinstance(mask, np.ndarray) else dict(mask or {}),
        output_mask=output_mask,
        left_padded=left_padded,
        reversed_output=reversed_output,
        free=free or {},
        zero_gradients=zero_gradients or {},
        stochastic=stochastic,
        any_size=any_size,
        bad_inputs=bad_inputs,
        bad_arguments=bad_arguments,
    )
    names: Sequence[str] = QUICK if quick else tuple(CHECKS)
    if keras.backend.backend() != "tensorflow":
        names = ON_EVERY_BACKEND
    unknown = set(skip or {}) - set(CHECKS)
    assert not unknown, f"skip names {sorted(unknown)}; there are {sorted(CHECKS)}"
    broken = {}
    for name in names:
        if name in (skip or {}):
            continue
        try:
            CHECKS[name](case)
        except AssertionError as error:
            broken[name] = str(error)
        except Exception:
            broken[name] = traceback.format_exc()
    lines = "".join(f"\n  {name}: {message}" for name, message in broken.items())
    assert not broken, f"{layer_class.__name__} breaks the block contract:{lines}"


def _tested_dtype(array: Any) -> np.ndarray:
    array = np.asarray(array)
    return array.astype("float32") if is_float(array) else array
