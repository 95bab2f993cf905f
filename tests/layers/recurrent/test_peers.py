"""The recurrent layers against torch's, with torch's weights."""

import numpy as np
import pytest

from kblocks import layers
from tests.layers.recurrent.samples import assert_same, sequences

pytestmark = pytest.mark.parity


def _gates(weight: object, order: list[int]) -> np.ndarray:
    """Torch's gates, one below the other, in another order and side by side."""
    parts = np.split(weight.detach().numpy(), len(order))
    return np.concatenate([parts[k] for k in order]).T


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_equals_torch(kind: str) -> None:
    torch = pytest.importorskip("torch")
    x = sequences()
    if kind == "lstm":
        theirs, ours = torch.nn.LSTM(3, 4, batch_first=True), layers.LSTM
        order = [0, 1, 2, 3]
    else:
        theirs, ours = torch.nn.GRU(3, 4, batch_first=True), layers.GRU
        order = [1, 0, 2]  # torch has reset, update, new
    W_x, W_h, b_x, b_h = (_gates(weight, order) for weight in theirs.parameters())
    layer = ours(4, return_sequences=True)
    layer.build(x.shape)
    layer.set_weights([W_x, W_h, b_x + b_h if kind == "lstm" else np.stack([b_x, b_h])])
    assert_same(layer(x), theirs(torch.tensor(x))[0].detach().numpy())
