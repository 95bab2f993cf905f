"""BERT's checkpoints: there and back, and what is wrong with a broken one."""

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras import ops

from kblocks.models import BertEncoder
from tests.models.language.bert_samples import encoder, texts

safetensors = pytest.importorskip("safetensors.numpy")


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    model = encoder(activation="gelu_tanh", dropout=0.2)
    model.build()
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(size=variable.shape, scale=0.3))
    model.save_pretrained(tmp_path / "saved")
    np.save(tmp_path / "sequence.npy", ops.convert_to_numpy(model(texts())["sequence"]))
    return tmp_path / "saved"


def test_there_and_back(saved: Path) -> None:
    model = BertEncoder.from_pretrained(saved)
    found = ops.convert_to_numpy(model(texts())["sequence"])
    np.testing.assert_array_equal(found, np.load(saved.parent / "sequence.npy"))
    assert model.dropout == 0.2
    assert BertEncoder.from_pretrained(saved, dropout=0.0).dropout == 0.0
    assert sorted(path.name for path in saved.parent.iterdir()) == ["saved", "sequence.npy"]
    with pytest.raises(FileExistsError, match="exists"):
        model.save_pretrained(saved)


def test_a_causal_one(saved: Path, tmp_path: Path) -> None:
    model = BertEncoder.from_pretrained(saved, causal=True)
    model.save_pretrained(tmp_path / "causal")
    assert json.loads((tmp_path / "causal" / "config.json").read_text())["is_decoder"] is True
    again = BertEncoder.from_pretrained(tmp_path / "causal")
    assert again.causal
    assert not BertEncoder.from_pretrained(saved).causal
    for name, values in model(texts()).items():
        np.testing.assert_array_equal(*map(ops.convert_to_numpy, (values, again(texts())[name])))


def test_the_matrices_lie_as_pytorch_has_them(saved: Path) -> None:
    """The weights themselves, by the definition of `torch.nn.Linear`: y = x W^T + b."""
    arrays = safetensors.load_file(saved / "model.safetensors")
    attention = BertEncoder.from_pretrained(saved).encoder[0].self_attention
    x = np.random.default_rng(1).normal(size=6)
    prefix = "encoder.layer.0.attention"
    q = arrays[f"{prefix}.self.query.weight"] @ x + arrays[f"{prefix}.self.query.bias"]
    heads = [x @ np.asarray(attention.W_Q)[:, k] + np.asarray(attention.b_Q)[k] for k in range(2)]
    np.testing.assert_allclose(q, np.concatenate(heads), rtol=1e-5)
    joined = np.random.default_rng(2).normal(size=6)
    y = arrays[f"{prefix}.output.dense.weight"] @ joined
    W_O = np.asarray(attention.W_O)
    parts = sum(joined[3 * k : 3 * k + 3] @ W_O[k] for k in range(2))
    np.testing.assert_allclose(y, parts, rtol=1e-5)


def rewritten(saved: Path, change: Callable[[dict[str, np.ndarray]], Any]) -> None:
    path = saved / "model.safetensors"
    arrays = safetensors.load_file(path)
    change(arrays)
    safetensors.save_file(arrays, path)


def configured(saved: Path, **changes: Any) -> None:
    path = saved / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_names_of_larger_and_older_models_are_read(saved: Path) -> None:
    def old(arrays: dict[str, np.ndarray]) -> None:
        for name in list(arrays):
            new = name
            if "LayerNorm" in name:
                new = name.replace("weight", "gamma").replace("bias", "beta")
            arrays[f"bert.{new}"] = arrays.pop(name)
        arrays["cls.predictions.bias"] = np.zeros(9, "float32")

    rewritten(saved, old)
    found = ops.convert_to_numpy(BertEncoder.from_pretrained(saved)(texts())["sequence"])
    np.testing.assert_array_equal(found, np.load(saved.parent / "sequence.npy"))


def test_shards(saved: Path) -> None:
    arrays = safetensors.load_file(saved / "model.safetensors")
    (saved / "model.safetensors").unlink()
    names = sorted(arrays)
    shards = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for shard, members in shards.items():
        safetensors.save_file({name: arrays[name] for name in members}, saved / shard)
    index = {"weight_map": {name: shard for shard, ns in shards.items() for name in ns}}
    path = saved / "model.safetensors.index.json"
    path.write_text(json.dumps(index))
    found = ops.convert_to_numpy(BertEncoder.from_pretrained(saved)(texts())["sequence"])
    np.testing.assert_array_equal(found, np.load(saved.parent / "sequence.npy"))

    (saved / "b.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"b\.safetensors.*is missing"):
        BertEncoder.from_pretrained(saved)
    for outside in ("../a.safetensors", "/tmp/a.safetensors", "a.bin"):
        path.write_text(json.dumps({"weight_map": dict.fromkeys(names, outside)}))
        with pytest.raises(ValueError, match="no safetensors file beside it"):
            BertEncoder.from_pretrained(saved)


def test_what_does_not_fit_is_listed(saved: Path) -> None:
    def change(arrays: dict[str, np.ndarray]) -> None:
        del arrays["pooler.dense.bias"]
        arrays["encoder.layer.7.output.dense.bias"] = np.zeros(6, "float32")
        name = "encoder.layer.1.output.dense.weight"
        arrays[name] = np.ascontiguousarray(arrays[name].T)

    rewritten(saved, change)
    message = (
        r"missing: pooler\.dense\.bias; left over: encoder\.layer\.7\.output\.dense\.bias; "
        r"other shape: encoder\.layer\.1\.output\.dense\.weight \(5, 6\), expected \(6, 5\)"
    )
    with pytest.raises(ValueError, match=message):
        BertEncoder.from_pretrained(saved)


def test_a_config_that_contradicts_the_weights(saved: Path) -> None:
    configured(saved, vocab_size=11, intermediate_size=8)
    with pytest.raises(ValueError, match=r"word_embeddings\.weight \(9, 6\), expected \(11, 6\)"):
        BertEncoder.from_pretrained(saved)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "gpt2"}, "holds a 'gpt2', BertEncoder reads 'bert'"),
        ({"hidden_act": "swish"}, "hidden_act='swish'"),
        ({"position_embedding_type": "relative_key"}, "only 'absolute' is read"),
        ({"num_attention_heads": 4}, "`num_heads` must divide `hidden_dim`, got 4 and 6"),
        ({"hidden_size": "six"}, "`hidden_dim` must be a positive int"),
        ({"is_decoder": "no"}, "is_decoder='no': expected a bool"),
        ({"add_cross_attention": True}, "add_cross_attention=True: only False is read"),
    ],
)
def test_a_config_of_something_else(saved: Path, changes: dict[str, Any], message: str) -> None:
    configured(saved, **changes)
    with pytest.raises(ValueError, match=message):
        BertEncoder.from_pretrained(saved)


def test_broken_files(saved: Path) -> None:
    weights, config = saved / "model.safetensors", saved / "config.json"
    whole = weights.read_bytes()
    length = struct.unpack("<Q", whole[:8])[0]
    for broken in (b"", whole[:5], whole[: length // 2], whole[:-1], b"\xff" * 100):
        weights.write_bytes(broken)
        with pytest.raises(ValueError, match=r"model\.safetensors is broken or cut short"):
            BertEncoder.from_pretrained(saved)
    for text, message in (
        (b"{", ":1: no JSON"),
        (b"[1]", ": expected a JSON object, found list"),
        (b"\xff", ":1: the line is not UTF-8"),
        (b'{"a":' * 100_000, ": its JSON is nested too deeply"),
        (b'{"a":' + b"9" * 10_000 + b"}", ": no JSON that can be read"),
    ):
        config.write_bytes(text)
        with pytest.raises(ValueError, match=rf"config\.json{message}"):
            BertEncoder.from_pretrained(saved)
    config.unlink()
    with pytest.raises(FileNotFoundError, match=r"has no config\.json"):
        BertEncoder.from_pretrained(saved)


def test_a_pickle_is_not_read(saved: Path) -> None:
    (saved / "model.safetensors").rename(saved / "pytorch_model.bin")
    with pytest.raises(FileNotFoundError, match=r"pytorch_model\.bin is a pickle, which is not"):
        BertEncoder.from_pretrained(saved)
    with pytest.raises(FileNotFoundError, match="there is no directory"):
        BertEncoder.from_pretrained(saved / "elsewhere")
