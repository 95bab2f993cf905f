"""Training: two replicas as one device; seeds decide what is drawn; inference draws nothing."""

import functools
from typing import Any

import keras
import numpy as np

from tests.contract.case import Case, as_numpy, assert_close, flat_numpy
from tests.contract.saving import model_of


@functools.cache
def two_replicas() -> Any:
    """A replica for each logical CPU, one strategy for all of a process.

    Its sums are on one device. TensorFlow's collectives would not do: two strategies in a process
    use the same names for them, and once one was stopped, all later ones fail.
    """
    from kblocks.distribute import strategy

    mirrored = strategy("mirrored")
    assert mirrored.num_replicas_in_sync == 2
    return mirrored


def _fit_one_step(
    case: Case, sample: dict, seed: int, eagerly: bool
) -> tuple[list[np.ndarray], float]:
    model = model_of(case, masked=False)
    rng = np.random.default_rng(seed)
    targets = {
        name: rng.normal(size=value.shape).astype("float32")
        for name, value in model(sample).items()
        if keras.backend.is_float_dtype(keras.backend.standardize_dtype(value.dtype))
    }
    losses = {name: "mean_squared_error" if name in targets else None for name in model.output}
    model.compile(keras.optimizers.SGD(0.1), losses, jit_compile=False, run_eagerly=eagerly)
    batch = len(next(iter(sample.values())))
    history = model.fit(sample, targets, batch_size=batch, shuffle=False, verbose=0)
    return [as_numpy(v) for v in model.trainable_variables], history.history["loss"][0]


def check_replicas(case: Case) -> None:
    """One `fit` step under two replicas gives the weights of one device."""
    before = [as_numpy(v) for v in case.built().trainable_variables]
    if not before:
        return
    rng = np.random.default_rng(5)
    sample = {}
    for path, array in case.flat().items():
        # The second replica gets other rows than the first.
        second = array[rng.permutation(len(array))]
        if np.issubdtype(array.dtype, np.floating):
            second = second + rng.normal(size=array.shape).astype(array.dtype)
        sample[path.replace("/", "_")] = np.concatenate([array, second])
    # Without a graph, which would take seconds to make and only be run once.
    alone, loss = _fit_one_step(case, sample, seed=9, eagerly=True)
    with two_replicas().scope():
        together, loss_together = _fit_one_step(case, sample, seed=9, eagerly=False)
    moved = max(np.abs(a - b).max() for a, b in zip(alone, before, strict=True))
    assert moved > 0, "a training step moves no weight"
    assert abs(loss - loss_together) <= 1e-5 * abs(loss), f"loss {loss_together}, not {loss}"
    differences = [np.abs(a - b).max() for a, b in zip(alone, together, strict=True)]
    assert max(differences) <= 1e-4 * moved + 1e-6, f"weights differ by {max(differences):.1e}"


def check_randomness(case: Case) -> None:
    """Same seed, same weights and draws; training draws where it should, inference never."""
    made = []
    for _ in range(2):
        keras.utils.set_random_seed(11)
        layer = case.make()
        made.append((layer, flat_numpy(case.run(layer))))
    assert_close(made[1][1], made[0][1], 0.0, "two layers after the same seed")
    changes = case.stochastic
    if changes is None:
        changes = {name: 0.5 for name in case.constructor() if name.endswith("dropout")}
        if not changes:
            return
    if "seed" in case.constructor():
        changes = {"seed": 3, **changes}
    first, second = case.built(**changes), case.built(**changes)
    drawn = flat_numpy(case.run(first, training=True))
    keras.utils.set_random_seed(12)
    if "seed" in changes:
        again = flat_numpy(case.run(second, training=True))
        assert_close(again, drawn, 0.0, f"training twice with {changes}")
    inference = flat_numpy(case.run(first))
    assert_close(inference, case.expected(), 1e-5, f"inference with {changes}")
    same = all(np.array_equal(a, b) for a, b in zip(drawn, inference, strict=True))
    assert not same, f"training with {changes} is as inference: nothing was drawn"
