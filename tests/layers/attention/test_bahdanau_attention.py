"""The attention of Bahdanau et al. (2015)."""

from kblocks.layers import BahdanauAttention
from tests.contract import check_layer
from tests.layers.attention.samples import memory_mask, query_mask, sample
from tests.reference import attention as reference


def test_contract() -> None:
    check_layer(
        BahdanauAttention,
        {"units": 7},
        sample(3, 6),
        reference.bahdanau_attention,
        call={"return_attention_scores": True},
        mask={"query": query_mask(), "value": memory_mask()},
        output_mask="query",
        left_padded=True,
    )
