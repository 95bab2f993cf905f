"""GPT-2's checkpoints in Hugging Face's form: names, shapes and configuration.

Its matrices are (in, out), as TensorFlow's, and the three that make queries, keys and values stand
side by side in one, `attn.c_attn`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from kblocks.checkpoints.layouts import Entry

ARGUMENTS = {  # of config.json and of GPT2
    "vocab_size": "vocabulary_size",
    "n_layer": "layers",
    "n_embd": "hidden_dim",
    "n_head": "num_heads",
    "n_positions": "max_length",
    "resid_pdrop": "dropout",
    "attn_pdrop": "attention_dropout",
    "eos_token_id": "end_token",
}
FIXED = {  # what `GPT2` is
    "activation_function": ("gelu_new", "gelu_pytorch_tanh"),
    "layer_norm_epsilon": (1e-5,),
    "scale_attn_weights": (True,),
    "scale_attn_by_inverse_layer_idx": (False,),
    "add_cross_attention": (False,),
}
LEFT_OVER = ("lm_head.weight", r"h\.\d+\.attn\.(bias|masked_bias)")  # tied, and causal masks

_JOINED = "attn.c_attn."
_QKV = ("query", "key", "value")


def arguments(config: dict[str, Any]) -> dict[str, Any]:
    """The constructor's arguments for a `config.json`.

    Raises:
        ValueError: It describes something else, or a kind of GPT-2 that `GPT2` is not.
    """
    for name, allowed in FIXED.items():
        if config.get(name, allowed[0]) not in allowed:
            raise ValueError(
                f"config.json has {name}={config[name]!r}: only {allowed[0]!r} is read."
            )
    needed = ("vocab_size", "n_layer", "n_embd", "n_head", "n_positions")
    lost = [name for name in needed if name not in config]
    if lost:
        raise ValueError(f"config.json of a GPT-2 must have {', '.join(lost)}.")
    found = {ours: config[theirs] for theirs, ours in ARGUMENTS.items() if theirs in config}
    return found | {"intermediate_dim": config.get("n_inner")}


def config(model: Any) -> dict[str, Any]:
    """The `config.json` of a model."""
    ours = model.get_config()
    return {
        "model_type": "gpt2",
        **{theirs: ours[name] for theirs, name in ARGUMENTS.items()},
        "embd_pdrop": ours["dropout"],
        "n_inner": ours["intermediate_dim"],
        **{name: allowed[0] for name, allowed in FIXED.items()},
    }


def entries(model: Any) -> Iterator[Entry]:
    """The weights of a built `GPT2`; queries, keys and values each by itself."""
    yield Entry("wte.weight", model.token_embedding.embeddings)
    yield Entry("wpe.weight", model.position_embedding.embeddings)
    for i, layer in enumerate(model.decoder):
        name, attention, feed = f"h.{i}", layer.self_attention, layer.feed_forward
        for part, letter in zip(_QKV, "QKV", strict=True):
            yield Entry(f"{name}.{_JOINED}weight.{part}", getattr(attention, f"W_{letter}"))
            yield Entry(f"{name}.{_JOINED}bias.{part}", getattr(attention, f"b_{letter}"))
        for theirs, kernel, bias in (
            ("attn.c_proj", attention.W_O, attention.b_O),
            ("mlp.c_fc", feed.inner.kernel, feed.inner.bias),
            ("mlp.c_proj", feed.outer.kernel, feed.outer.bias),
        ):
            yield Entry(f"{name}.{theirs}.weight", kernel)
            yield Entry(f"{name}.{theirs}.bias", bias)
        yield from _norm(f"{name}.ln_1", layer.self_attention_norm)
        yield from _norm(f"{name}.ln_2", layer.feed_forward_norm)
    yield from _norm("ln_f", model.final_norm)


def _norm(name: str, layer: Any) -> Iterator[Entry]:
    yield Entry(f"{name}.weight", layer.gamma)
    yield Entry(f"{name}.bias", layer.beta)


class Divided(Mapping[str, np.ndarray]):
    """Arrays with queries, keys and values each by itself, as `entries` names them."""

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self._arrays = arrays
        self._names = [
            whole
            for name in arrays
            for whole in ([f"{name}.{part}" for part in _QKV] if _JOINED in name else [name])
        ]

    def __getitem__(self, name: str) -> np.ndarray:
        if _JOINED not in name:
            return self._arrays[name]
        whole, part = name.rsplit(".", 1)
        array = self._arrays[whole]
        if array.ndim == 0 or array.shape[-1] % 3:
            return array  # of a shape that will be refused
        return np.split(array, 3, axis=-1)[_QKV.index(part)]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def joined(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The opposite of `Divided`."""
    found = {name: array for name, array in arrays.items() if _JOINED not in name}
    for name in arrays:
        whole, _, part = name.rpartition(".")
        if _JOINED in name and part == "query":
            parts = [arrays[f"{whole}.{part}"] for part in _QKV]
            found[whole] = np.concatenate(parts, axis=-1)
    return found
