"""How deep in a model each of its weights stands."""

from collections.abc import Sequence

import keras


def depths(model: keras.Model, below: Sequence[Sequence[keras.layers.Layer]]) -> list[int]:
    """The number of layers above each trainable weight of a built model, in their order.

    Args:
        model: The model.
        below: The layers at depth 1, at depth 2 and so on; all others are at depth 0.
    """
    depth_of = {
        id(variable): depth
        for depth, layers in enumerate(below, 1)
        for layer in layers
        for variable in layer.trainable_variables
    }
    return [depth_of.get(id(variable), 0) for variable in model.trainable_variables]
