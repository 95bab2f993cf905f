"""The blocks: Keras layers that read like their equations."""

from kblocks.layers.attention import (
    AdditiveScore,
    AlignmentScore,
    Attention,
    BahdanauAttention,
    ContentScore,
    DotScore,
    GeneralScore,
    HardAttention,
    LocalAttention,
    LocationScore,
    LuongAttention,
    MultiHeadAttention,
    ScaledDotScore,
)
from kblocks.layers.convolution import MaskedConv2D
from kblocks.layers.graphs import GraphLSTM
from kblocks.layers.grids import LSTM2D, DiagonalBiLSTM, LSTM2DCell, RowLSTM
from kblocks.layers.recurrent import GRU, LSTM, GRUCell, LSTMCell, SimpleRNN, SimpleRNNCell
from kblocks.layers.transformer import (
    FeedForward,
    LayerNormalization,
    LearnedPositionEmbedding,
    SinusoidalPositionEncoding,
    TransformerDecoderLayer,
    TransformerEncoderLayer,
)
from kblocks.layers.trees import ChildSumTreeLSTM, NaryTreeLSTM

__all__ = [
    "GRU",
    "LSTM",
    "LSTM2D",
    "AdditiveScore",
    "AlignmentScore",
    "Attention",
    "BahdanauAttention",
    "ChildSumTreeLSTM",
    "ContentScore",
    "DiagonalBiLSTM",
    "DotScore",
    "FeedForward",
    "GRUCell",
    "GeneralScore",
    "GraphLSTM",
    "HardAttention",
    "LSTM2DCell",
    "LSTMCell",
    "LayerNormalization",
    "LearnedPositionEmbedding",
    "LocalAttention",
    "LocationScore",
    "LuongAttention",
    "MaskedConv2D",
    "MultiHeadAttention",
    "NaryTreeLSTM",
    "RowLSTM",
    "ScaledDotScore",
    "SimpleRNN",
    "SimpleRNNCell",
    "SinusoidalPositionEncoding",
    "TransformerDecoderLayer",
    "TransformerEncoderLayer",
]
