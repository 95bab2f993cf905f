"""GPT of Radford, Narasimhan, Salimans and Sutskever 2018, section 3.1.

    h_0 = W_e u + W_p                                                       (equation 2)
    x   = LayerNorm(h_(l-1) + MaskedMultiHead(h_(l-1)))                     each layer l: post-norm
    h_l = LayerNorm(x + FFN(x))                                             FFN with GELU
    p(u_(t+1) | u_1 .. u_t) = softmax(W_e h_n,t)

All weights begin as N(0, 0.02), biases as zeros (section 4.1).
"""

from typing import Any, ClassVar

import keras

from kblocks.models.language.language_model import LanguageModel


@keras.saving.register_keras_serializable("kblocks")
class GPT(LanguageModel):
    """The decoder of the Transformer as a language model.

    `GPT.of_size("base")` is the paper's, 117 million weights. A position sees those before it
    and itself alone, so that padding on the right changes nothing in what counts; its own logits
    are for the loss to leave out (`kblocks.training.LabelledCrossentropy`, labels -1).

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
        end_token: The id that ends a text in decoding; none: a text goes on.

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
    >>> from kblocks.models import GPT
    >>> model = GPT(50, layers=2, hidden_dim=8, num_heads=2, max_length=16)
    >>> tokens = np.array([[5, 0, 7], [9, -1, -1]])
    >>> model(tokens).shape, model.heads(tokens).shape
    (TensorShape([2, 3, 50]), TensorShape([2, 2, 2, 3, 3]))
    >>> model.generate(tokens, max_length=4).tokens.shape
    TensorShape([2, 1, 4])

    References:
        Radford, Narasimhan, Salimans and Sutskever 2018, "Improving language understanding by
        generative pre-training", sections 3.1 and 4.1.
    """

    norm = "post"
    sizes: ClassVar = {"base": {"layers": 12, "hidden_dim": 768, "num_heads": 12}}

    def __init__(
        self,
        vocabulary_size: int = 40478,
        layers: int = 12,
        hidden_dim: int = 768,
        num_heads: int = 12,
        intermediate_dim: int | None = None,
        max_length: int = 512,
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
