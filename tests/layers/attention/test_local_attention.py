"""Local attention of Luong et al. (2015): local-m and local-p."""

import numpy as np
import pytest
from keras import ops

from kblocks.layers import LocalAttention
from tests.contract import check_layer
from tests.layers.attention.samples import memory_mask, query_mask, sample
from tests.reference import attention as reference


@pytest.mark.parametrize("alignment", ["predictive", "monotonic"])
def test_contract(alignment: str) -> None:
    inputs = sample(3, 6)
    check_layer(
        LocalAttention,
        {"window": 2, "alignment": alignment, "units": 7},
        inputs,
        reference.local_attention,
        call={"return_attention_scores": True},
        mask={"query": query_mask(), "value": memory_mask()}
        if alignment == "predictive"
        else {"value": memory_mask()},
        output_mask="query" if alignment == "predictive" else None,
        left_padded=True,
        bad_arguments=[{"alignment": "diagonal"}],
    )


def test_the_window_follows_the_target_position() -> None:
    inputs = {name: ops.array(array) for name, array in sample().items()}
    query, value = inputs["query"], inputs["value"]
    layer = LocalAttention(window=1, alignment="monotonic", score="dot")
    _, weights = layer(query, value=value, return_attention_scores=True)
    seen = ops.convert_to_numpy(weights[0]) > 0
    assert seen.astype(int).tolist() == [
        [1, 1, 0, 0],
        [1, 1, 1, 0],
        [0, 1, 1, 1],
        [0, 0, 1, 1],
        [0, 0, 0, 1],
    ]
    for t in range(5):
        _, step = layer.attend(query[:, t : t + 1], value, value, positions=ops.array([[t]]))
        np.testing.assert_allclose(step[:, 0], weights[:, t], rtol=1e-6)


def test_a_target_beyond_the_source_gets_zeros() -> None:
    inputs = sample()
    layer = LocalAttention(window=1, alignment="monotonic", score="dot")
    mask = np.array([[True, True, False, False]] * 2)
    context = layer(inputs["query"], value=inputs["value"], attention_mask=mask)
    assert not ops.convert_to_numpy(context)[:, 3:].any()
    assert ops.convert_to_numpy(context)[:, :3].all()


def test_predictive_weights_fall_off_as_a_gaussian_from_the_predicted_position() -> None:
    query, value = np.zeros((1, 1, 2), "float32"), np.ones((1, 9, 2), "float32")
    layer = LocalAttention(window=4, score="dot")
    _, weights = layer(query, value=value, return_attention_scores=True)
    distance = np.arange(9) - 4.5  # p_t = S sigmoid(0)
    expected = np.where(np.abs(distance) <= 4, np.exp(-(distance**2) / 8) / 8, 0.0)
    np.testing.assert_allclose(weights[0, 0], expected, rtol=1e-5)
