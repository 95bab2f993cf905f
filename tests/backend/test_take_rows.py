"""Rows of a tensor by their numbers."""

import numpy as np
from keras import ops

from kblocks.backend import take_rows


def test_rows_of_any_shape() -> None:
    x = np.arange(12.0).reshape(4, 3)
    for indices in (np.array([3, 0]), np.array([[1, 1], [2, 0]]), np.zeros((0, 2), int)):
        found = ops.convert_to_numpy(take_rows(ops.array(x), ops.array(indices)))
        np.testing.assert_array_equal(found, x[indices])
