"""The global attention of Luong et al. (2015)."""

import numpy as np
import pytest
from keras import ops

from kblocks.layers import AdditiveScore, Attention, LuongAttention
from tests.contract import check_layer
from tests.layers.attention.samples import memory_mask, query_mask, sample
from tests.reference import attention as reference


def test_contract() -> None:
    check_layer(
        LuongAttention,
        {"units": 7, "score": "general"},
        sample(3, 6),
        reference.luong_attention,
        call={"return_attention_scores": True},
        mask={"query": query_mask(), "value": memory_mask()},
        output_mask="query",
        left_padded=True,
    )


@pytest.mark.parametrize("score", ["dot", "additive", "location", "content", "scaled_dot"])
def test_the_weights_are_those_of_attention(score: str) -> None:
    inputs = sample()
    ours = LuongAttention(score=score, max_length=4)
    vector, weights = ours(inputs["query"], value=inputs["value"], return_attention_scores=True)
    assert vector.shape == (2, 5, 3)  # by default as wide as the query
    plain = Attention(ours.score)
    context, expected = plain(inputs["query"], value=inputs["value"], return_attention_scores=True)
    np.testing.assert_array_equal(weights, expected)
    read = ops.concatenate([context, inputs["query"]], -1)
    np.testing.assert_allclose(vector, ops.tanh(ops.matmul(read, ours.W_c.kernel)), rtol=1e-5)


def test_a_score_layer_comes_back_from_the_config() -> None:
    layer = LuongAttention(5, score=AdditiveScore(9))
    copy = LuongAttention.from_config(layer.get_config())
    assert isinstance(copy.score, AdditiveScore)
    assert copy.score.units == 9
