"""GPT-2's checkpoints: there and back, the joined matrix, and configs of something else."""

import json
from pathlib import Path

import numpy as np
import pytest
from keras import ops

from kblocks.models import GPT2
from tests.models.language.gpt_samples import PADDED, made

safetensors = pytest.importorskip("safetensors.numpy")


@pytest.fixture(scope="module")
def model() -> GPT2:
    return made(GPT2, end_token=8)


@pytest.fixture
def saved(model: GPT2, tmp_path: Path) -> Path:
    model.save_pretrained(tmp_path / "saved")
    return tmp_path / "saved"


def test_there_and_back(model: GPT2, saved: Path) -> None:
    found = GPT2.from_pretrained(saved)
    np.testing.assert_array_equal(
        ops.convert_to_numpy(found(PADDED)), ops.convert_to_numpy(model(PADDED))
    )
    assert found.end_token == 8
    assert found.intermediate_dim == model.intermediate_dim


def test_queries_keys_and_values_stand_side_by_side(model: GPT2, saved: Path) -> None:
    arrays = safetensors.load_file(saved / "model.safetensors")
    attention = model.decoder[1].self_attention
    joined = arrays["h.1.attn.c_attn.weight"]
    assert joined.shape == (6, 18)
    for i, W in enumerate((attention.W_Q, attention.W_K, attention.W_V)):
        by_head = np.asarray(W)  # (features, heads, size)
        np.testing.assert_array_equal(joined[:, 6 * i : 6 * i + 3], by_head[:, 0])
        np.testing.assert_array_equal(joined[:, 6 * i + 3 : 6 * i + 6], by_head[:, 1])
    assert arrays["h.0.mlp.c_fc.weight"].shape == (6, 5)  # (in, out)


def test_what_hugging_face_adds_is_left_aside(saved: Path, model: GPT2) -> None:
    path = saved / "model.safetensors"
    arrays = {f"transformer.{k}": v for k, v in safetensors.load_file(path).items()}
    arrays |= {"lm_head.weight": arrays["transformer.wte.weight"].copy()}
    arrays |= {"transformer.h.0.attn.bias": np.ones((1, 1, 7, 7), "float32")}
    safetensors.save_file(arrays, path)
    np.testing.assert_array_equal(
        ops.convert_to_numpy(GPT2.from_pretrained(saved)(PADDED)),
        ops.convert_to_numpy(model(PADDED)),
    )
    arrays["transformer.h.1.attn.c_attn.weight"] = np.zeros((6, 17), "float32")
    arrays["transformer.h.9.ln_1.bias"] = np.zeros(6, "float32")
    safetensors.save_file(arrays, path)
    message = (
        r"left over: h\.9\.ln_1\.bias; other shape: h\.1\.attn\.c_attn\.weight\.query \(6, 17\)"
    )
    with pytest.raises(ValueError, match=message):
        GPT2.from_pretrained(saved)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "bert"}, "holds a 'bert', GPT2 reads 'gpt2'"),
        ({"activation_function": "relu"}, "activation_function='relu'"),
        ({"scale_attn_by_inverse_layer_idx": True}, "only False is read"),
        ({"n_embd": 8}, r"wte\.weight \(9, 6\), expected \(9, 8\)"),
    ],
)
def test_a_config_of_something_else(saved: Path, changes: dict, message: str) -> None:
    path = saved / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(ValueError, match=message):
        GPT2.from_pretrained(saved)
