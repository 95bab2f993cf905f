"""GPT-2 in plain torch, as nanoGPT lays it out: the peer of the recipe `characters`.

Radford et al. 2019, section 2.3: pre-norm layers, one projection for query, key and value of all
heads, GELU by its approximation, the embedding's matrix as the output's.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, scaled_dot_product_attention


class Block(nn.Module):
    """x + MaskedMultiHead(LayerNorm(x)), then x + FFN(LayerNorm(x))."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.output = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.inner, self.outer = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.gelu = nn.GELU(approximate="tanh")

    def forward(self, x: Tensor) -> Tensor:
        batch, time, width = x.shape
        q, k, v = (
            part.view(batch, time, self.heads, -1).transpose(1, 2)  # (batch, heads, time, size)
            for part in self.qkv(self.norm_1(x)).split(width, dim=-1)
        )
        y = scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.output(y.transpose(1, 2).reshape(batch, time, width))
        return x + self.outer(self.gelu(self.inner(self.norm_2(x))))


class TorchGPT(nn.Module):
    """Logits, and their cross-entropy where the next tokens are given."""

    def __init__(self, vocabulary: int, layers: int, width: int, heads: int, context: int) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, ids: Tensor, labels: Tensor | None = None) -> Tensor:
        x = self.tokens(ids) + self.positions(torch.arange(ids.shape[1]))
        logits = self.head(self.norm(self.blocks(x)))
        if labels is None:
            return logits
        return cross_entropy(logits.flatten(0, 1), labels.flatten())

    def optimizer(self, rate: float, weight_decay: float) -> torch.optim.AdamW:
        """As nanoGPT's: matrices decay, biases and norms do not."""
        groups = [
            {"params": [p for p in self.parameters() if p.dim() >= 2]},
            {"params": [p for p in self.parameters() if p.dim() < 2], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, rate, betas=(0.9, 0.99), weight_decay=weight_decay)

    @torch.no_grad()
    def take(self, ours: Any) -> None:
        """The weights of a `kblocks.models.GPT2`."""
        _copy(self.tokens.weight, ours.token_embedding.embeddings)
        _copy(self.positions.weight, ours.position_embedding.embeddings)
        for block, layer in zip(self.blocks, ours.decoder, strict=True):
            attention, feed_forward = layer.self_attention, layer.feed_forward
            width = attention.W_O.shape[-1]
            kernels = [
                np.reshape(W, (width, width)) for W in (attention.W_Q, attention.W_K, attention.W_V)
            ]
            biases = [np.ravel(b) for b in (attention.b_Q, attention.b_K, attention.b_V)]
            _copy(block.qkv.weight, np.concatenate(kernels, axis=1).T)
            _copy(block.qkv.bias, np.concatenate(biases))
            _copy(block.output.weight, np.reshape(attention.W_O, (width, width)).T)
            _copy(block.output.bias, attention.b_O)
            for theirs, dense in (
                (block.inner, feed_forward.inner),
                (block.outer, feed_forward.outer),
            ):
                _copy(theirs.weight, np.transpose(dense.kernel))
                _copy(theirs.bias, dense.bias)
            _copy_norm(block.norm_1, layer.self_attention_norm)
            _copy_norm(block.norm_2, layer.feed_forward_norm)
        _copy_norm(self.norm, ours.final_norm)


def _copy_norm(theirs: nn.LayerNorm, ours: Any) -> None:
    _copy(theirs.weight, ours.gamma)
    _copy(theirs.bias, ours.beta)


def _copy(parameter: Tensor, array: Any) -> None:
    parameter.copy_(torch.tensor(np.array(array)))
