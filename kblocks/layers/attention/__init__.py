"""Attention: alignment scores, and the layers that read a memory by them."""

from kblocks.layers.attention.additive_score import AdditiveScore
from kblocks.layers.attention.alignment_score import AlignmentScore
from kblocks.layers.attention.attention import Attention
from kblocks.layers.attention.bahdanau_attention import BahdanauAttention
from kblocks.layers.attention.content_score import ContentScore
from kblocks.layers.attention.dot_score import DotScore
from kblocks.layers.attention.general_score import GeneralScore
from kblocks.layers.attention.hard_attention import HardAttention
from kblocks.layers.attention.local_attention import LocalAttention
from kblocks.layers.attention.location_score import LocationScore
from kblocks.layers.attention.luong_attention import LuongAttention
from kblocks.layers.attention.multi_head_attention import MultiHeadAttention
from kblocks.layers.attention.scaled_dot_score import ScaledDotScore

__all__ = [
    "AdditiveScore",
    "AlignmentScore",
    "Attention",
    "BahdanauAttention",
    "ContentScore",
    "DotScore",
    "GeneralScore",
    "HardAttention",
    "LocalAttention",
    "LocationScore",
    "LuongAttention",
    "MultiHeadAttention",
    "ScaledDotScore",
]
