"""The generative models of images of van den Oord, Kalchbrenner and Kavukcuoglu (2016),
https://arxiv.org/abs/1601.06759, for images whose pixels are 0 or 1.

    p(x) = prod_k p(x_k | x_1, ..., x_{k-1})         in raster order                 (equation 1)

All these probabilities come from one pass over the image: a 7 x 7 convolution of kind A, residual
blocks of Row LSTMs, Diagonal BiLSTMs or masked convolutions, and twice a ReLU and a 1 x 1
convolution, to the logit of each pixel (table 1). The logit of x_k depends on x_1, ..., x_{k-1}
alone: on those in a widening triangle with Row LSTMs and convolutions, on all of them with Diagonal
BiLSTMs, but for one. The last pixel of a row stands, by kind A, in the features of the rows below
only; so in the row below the first convolution alone sees it, from the last four pixels.
"""

from typing import Any

import keras
from keras import ops

from kblocks.backend import compiled, scan
from kblocks.layers import MaskedConv2D
from kblocks.layers.attention.checks import check_positive
from kblocks.layers.convolution.images import checked_image
from kblocks.models.vision.pixel_block import LAYERS, PixelBlock
from kblocks.models.wide import wide

FIRST_KERNEL = 7


@keras.saving.register_keras_serializable("kblocks")
class PixelRNN(keras.Model):
    """A model of binary images, pixel by pixel: their likelihood, and samples.

    Height and width are free; there are no masks.

    Args:
        layer: `"row"`, `"diagonal"` or `"conv"`.
        units: The size of the states, or of the convolutions, in the blocks.
        layers: Number of residual blocks.
        features: The width between the blocks; by default `2 * units`, as in the paper.
        kernel_size: Of the Row LSTM and of the convolutions in the blocks, an odd number.

    Call arguments:
        inputs: Images of zeros and ones, floats (batch, height, width, 1).

    Returns:
        The logit of the probability that a pixel is 1, given those before it, (batch, height,
        width, 1), float32 or wider.

    Raises:
        ValueError: An argument or an input does not fit the above.

    Example:

    >>> import keras
    >>> from kblocks.models import PixelRNN
    >>> model = PixelRNN("diagonal", units=2, layers=1)
    >>> images = model.sample(2, height=3, width=4, seed=1)
    >>> tuple(images.shape), tuple(model.log_likelihood(images).shape)
    ((2, 3, 4, 1), (2,))

    References:
        van den Oord, Kalchbrenner and Kavukcuoglu (2016), "Pixel Recurrent Neural Networks".
    """

    def __init__(
        self,
        layer: str = "diagonal",
        units: int = 16,
        layers: int = 7,
        features: int | None = None,
        kernel_size: int = 3,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if layer not in LAYERS:
            raise ValueError(f"`layer` must be one of {LAYERS}, got {layer!r}.")
        check_positive("units", units)
        check_positive("layers", layers)
        if features is not None:
            check_positive("features", features)
        check_positive("kernel_size", kernel_size)
        self.layer = layer
        self.units = units
        self.number_of_layers = layers
        self.features = features
        self.kernel_size = kernel_size

        policy = self.dtype_policy
        self.width = features or 2 * units
        self.first = MaskedConv2D(self.width, FIRST_KERNEL, "A", dtype=policy, name="first")
        self.blocks = [
            PixelBlock(layer, units, self.width, kernel_size, dtype=policy, name=f"block_{k}")
            for k in range(layers)
        ]
        self.hidden = MaskedConv2D(self.width, 1, "B", dtype=policy, name="hidden")
        self.last = MaskedConv2D(1, 1, "B", dtype=policy, name="last")

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Check `inputs`, then run the model."""
        return super().__call__(checked_image("inputs", inputs, 1), *args, **kwargs)

    def build(self, inputs_shape: Any = (None, None, None, 1)) -> None:
        image = tuple(inputs_shape)[:3]
        self.first.build((*image, 1))
        others: list[keras.layers.Layer] = [*self.blocks, self.hidden, self.last]
        for layer in others:
            layer.build((*image, self.width))
        self.built = True

    def call(self, inputs: Any) -> Any:
        x = self.first(inputs)
        for block in self.blocks:
            x = block(x)
        logits = self.last(ops.relu(self.hidden(ops.relu(x))))
        return wide(logits)

    def compute_output_shape(self, inputs_shape: Any) -> Any:
        """A logit for each pixel."""
        return (*inputs_shape[:3], 1)

    def log_likelihood(self, inputs: Any) -> Any:
        """log p(x) of each image in nats, (batch,); arguments as in a call."""
        return -negative_log_likelihood(inputs, self(inputs))

    def sample(
        self, batch: int = 1, height: int = 28, width: int = 28, seed: int | None = None
    ) -> Any:
        """Draw images pixel by pixel: a pass over the whole image for each of its pixels.

        Args:
            batch: How many images.
            height: Their height.
            width: Their width.
            seed: What is drawn depends on it alone; different each time if `None`.

        Returns:
            Images of zeros and ones, (batch, height, width, 1).
        """
        for name, number in (("batch", batch), ("height", height), ("width", width)):
            check_positive(name, number)
        if not self.built:
            self.build()
        pixels = height * width
        places = ops.reshape(ops.eye(pixels), (pixels, 1, height, width, 1))
        noise = keras.random.uniform((pixels, batch, 1, 1, 1), seed=seed)

        def draw(image: Any, x: Any) -> tuple[Any, Any]:
            place, u = x
            drawn = ops.cast(u < ops.sigmoid(self(image)), image.dtype)
            return ops.where(place > 0, drawn, image), u

        def run(image: Any, places: Any, noise: Any) -> Any:
            return scan(draw, image, (places, noise))[0]

        return compiled(run)(ops.zeros((batch, height, width, 1)), places, noise)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "layer": self.layer,
            "units": self.units,
            "layers": self.number_of_layers,
            "features": self.features,
            "kernel_size": self.kernel_size,
        }


def negative_log_likelihood(images: Any, logits: Any) -> Any:
    """-log p(x) of each image in nats, (batch,): the loss of a `PixelRNN`.

    Args:
        images: Zeros and ones, (batch, height, width, 1).
        logits: What the model gave for them, of the same shape.
    """
    # -x log sigmoid(a) - (1 - x) log(1 - sigmoid(a)) = log(1 + e^a) - x a
    x = ops.cast(images, logits.dtype)
    return ops.sum(ops.softplus(logits) - x * logits, axis=(1, 2, 3))


def count_weights(
    layer: str, units: int, layers: int, features: int | None = None, kernel_size: int = 3
) -> int:
    """How many weights a `PixelRNN` has, without those that the masks leave out.

    Args:
        layer: As all others, an argument of `PixelRNN`.
        units: See there.
        layers: See there.
        features: See there.
        kernel_size: See there.
    """
    width = features or 2 * units
    reach = kernel_size // 2
    if layer == "row":
        core = (reach + 1) * width * 4 * units + 4 * units + kernel_size * units * 4 * units
    elif layer == "diagonal":
        core = 2 * (width * 4 * units + 4 * units + 2 * units * 4 * units)
    else:
        seen = reach * kernel_size + reach + 1
        core = width * units + units + seen * units * units + units
    first = (FIRST_KERNEL**2 // 2) * width + width
    last = (width * width + width) + (width + 1)
    return first + layers * (core + units * width + width) + last
