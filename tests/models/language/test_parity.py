"""GPT and GPT-2 with the weights of transformers' models say what these say."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from kblocks.models import GPT, GPT2
from kblocks.models.language import LanguageModel
from tests.models.language.gpt_samples import PADDED

pytestmark = pytest.mark.parity

SIZES = {"vocab_size": 11, "n_positions": 16, "n_embd": 12, "n_layer": 3, "n_head": 3}
TINY: dict[str, Any] = {
    "vocabulary_size": 11,
    "layers": 3,
    "hidden_dim": 12,
    "num_heads": 3,
    "max_length": 16,
    "dropout": 0.0,
}


@pytest.fixture(scope="module")
def transformers() -> Any:
    pytest.importorskip("torch")
    return pytest.importorskip("transformers")


def peer(transformers: Any, name: str) -> Any:
    """One with large weights, so that what it says varies."""
    import torch

    torch.manual_seed(0)
    ends = {"bos_token_id": None, "eos_token_id": None}
    # Of its attentions only the plain one returns the weights.
    options = {"attn_implementation": "eager", **ends}
    config = getattr(transformers, f"{name}Config")(**SIZES, **options)
    model = getattr(transformers, f"{name}LMHeadModel")(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model


def give(weights: Mapping[str, np.ndarray], model: LanguageModel, old: bool) -> None:
    """The weights of transformers' GPT-2, or of its first GPT, whose norms come after."""
    heads, d = model.num_heads, model.hidden_dim
    tokens, positions = ("tokens_embed", "positions_embed") if old else ("wte", "wpe")
    model.token_embedding.embeddings.assign(weights[f"{tokens}.weight"])
    model.position_embedding.embeddings.assign(weights[f"{positions}.weight"])

    def norm(layer: Any, name: str) -> None:
        layer.gamma.assign(weights[f"{name}.weight"])
        layer.beta.assign(weights[f"{name}.bias"])

    for i, layer in enumerate(model.decoder):
        attention = layer.self_attention
        kernels = np.split(weights[f"h.{i}.attn.c_attn.weight"], 3, axis=1)
        biases = np.split(weights[f"h.{i}.attn.c_attn.bias"], 3)
        for q, kernel, bias in zip("QKV", kernels, biases, strict=True):
            getattr(attention, f"W_{q}").assign(kernel.reshape(d, heads, -1))
            getattr(attention, f"b_{q}").assign(bias.reshape(heads, -1))
        attention.W_O.assign(weights[f"h.{i}.attn.c_proj.weight"].reshape(heads, -1, d))
        attention.b_O.assign(weights[f"h.{i}.attn.c_proj.bias"])
        norm(layer.self_attention_norm, f"h.{i}.ln_1")
        norm(layer.feed_forward_norm, f"h.{i}.ln_2")
        for dense, name in (("inner", "c_fc"), ("outer", "c_proj")):
            dense = getattr(layer.feed_forward, dense)
            dense.kernel.assign(weights[f"h.{i}.mlp.{name}.weight"])
            dense.bias.assign(weights[f"h.{i}.mlp.{name}.bias"])
    if model.final_norm is not None:
        norm(model.final_norm, "ln_f")


@pytest.mark.parametrize(
    ("model_class", "name"), [(GPT2, "GPT2"), (GPT, "OpenAIGPT")], ids=["gpt2", "gpt"]
)
def test_the_weights_of_transformers(transformers: Any, model_class: type, name: str) -> None:
    import torch

    theirs = peer(transformers, name)
    ours = model_class(**TINY)
    ours.build()
    state = {k.removeprefix("transformer."): v.numpy() for k, v in theirs.state_dict().items()}
    give(state, ours, old=name == "OpenAIGPT")
    ids = np.random.default_rng(0).integers(0, 11, (2, 9))
    with torch.no_grad():
        expected = theirs(torch.tensor(ids), output_hidden_states=True, output_attentions=True)
    close(ours(ids), expected.logits)
    close(ours.hidden_states(ids), torch.stack(expected.hidden_states, dim=1))
    close(ours.heads(ids), torch.stack(expected.attentions, dim=1))
    for row in PADDED:  # transformers pads on the left; one prompt after the other needs none
        prompt = row[row >= 0][None]
        said = theirs.generate(
            torch.tensor(prompt, dtype=torch.long),
            attention_mask=torch.ones(prompt.shape, dtype=torch.long),
            max_new_tokens=10,
            do_sample=False,
            pad_token_id=0,
        )
        found = ops.convert_to_numpy(ours.generate(prompt, max_length=10).tokens)[:, 0]
        np.testing.assert_array_equal(found, said[:, prompt.shape[1] :].numpy())


def close(found: Any, expected: Any) -> None:
    expected = expected.detach().numpy()
    scale = np.abs(expected).max()
    np.testing.assert_allclose(keras.ops.convert_to_numpy(found), expected, atol=1e-5 * scale)
