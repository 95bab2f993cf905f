"""The loss of stochastic attention of Xu et al. (2015), https://arxiv.org/abs/1502.03044.

L_s = sum_s p(s|a) log p(y|s,a) <= log p(y|a)                                 (equation 10)

dL_s/dW = (d log p(y|s,a)/dW + lambda_r (log p(y|s,a) - b) d log p(s|a)/dW
           + lambda_e dH[s]/dW), averaged over draws s      (equations 11 and 12, section 4.1)

b_k = 0.9 b_(k-1) + 0.1 log p(y|s_k,a)                      (section 4.1)
"""

from typing import Any

import keras
from keras import ops

Tensor = Any


def reinforce_loss(
    log_likelihood: Tensor,
    log_probability: Tensor,
    entropy: Tensor | None = None,
    baseline: Tensor | float = 0.0,
    reward_weight: float = 1.0,
    entropy_weight: float = 0.01,
    mask: Tensor | None = None,
) -> Tensor:
    """A loss whose gradient is minus the REINFORCE estimate of the bound's gradient.

    The mean of the gradient over many draws is the gradient of -L_s, whatever the baseline, where
    `reward_weight=1` and no entropy term is added. The value of the loss has no meaning beyond
    that: to follow a training, look at `log_likelihood`.

    Args:
        log_likelihood: log p(y|s,a) of each example's target under the drawn positions, (batch,).
        log_probability: log p(s_t|a) of the drawn positions, (batch, target), as
            `kblocks.layers.HardAttention` returns it.
        entropy: H[s_t], (batch, target); `None` for no entropy term.
        baseline: The baseline b, a number or (batch,); see `MovingBaseline`.
        reward_weight: lambda_r.
        entropy_weight: lambda_e.
        mask: Booleans (batch, target), true at target steps that count.

    Returns:
        The loss of each example, (batch,).

    Raises:
        ValueError: The shapes do not fit each other.

    Example:

    >>> import keras
    >>> from kblocks.training import reinforce_loss
    >>> loss = reinforce_loss(keras.ops.array([-2.0]), keras.ops.array([[-1.0]]), baseline=-1.0)
    >>> keras.ops.convert_to_numpy(loss).tolist()
    [1.0]

    References:
        Xu et al. (2015), "Show, Attend and Tell: Neural Image Caption Generation with Visual
        Attention", section 4.1, equations 10 to 12.
    """
    if len(log_likelihood.shape) != 1:
        raise ValueError(
            f"`log_likelihood` must have shape (batch,), got {tuple(log_likelihood.shape)}."
        )
    for name, term in (
        ("log_probability", log_probability),
        ("entropy", entropy),
        ("mask", mask),
    ):
        if term is not None and len(term.shape) != 2:
            raise ValueError(f"`{name}` must have shape (batch, target), got {tuple(term.shape)}.")

    def over_target(term: Tensor) -> Tensor:
        term = ops.cast(term, log_likelihood.dtype)
        return ops.sum(term if mask is None else ops.where(mask, term, 0.0), axis=-1)

    advantage = ops.stop_gradient(log_likelihood - baseline)
    gain = log_likelihood + reward_weight * advantage * over_target(log_probability)
    if entropy is not None:
        gain = gain + entropy_weight * over_target(entropy)
    return -gain


@keras.saving.register_keras_serializable("kblocks")
class MovingBaseline(keras.layers.Layer):
    """The moving baseline b_k = decay b_(k-1) + (1 - decay) mean(log p(y|s_k,a)).

    It returns the baseline from before the call, which does not depend on the present draws, so
    that the estimate stays unbiased; in training it then moves on. It starts at zero. It is
    computed in float32 under every dtype policy but float64.

    Args:
        decay: How much of the baseline stays at each call.

    Call arguments:
        log_likelihood: log p(y|s,a), (batch,).
        training: Whether the baseline moves.

    Returns:
        The baseline, a scalar.

    Raises:
        ValueError: `decay` is not a number from 0 to 1.

    Example:

    >>> import keras
    >>> from kblocks.training import MovingBaseline
    >>> baseline = MovingBaseline()
    >>> _ = baseline(keras.ops.array([-4.0, -6.0]), training=True)
    >>> round(float(baseline(keras.ops.array([-4.0, -6.0]))), 6)
    -0.5

    References:
        Xu et al. (2015), "Show, Attend and Tell: Neural Image Caption Generation with Visual
        Attention", section 4.1.
    """

    def __init__(self, decay: float = 0.9, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        if not 0 <= decay <= 1:
            raise ValueError(f"`decay` must be a number from 0 to 1, got {decay!r}.")
        self.decay = decay

    def build(self, log_likelihood_shape: tuple) -> None:
        self.average = self.add_weight(
            shape=(),
            initializer="zeros",
            trainable=False,
            autocast=False,
            aggregation="mean",
            name="average",
        )

    def call(self, log_likelihood: Tensor, training: bool | None = None) -> Tensor:
        baseline = ops.copy(self.average)  # from before it moves
        if training:
            mean = ops.mean(ops.cast(log_likelihood, baseline.dtype))
            self.average.assign(self.decay * baseline + (1 - self.decay) * mean)
        return baseline

    def compute_output_spec(self, log_likelihood: Tensor, **kwargs: Any) -> keras.KerasTensor:
        return keras.KerasTensor((), dtype=self.variable_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "decay": self.decay}
