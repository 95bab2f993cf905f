"""The ground room: what Keras' own operations cannot do well on every backend.

Each function has one name here and one path per backend, chosen by `keras.backend.backend()`
when it is called; TensorFlow, JAX and PyTorch are imported only then.
"""

from kblocks.backend.adam_step import adam_step
from kblocks.backend.argmax import argmax
from kblocks.backend.compiled import compiled
from kblocks.backend.dense_gradient import dense_gradient
from kblocks.backend.drop import drop
from kblocks.backend.gradient import gradient
from kblocks.backend.known_values import known_values
from kblocks.backend.node_scan import node_scan
from kblocks.backend.normalize_features import normalize_features
from kblocks.backend.scan import scan
from kblocks.backend.softmax_crossentropy import softmax_crossentropy
from kblocks.backend.take_rows import take_rows

__all__ = [
    "adam_step",
    "argmax",
    "compiled",
    "dense_gradient",
    "drop",
    "gradient",
    "known_values",
    "node_scan",
    "normalize_features",
    "scan",
    "softmax_crossentropy",
    "take_rows",
]
