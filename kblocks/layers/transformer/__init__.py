"""The Transformer: positions, feed-forward, and the layers of encoder and decoder."""

from kblocks.layers.transformer.feed_forward import FeedForward
from kblocks.layers.transformer.layer_normalization import LayerNormalization
from kblocks.layers.transformer.learned_position_embedding import LearnedPositionEmbedding
from kblocks.layers.transformer.sinusoidal_position_encoding import SinusoidalPositionEncoding
from kblocks.layers.transformer.transformer_decoder_layer import TransformerDecoderLayer
from kblocks.layers.transformer.transformer_encoder_layer import TransformerEncoderLayer

__all__ = [
    "FeedForward",
    "LayerNormalization",
    "LearnedPositionEmbedding",
    "SinusoidalPositionEncoding",
    "TransformerDecoderLayer",
    "TransformerEncoderLayer",
]
