"""The segmentation network of Liang, Shen, Feng, Lin and Yan (2016), arXiv:1603.07063, section 3.1.

A convolutional network makes features x at a quarter of the image's size, and a 1 x 1 convolution
of them an initial confidence for each class, p = softmax(W x + b). Of the superpixels s

    f_s = mean of x over the pixels of s
    c_s = max over the classes of the mean of p over the pixels of s

are features and confidence. Graph LSTM layers with residual connections update them in the order of
their confidence, each layer from the states of the one before,

    h, m = GraphLSTM(norm(f), states h, m before)          f = f + h

and every pixel gets the features of its superpixel back, added to its own, for a last 1 x 1
convolution. The paper does not say how large features are: after residual blocks so large that half
of all gates and candidates stand at their ends, so that here each node is normalised first (Ba et
al. 2016, arXiv:1607.06450). The convolutional network is a small one of residual blocks (He et al.
2016, arXiv:1512.03385) with rising dilation, in place of the paper's VGG-16.
"""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from kblocks.layers import GraphLSTM
from kblocks.models.vision.segmenter_checks import checked_graph
from kblocks.models.vision.superpixel_maps import of_pixels, superpixel_means, upsample

Tensor = Any


@keras.saving.register_keras_serializable("kblocks")
class GraphLSTMSegmenter(keras.Model):
    """Gives each pixel a class, by Graph LSTM layers over the image's superpixels.

    With `graph=False` it is the same network with a residual block of convolutions, a 3 x 3 and
    three 1 x 1, in the place of each Graph LSTM layer. Both have 12 units^2 + 4 units parameters,
    so that the two networks have exactly as many.

    Args:
        num_classes: How many classes there are.
        units: The width of the features and of the Graph LSTM, divisible by 8.
        blocks: Residual blocks of the convolutional network; the dilation doubles up to 4.
        graph_layers: Graph LSTM layers.
        graph: Whether they are Graph LSTM layers; false for convolutions of equal parameters in
            their place, `None` for nothing in their place.
        dropout: The share of the feature map set to zero in training.
        seed: Seed of the dropout.

    Call arguments:
        inputs: A dict: `image` (batch, height, width, 3), 0 to 255, integers or floats;
            `superpixels`, the superpixel of each pixel, integers (batch, height, width);
            `neighbours`, the touching superpixels of each, -1 for none, integers (batch,
            superpixels, neighbours). A superpixel without a pixel is padding.
        training: Whether dropout is on.

    Returns:
        A dict of two (batch, height, width, num_classes), float32 or wider: `logits`, and
        `confidence`, the logits of the initial confidence map, on which an auxiliary loss keeps
        the order of the nodes meaningful.

    Raises:
        ValueError: An argument or an input does not fit the above; in eager calls also where a
            superpixel has no row in `neighbours`.

    Example:

    >>> import numpy as np
    >>> from kblocks.models import GraphLSTMSegmenter
    >>> model = GraphLSTMSegmenter(3, units=8)
    >>> inputs = {
    ...     "image": np.zeros((1, 6, 9, 3), "uint8"),
    ...     "superpixels": np.arange(9)[None, None].repeat(6, 1) // 5,
    ...     "neighbours": np.array([[[1], [0]]]),
    ... }
    >>> tuple(model(inputs)["logits"].shape)
    (1, 6, 9, 3)

    References:
        Liang, Shen, Feng, Lin and Yan (2016), "Semantic Object Parsing with Graph LSTM".
    """

    def __init__(
        self,
        num_classes: int,
        units: int = 64,
        blocks: int = 2,
        graph_layers: int = 2,
        graph: bool | None = True,
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        counts = {"num_classes": num_classes, "blocks": blocks, "graph_layers": graph_layers}
        for name, number in {**counts, "units": units}.items():
            if isinstance(number, bool) or not isinstance(number, int) or number <= 0:
                raise ValueError(f"`{name}` must be a positive integer, got {number!r}.")
        if units % 8:
            raise ValueError(f"`units` must be divisible by 8, got {units!r}.")
        if not 0 <= dropout < 1:
            raise ValueError(f"`dropout` must be at least 0 and below 1, got {dropout!r}.")
        self.num_classes = num_classes
        self.units = units
        self.blocks = blocks
        self.graph_layers = graph_layers
        self.graph = graph
        self.dropout = dropout
        self.seed = seed
        widths = [units // 2] + [units] * (1 + 2 * blocks)
        dilations = [1, 1] + [min(2**k, 4) for k in range(blocks) for _ in range(2)]
        policy = self.dtype_policy
        self.convolutions = [
            keras.layers.Conv2D(
                width,
                3,
                strides=2 if k < 2 else 1,
                dilation_rate=dilation,
                padding="same",
                use_bias=False,
                dtype=policy,
                name=f"convolution_{k}",
            )
            for k, (width, dilation) in enumerate(zip(widths, dilations, strict=True))
        ]
        # Norms of each image by itself: a batch may be small, and lie on several devices.
        self.norms = [
            keras.layers.GroupNormalization(4, dtype=policy, name=f"norm_{k}")
            for k in range(len(widths))
        ]
        self.drop = keras.layers.Dropout(dropout, seed=seed, dtype=policy, name="drop")
        # Small, as the features grow with each residual block: logits begin near 0.
        self.confidence, self.classify = (
            keras.layers.Conv2D(
                num_classes,
                1,
                kernel_initializer=keras.initializers.RandomNormal(stddev=0.01, seed=seed),
                dtype=policy,
                name=name,
            )
            for name in ("confidence", "classify")
        )
        self.graph_norms = [
            keras.layers.LayerNormalization(dtype=policy, name=f"graph_norm_{k}")
            for k in range(0 if graph is None else graph_layers)
        ]
        self.recurrences = []
        self.refinements = []
        if graph:
            self.recurrences = [
                GraphLSTM(units, return_state=True, dtype=policy, name=f"graph_{k}")
                for k in range(graph_layers)
            ]
        elif graph is not None:
            self.refinements = [
                keras.layers.Conv2D(units, size, padding="same", dtype=policy, name=f"in_place_{k}")
                for k, size in enumerate([3, 1, 1, 1] * graph_layers)
            ]

    def build(self, input_shape: Any = None) -> None:
        """Create all weights; the sizes of images do not matter."""
        channels = 3
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            convolution.build((None, None, None, channels))
            channels = convolution.filters
            norm.build((None, None, None, channels))
        features = (None, None, None, self.units)
        self.drop.build(features)
        for layer in (self.confidence, self.classify, *self.refinements, *self.graph_norms):
            layer.build(features)
        for layer in self.recurrences:
            layer.build((None, None, self.units))
        self.built = True

    def call(self, inputs: Mapping[str, Tensor], training: bool = False) -> dict[str, Tensor]:
        image, superpixels, neighbours = checked_graph(inputs)
        size = ops.shape(image)[1:3]
        x = self.features(image, training)
        confidence = ops.cast(self.confidence(x), self._wide)
        if self.graph:
            nodes = self._nodes(x, confidence, superpixels, neighbours)
            # A sum's product is the sum of the products: the pixels' at a quarter of the size, the
            # superpixels' before they are dealt out.
            of_nodes = ops.matmul(nodes, ops.cast(self.classify.kernel[0, 0], nodes.dtype))
            logits = upsample(ops.cast(self.classify(x), self._wide), size)
            logits = logits + ops.cast(of_pixels(of_nodes, superpixels), self._wide)
        else:
            refined = x
            for k, norm in enumerate(self.graph_norms):
                first, *others = self.refinements[4 * k : 4 * k + 4]
                y = first(norm(refined))
                for layer in others:
                    y = layer(ops.relu(y))
                refined = refined + y
            logits = upsample(ops.cast(self.classify(x + refined), self._wide), size)
        return {"logits": logits, "confidence": upsample(confidence, size)}

    @property
    def _wide(self) -> str:
        return keras.backend.result_type(self.compute_dtype, "float32")

    def features(self, image: Tensor, training: bool = False) -> Tensor:
        """The feature map (batch, height / 4, width / 4, units) of images from 0 to 255."""
        x = ops.cast(image, self.compute_dtype) / 127.5 - 1
        layers = list(zip(self.convolutions, self.norms, strict=True))
        for convolution, norm in layers[:2]:
            x = ops.relu(norm(convolution(x)))
        for k in range(2, len(layers), 2):
            y = x
            for convolution, norm in layers[k : k + 2]:
                y = norm(convolution(y if convolution is layers[k][0] else ops.relu(y)))
            x = ops.relu(x + y)
        return self.drop(x, training=training)

    def take_stem(self, other: "GraphLSTMSegmenter") -> None:
        """Take over the weights of another segmenter, all but those between features and classes.

        Args:
            other: One of the same `num_classes`, `units` and `blocks`, both built.
        """
        own, theirs = (
            [*model.convolutions, *model.norms, model.confidence, model.classify]
            for model in (self, other)
        )
        for layer, source in zip(own, theirs, strict=True):
            layer.set_weights(source.get_weights())

    def _nodes(
        self, x: Tensor, confidence: Tensor, superpixels: Tensor, neighbours: Tensor
    ) -> Tensor:
        """The features of the superpixels (batch, nodes, units) after all layers."""
        nodes = ops.shape(neighbours)[1]
        p = ops.stop_gradient(ops.softmax(confidence))
        per_pixel = ops.concatenate([ops.cast(x, p.dtype), p], axis=-1)
        means, mask = superpixel_means(per_pixel, superpixels, nodes)
        f = ops.cast(means[..., : self.units], self.compute_dtype)
        c = ops.max(means[..., self.units :], axis=-1)
        states = None
        for layer, norm in zip(self.recurrences, self.graph_norms, strict=True):
            h, *states = layer(
                norm(f), neighbours=neighbours, confidence=c, initial_state=states, mask=mask
            )
            f = f + h
        return f

    def get_config(self) -> dict[str, Any]:
        """The constructor arguments."""
        names = ("num_classes", "units", "blocks", "graph_layers", "graph", "dropout", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
