"""The Transformer's schedule, against equation 3."""

from typing import Any

import keras
import numpy as np
import pytest

from kblocks.training import NoamSchedule
from tests.reference import training as reference


def test_equals_the_paper() -> None:
    schedule = NoamSchedule(model_dim=512, warmup_steps=4000)
    for step in (1, 2, 3999, 4000, 4001, 100_000):
        expected = reference.noam_rate(step, 512, 4000)
        assert float(schedule(step - 1)) == pytest.approx(expected, rel=1e-6)


def test_is_highest_at_the_end_of_the_warm_up() -> None:
    steps = np.arange(200)
    rates = keras.ops.convert_to_numpy(NoamSchedule(64, warmup_steps=50, scale=2.0)(steps))
    assert rates.argmax() == 49
    np.testing.assert_allclose(rates.max(), 2 * (64 * 50) ** -0.5, rtol=1e-6)


def test_config() -> None:
    schedule = NoamSchedule(64, warmup_steps=50, scale=2.0)
    copy = keras.optimizers.schedules.deserialize(keras.optimizers.schedules.serialize(schedule))
    assert isinstance(copy, NoamSchedule)
    assert copy.get_config() == {"model_dim": 64, "warmup_steps": 50, "scale": 2.0}


@pytest.mark.parametrize("argument", ["model_dim", "warmup_steps", "scale"])
@pytest.mark.parametrize("value", [0, -1, "8", None, True])
def test_wrong_arguments(argument: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"`{argument}` must be a positive"):
        NoamSchedule(**{"model_dim": 8, argument: value})
