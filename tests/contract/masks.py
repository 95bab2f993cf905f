"""Masks: what is padded changes nothing in what is not, and the output carries the right mask."""

import keras
import numpy as np

from tests.contract.case import Case, Flat, as_numpy, assert_close, flat_numpy
from tests.contract.gradients import layer_gradients, projection


def check_mask(case: Case) -> None:
    if not case.mask:
        return
    layer = case.built()
    for name, mask in case.mask.items():
        time, features = mask.shape[1], case.inputs[name].shape[2:]
        assert time not in features, f"choose a number of steps other than {features} for {name}"
    inputs = case.flat()
    _check_padding(case, layer, inputs, case.mask, from_end=False)
    if case.left_padded:
        lengths = {name: mask.sum(1) for name, mask in case.mask.items()}
        mask = {name: mask[:, ::-1] for name, mask in case.mask.items()}
        inputs = {path: _to_the_right(case, path, array, lengths) for path, array in inputs.items()}
        _check_padding(case, layer, inputs, mask, from_end=True)
    _check_output_mask(case, layer)
    _check_masked_row(case, layer)


def _padded_axes(case: Case, array: np.ndarray) -> dict[int, str]:
    """The axes of an input (a mask, a bias) that run along the steps of a masked input."""
    steps = {mask.shape[1]: name for name, mask in case.mask.items()}
    return {axis: steps[n] for axis, n in enumerate(array.shape) if axis and n in steps}


def _cut(case: Case, inputs: Flat, row: int, lengths: dict, from_end: bool) -> Flat:
    """One row, without its padding."""
    cut = {}
    for path, array in inputs.items():
        array = array[row : row + 1]
        for axis, name in _padded_axes(case, array).items():
            n, time = lengths[name][row], array.shape[axis]
            steps = range(time - n, time) if from_end else range(n)
            array = np.take(array, steps, axis)
        cut[path] = array
    return cut


def _to_the_right(case: Case, path: str, array: np.ndarray, lengths: dict) -> np.ndarray:
    rows = []
    for row in range(len(array)):
        moved = array[row : row + 1]
        for axis, name in _padded_axes(case, array).items():
            moved = np.roll(moved, array.shape[axis] - lengths[name][row], axis)
        rows.append(moved)
    return np.concatenate(rows)


def _check_padding(
    case: Case, layer: keras.layers.Layer, inputs: Flat, mask: dict, from_end: bool
) -> None:
    side = "left" if from_end else "right"
    lengths = {name: m.sum(1) for name, m in mask.items()}
    other = {path: _other_padding(path, array, mask) for path, array in inputs.items()}
    padded = flat_numpy(case.run(layer, case.repack(inputs), mask))
    changed = flat_numpy(case.run(layer, case.repack(other), mask))
    weights = [np.zeros_like(o) for o in padded]
    sums: Flat = {}
    for row in range(len(padded[0])):
        cut = _cut(case, inputs, row, lengths, from_end)
        alone = flat_numpy(case.run(layer, case.repack(cut)))
        where = [
            _window(o, a, row, from_end != case.reversed_output)
            for o, a in zip(padded, alone, strict=True)
        ]
        for outputs, what in ((padded, "padding"), (changed, "the padding's content")):
            valid = [output[window] for output, window in zip(outputs, where, strict=True)]
            assert_close(valid, alone, 1e-5, f"{side}-padded row {row}: {what} changes it")
        part = projection(alone)
        for total, window, weight in zip(weights, where, part, strict=True):
            if weight is not None:
                total[window] = weight
        for path, gradient in layer_gradients(case, layer, part, cut).items():
            if path in case.weights:
                sums[path] = sums.get(path, 0.0) + gradient
    found = layer_gradients(case, layer, weights, other, mask)
    for name, valid in mask.items():
        if name in found:
            assert not found[name][~valid].any(), f"{name} has gradients where it is padded"
    for path, total in sums.items():
        # The padding's content is other: the gradients of the weights must not see it.
        assert_close([found[path]], [total], 1e-3, f"{side}-padded: gradient of {path}")


def _other_padding(path: str, array: np.ndarray, mask: dict) -> np.ndarray:
    if path not in mask:
        return array
    valid = mask[path].reshape(mask[path].shape + (1,) * (array.ndim - 2))
    if not np.issubdtype(array.dtype, np.floating):
        return np.where(valid, array, array.max())
    noise = np.random.default_rng(3).normal(size=array.shape)
    return np.where(valid, array, 10 * noise).astype(array.dtype)


def _window(output: np.ndarray, alone: np.ndarray, row: int, from_end: bool) -> tuple:
    """Where the output of one unpadded row lies in the padded batch's output."""
    sizes = zip(output.shape[1:], alone.shape[1:], strict=True)
    slices = [slice(n - valid, n) if from_end else slice(valid) for n, valid in sizes]
    return (slice(row, row + 1), *slices)


def _check_output_mask(case: Case, layer: keras.layers.Layer) -> None:
    first = keras.tree.flatten(case.run(layer, mask=case.mask))[0]
    carried = getattr(first, "_keras_mask", None)
    if case.output_mask is None:
        assert carried is None, "the output carries a mask, though `output_mask` is None"
        return
    assert carried is not None, f"the output does not carry the mask of {case.output_mask}"
    expected = case.mask[case.output_mask]
    assert np.array_equal(as_numpy(carried), expected), "the output's mask is not the input's"


def _check_masked_row(case: Case, layer: keras.layers.Layer) -> None:
    """A row that is all padding gives neither NaN nor infinity, nor does its gradient."""
    mask = {name: m & (np.arange(len(m)) < len(m) - 1)[:, None] for name, m in case.mask.items()}
    outputs = flat_numpy(case.run(layer, mask=mask))
    gradients = layer_gradients(case, layer, projection(outputs), mask=mask)
    for value in [*outputs, *gradients.values()]:
        assert np.isfinite(value).all(), "a fully masked row gives values that are not finite"
