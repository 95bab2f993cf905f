"""GPT-2 of Radford, Wu, Child, Luan, Amodei and Sutskever 2019, section 2.3.

    h_0 = W_e u + W_p
    x   = h_(l-1) + MaskedMultiHead(LayerNorm(h_(l-1)))                     each layer l: pre-norm
    h_l = x + FFN(LayerNorm(x))                                             FFN with GELU
    p(u_(t+1) | u_1 .. u_t) = softmax(W_e LayerNorm(h_n,t))

Weights begin as N(0, 0.02), those of the 2 n projections that are added to h as
N(0, 0.02 / sqrt(2 n)): the sum of all of them keeps its variance whatever the depth n.
"""

from typing import Any, ClassVar

import keras

from kblocks.models.language.language_model import LanguageModel


@keras.saving.register_keras_serializable("kblocks")
class GPT2(LanguageModel):
    """GPT with layer normalisation before each sub-layer, and one more behind the last.

    `GPT2.of_size("small")`, `"medium"`, `"large"` and `"xl"` are the paper's, 124 million to 1.56
    billion weights. A position sees those before it and itself alone, so that padding on the right
    changes nothing in what counts; its own logits are for the loss to leave out
    (`kblocks.training.LabelledCrossentropy`, labels -1).

    It follows the decoding protocol: `generate` and `sample` read a prompt once, and keep keys and
    values of what was said.

    Args:
        vocabulary_size: Number of ids.
        layers: Number of layers.
        hidden_dim: The width of the embeddings and of all layers, divisible by `num_heads`.
        num_heads: Heads of each attention.
        intermediate_dim: The width within the feed-forward networks; by default four times
            `hidden_dim`.
        max_length: The number of positions.
        dropout: Fraction dropped while training, of the embeddings and of each sub-layer's output.
        attention_dropout: Fraction dropped of the attention's weights.
        end_token: The id that ends a text in decoding, 50256 in OpenAI's vocabulary; none: a text
            goes on.

    Call arguments:
        inputs: Int ids (batch, time), at most `max_length` long; on the right -1 is padding.
        training: Whether dropout is on.

    Returns:
        Logits of the next token, float32 or wider, (batch, time, vocabulary_size).

    Raises:
        ValueError: An argument is out of its range, or the input has another shape, is too long,
            or is padded on the left.

    Example:

    >>> import numpy as np
    >>> from kblocks.models import GPT2
    >>> model = GPT2(50, layers=2, hidden_dim=8, num_heads=2, max_length=16, end_token=49)
    >>> tokens = np.array([[5, 0, 7], [9, -1, -1]])
    >>> model(tokens).shape, model.hidden_states(tokens).shape
    (TensorShape([2, 3, 50]), TensorShape([2, 3, 3, 8]))
    >>> model.sample(tokens, max_length=4, top_k=5, samples=3).tokens.shape
    TensorShape([2, 3, 4])

    References:
        Radford, Wu, Child, Luan, Amodei and Sutskever 2019, "Language models are unsupervised
        multitask learners", section 2.3 and table 2.
    """

    norm = "pre"
    sizes: ClassVar = {
        "small": {"layers": 12, "hidden_dim": 768, "num_heads": 12},
        "medium": {"layers": 24, "hidden_dim": 1024, "num_heads": 16},
        "large": {"layers": 36, "hidden_dim": 1280, "num_heads": 20},
        "xl": {"layers": 48, "hidden_dim": 1600, "num_heads": 25},
    }

    def __init__(
        self,
        vocabulary_size: int = 50257,
        layers: int = 12,
        hidden_dim: int = 768,
        num_heads: int = 12,
        intermediate_dim: int | None = None,
        max_length: int = 1024,
        dropout: float = 0.1,
        attention_dropout: float = 0.1,
        end_token: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            vocabulary_size,
            layers,
            hidden_dim,
            num_heads,
            intermediate_dim,
            max_length,
            dropout,
            attention_dropout,
            end_token,
            **kwargs,
        )

    def build(self, inputs_shape: Any = None) -> None:
        super().build(inputs_shape)
        for layer in self.decoder:
            for added in (layer.self_attention.W_O, layer.feed_forward.outer.kernel):
                added.assign(added * (2 * self.num_layers) ** -0.5)
