"""The attention of Bahdanau, Cho and Bengio (2015), https://arxiv.org/abs/1409.0473.

e_ij = v_a^T tanh(W_a s_(i-1) + U_a h_j)      (appendix A.1.2)
alpha_ij = softmax_j(e_ij)                    (equation 6)
c_i = sum_j alpha_ij h_j                      (equation 5)
"""

from typing import Any

import keras

from kblocks.layers.attention.additive_score import AdditiveScore
from kblocks.layers.attention.attention import Attention


@keras.saving.register_keras_serializable("kblocks")
class BahdanauAttention(Attention):
    """Additive attention, read with the decoder's state *before* its step.

    Masks are honoured as in `Attention`.

    Args:
        units: Size of the hidden layer of the alignment model.
        dropout: Fraction of the weights dropped in training.
        seed: Seed of the dropout.

    Call arguments:
        query: Decoder states s_(i-1), floats (batch, target, query features).
        value: Annotations h_j, floats (batch, source, value features).
        key: Floats (batch, source, key features); by default `value`.
        attention_mask: Booleans (batch, source) or (batch, target, source), true where attention
            may go.
        return_attention_scores: Return the weights, too.
        training: Whether dropout is on.

    Returns:
        The context c_i (batch, target, value features); with `return_attention_scores=True` a pair
        of it and the weights alpha_ij (batch, target, source). Both in the compute dtype.

    Raises:
        ValueError: An argument or an input does not fit the above.

    Example:

    >>> import keras
    >>> from kblocks.layers import BahdanauAttention
    >>> states, annotations = keras.ops.ones((2, 3, 4)), keras.ops.ones((2, 5, 6))
    >>> BahdanauAttention(8)(states, value=annotations).shape
    TensorShape([2, 3, 6])

    References:
        Bahdanau, Cho and Bengio (2015), "Neural Machine Translation by Jointly Learning to Align
        and Translate", equations 5 and 6, appendix A.1.2.
    """

    def __init__(
        self, units: int, dropout: float = 0.0, seed: int | None = None, **kwargs: Any
    ) -> None:
        score = AdditiveScore(units, dtype=kwargs.get("dtype"), name="additive")
        super().__init__(score, dropout=dropout, seed=seed, **kwargs)
        self.units = units

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "units": self.units}
        del config["score"], config["max_length"]
        return config
