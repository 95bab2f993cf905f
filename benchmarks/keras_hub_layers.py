"""Our weights into keras-hub's layers, for benchmarks that compare equal models."""

from typing import Any

import numpy as np


def give_weights(ours: Any, theirs: Any) -> list[np.ndarray]:
    """A layer of the Transformer's encoder or decoder to keras-hub's, part by part.

    Returns them, in the order of the parts.
    """
    parts = [
        (ours.self_attention, theirs._self_attention_layer),
        (ours.self_attention_norm, theirs._self_attention_layer_norm),
        (ours.feed_forward.inner, theirs._feedforward_intermediate_dense),
        (ours.feed_forward.outer, theirs._feedforward_output_dense),
        (ours.feed_forward_norm, theirs._feedforward_layer_norm),
    ]
    if hasattr(ours, "cross_attention"):
        parts += [
            (ours.cross_attention, theirs._cross_attention_layer),
            (ours.cross_attention_norm, theirs._cross_attention_layer_norm),
        ]
    for our_part, their_part in parts:
        their_part.set_weights(our_part.get_weights())
    return [array for our_part, _ in parts for array in our_part.get_weights()]
