"""Hard attention of Xu et al. (2015), "Show, Attend and Tell", https://arxiv.org/abs/1502.03044.

    p(s_t = i) = alpha_ti = softmax_i(score(q_t, k_i))        (equation 8)
    z_t = v at position s_t, s_t drawn from alpha_t           (equation 9)

The draw has no derivative. Two estimators of the gradient:

    reinforce: log alpha_t(s_t) goes into the loss, weighed by the reward (equations 10 to 12, see
        `kblocks.training.reinforce_loss`); with probability one half per example the soft weights
        alpha_t stand in for the draw (section 4.1).
    gumbel: straight-through Gumbel-softmax (Jang, Gu and Poole 2017, arXiv:1611.01144):
        s_t = argmax_i(log alpha_ti + g_ti), g_ti = -log(-log(u_ti))            (equation 1)
        y_t = softmax_i((log alpha_ti + g_ti) / temperature)                    (equation 2)
        forward the one-hot s_t, backward as if it were y_t                     (section 2.2)
"""

from typing import Any

import keras
from keras import ops

from kblocks.layers.attention.attention import Attention, Tensor
from kblocks.layers.attention.checks import check_positive
from kblocks.layers.attention.masked_softmax import combine_masks, masked_log_softmax


@keras.saving.register_keras_serializable("kblocks")
class HardAttention(Attention):
    """Hard attention: look at one position, drawn in training, the most probable at inference.

    Masks are honoured as in `Attention`: a masked position is never drawn, and a query without any
    position left gets zeros, with log-probability and entropy zero.

    Args:
        estimator: `"reinforce"` or `"gumbel"`.
        score: The alignment score: `"additive"`, `"content"`, `"dot"`, `"general"`, `"location"`,
            `"scaled_dot"`, or a score layer.
        max_length: The largest source length; needed by `score="location"`, unused otherwise.
        soft_probability: How often `"reinforce"` takes the soft weights in place of a draw, chosen
            per example; unused by `"gumbel"`.
        temperature: The temperature of `"gumbel"`; unused by `"reinforce"`.
        seed: Seed of the draws.

    Call arguments:
        query: Floats (batch, target, query features).
        value: Floats (batch, source, value features).
        key: Floats (batch, source, key features); by default `value`.
        attention_mask: Booleans (batch, source) or (batch, target, source), true where attention
            may go.
        return_attention_scores: Return the weights that made the context, too: one-hot, or the
            soft weights where these stood in.
        return_log_probability: Return the log-probability of the drawn positions and the entropy
            of alpha, too.
        training: Whether to draw.

    Returns:
        The context (batch, target, value features) in the compute dtype, or a tuple of it and what
        was asked for, in this order: the weights (batch, target, source) in the compute dtype; the
        log-probabilities (batch, target), zero where the soft weights stood in, and the entropies
        (batch, target) in nats, both in float32 (float64 under that policy).

    Raises:
        ValueError: An argument or an input does not fit the above.

    Example:

    >>> import keras
    >>> from kblocks.layers import HardAttention
    >>> query = keras.ops.array([[[1.0, 0.0]]])
    >>> memory = keras.ops.array([[[0.0, 1.0], [3.0, 4.0]]])
    >>> context = HardAttention("reinforce", score="dot")(query, value=memory)
    >>> keras.ops.convert_to_numpy(context).tolist()
    [[[3.0, 4.0]]]

    References:
        - Xu et al. (2015), "Show, Attend and Tell: Neural Image Caption Generation with Visual
          Attention", section 4.1, equations 8 to 12.
        - Jang, Gu and Poole (2017), "Categorical Reparameterization with Gumbel-Softmax",
          equations 1 and 2, section 2.2.
    """

    def __init__(
        self,
        estimator: str = "reinforce",
        score: Any = "dot",
        max_length: int | None = None,
        soft_probability: float = 0.5,
        temperature: float = 1.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(score, max_length, seed=seed, **kwargs)
        if estimator not in ("reinforce", "gumbel"):
            raise ValueError(f"`estimator` must be 'reinforce' or 'gumbel', got {estimator!r}.")
        if not 0 <= soft_probability <= 1:
            raise ValueError(
                f"`soft_probability` must be a number from 0 to 1, got {soft_probability!r}."
            )
        check_positive("temperature", temperature, float)
        self.estimator = estimator
        self.soft_probability = soft_probability
        self.temperature = temperature
        self.seed_generator = keras.random.SeedGenerator(seed)

    def draw(self, batch: Any, target: Any, source: Any) -> tuple[Tensor, Tensor]:
        """The randomness of one call, to be drawn before a decoder loop and handed to its steps.

        Args:
            batch: Number of examples.
            target: Number of queries.
            source: Number of positions.

        Returns:
            Gumbel noise (batch, target, source), and booleans (batch, 1, 1) that say which
            examples take the soft weights (none under `"gumbel"`).
        """
        u = keras.random.uniform(
            (batch, target, source), minval=1e-20, dtype="float32", seed=self.seed_generator
        )
        coin = keras.random.uniform((batch, 1, 1), dtype="float32", seed=self.seed_generator)
        limit = self.soft_probability if self.estimator == "reinforce" else 0.0
        return -ops.log(-ops.log(u)), coin < limit

    def select(
        self,
        query: Tensor,
        keys: Tensor,
        mask: Tensor | None = None,
        training: bool | None = False,
        noise: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Choose a position for each query.

        Args:
            query: Floats (batch, target, query features).
            keys: What `project` returned.
            mask: Booleans (batch, source) or (batch, target, source), true where attention may go.
            training: Whether to draw.
            noise: What `draw` returned; by default drawn here.

        Returns:
            The weights (batch, target, source), the log-probabilities (batch, target) and the
            entropies (batch, target).
        """
        scores = self.score.align(query, keys)
        mask = combine_masks(mask)
        mask = ops.ones_like(scores, "bool") if mask is None else mask
        log_alpha = masked_log_softmax(scores, mask)
        alpha = ops.where(mask, ops.exp(log_alpha), 0.0)
        finite_log_alpha = ops.where(mask, log_alpha, 0.0)
        entropy = -ops.sum(alpha * finite_log_alpha, axis=-1)
        noisy, soft = log_alpha, None
        if training:
            gumbel, soft = self.draw(*ops.shape(scores)) if noise is None else noise
            noisy = log_alpha + ops.cast(gumbel, log_alpha.dtype)
        weights = ops.where(mask, _one_hot_of_largest(noisy), 0.0)
        log_probability = ops.sum(weights * finite_log_alpha, axis=-1)
        if training and self.estimator == "gumbel":
            y = ops.where(mask, ops.softmax(noisy / self.temperature, axis=-1), 0.0)
            weights = weights + (y - ops.stop_gradient(y))
        elif training:
            weights = ops.where(soft, alpha, weights)
            log_probability = ops.where(ops.squeeze(soft, -1), 0.0, log_probability)
        return weights, log_probability, entropy

    def attend(
        self,
        query: Tensor,
        keys: Tensor,
        value: Tensor,
        mask: Tensor | None = None,
        training: bool | None = False,
        noise: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """As `Attention.attend`, with `noise` from `draw`; `select` tells the log-probability."""
        weights = ops.cast(self.select(query, keys, mask, training, noise)[0], value.dtype)
        return ops.matmul(weights, value), weights

    def call(
        self,
        query: Tensor,
        *,
        value: Tensor,
        key: Tensor | None = None,
        attention_mask: Tensor | None = None,
        value_mask: Tensor | None = None,
        key_mask: Tensor | None = None,
        return_attention_scores: bool = False,
        return_log_probability: bool = False,
        training: bool | None = None,
    ) -> Any:
        key = value if key is None else key
        self._check(query, value, key)
        mask = combine_masks(attention_mask, value_mask, key_mask)
        weights, *draws = self.select(query, self.project(key), mask, training)
        weights = ops.cast(weights, value.dtype)
        context = ops.matmul(weights, value)
        outputs = (
            context,
            *([weights] if return_attention_scores else []),
            *(draws if return_log_probability else []),
        )
        return outputs if len(outputs) > 1 else context

    def compute_output_spec(
        self, query: Tensor, *, return_log_probability: bool = False, **kwargs: Any
    ) -> Any:
        outputs = super().compute_output_spec(query, **kwargs)
        if not return_log_probability:
            return outputs
        dtype = "float64" if self.compute_dtype == "float64" else "float32"
        draws = [keras.KerasTensor(query.shape[:2], dtype=dtype) for _ in range(2)]
        return (*(outputs if isinstance(outputs, tuple) else (outputs,)), *draws)

    def get_config(self) -> dict[str, Any]:
        config = {
            **super().get_config(),
            "estimator": self.estimator,
            "soft_probability": self.soft_probability,
            "temperature": self.temperature,
        }
        del config["dropout"]
        return config


def _one_hot_of_largest(x: Tensor) -> Tensor:
    positions = ops.arange(ops.shape(x)[-1])
    largest = ops.cast(ops.argmax(x, axis=-1, keepdims=True), positions.dtype)
    return ops.cast(ops.equal(positions, largest), x.dtype)
