"""BERT's learning rate at every step, from its definition."""

import keras
import numpy as np
import pytest
from keras import ops

from kblocks.training import LinearSchedule


@pytest.mark.contract
@pytest.mark.parametrize("warm_up", [0, 1, 4, 10])
def test_every_step(warm_up: int) -> None:
    schedule = LinearSchedule(3e-5, steps=10, warm_up=warm_up)
    for step in range(13):
        rising, falling = step / max(warm_up, 1), (10 - step) / max(10 - warm_up, 1)
        expected = 3e-5 * (rising if step < warm_up else max(falling, 0))
        found = float(ops.convert_to_numpy(schedule(step)))
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_config_and_refusals() -> None:
    schedule = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(LinearSchedule(0.5, 20, 5))
    )
    assert np.isclose(float(schedule(5)), 0.5)
    for arguments in ((0, 5), (-1.0, 5), (1.0, 0), (1.0, 2.5), (1.0, 5, 6), (1.0, 5, -1)):
        with pytest.raises(ValueError, match="must be"):
            LinearSchedule(*arguments)
