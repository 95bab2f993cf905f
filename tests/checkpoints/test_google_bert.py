"""Google's checkpoints of BERT: by its program's names, (in, out), with an optimizer's state."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from kblocks.models import BertEncoder
from tests.models.language.bert_samples import texts
from tests.reference import bert as reference

WIDTH, INNER = 6, 5  # of the states, and within the feed-forward networks
CONFIG = {
    "vocab_size": 9,
    "num_hidden_layers": 2,
    "hidden_size": WIDTH,
    "num_attention_heads": 2,
    "intermediate_size": INNER,
    "max_position_embeddings": 7,
    "type_vocab_size": 2,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
    "hidden_act": "gelu",
}


def arrays() -> dict[str, np.ndarray]:
    """As `bert/modeling.py` names and shapes its variables."""
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings/word_embeddings": (9, WIDTH),
        "embeddings/position_embeddings": (7, WIDTH),
        "embeddings/token_type_embeddings": (2, WIDTH),
    }
    norms, dense = ["embeddings/LayerNorm"], {"pooler/dense": (WIDTH, WIDTH)}
    for i in range(2):
        layer = f"encoder/layer_{i}"
        for part in ("self/query", "self/key", "self/value", "output/dense"):
            dense[f"{layer}/attention/{part}"] = (WIDTH, WIDTH)
        dense[f"{layer}/intermediate/dense"] = (WIDTH, INNER)
        dense[f"{layer}/output/dense"] = (INNER, WIDTH)
        norms += [f"{layer}/attention/output/LayerNorm", f"{layer}/output/LayerNorm"]
    for name, shape in dense.items():
        shapes |= {f"{name}/kernel": shape, f"{name}/bias": shape[1:]}
    for name in norms:
        shapes |= {f"{name}/gamma": (WIDTH,), f"{name}/beta": (WIDTH,)}
    rng = np.random.default_rng(0)
    return {f"bert/{name}": rng.normal(size=shape, scale=0.5) for name, shape in shapes.items()}


def write(directory: Path, values: dict[str, np.ndarray]) -> None:
    (directory / "bert_config.json").write_text(json.dumps(CONFIG))
    values = {name: value.astype("float32") for name, value in values.items()}
    tf.raw_ops.SaveV2(
        prefix=str(directory / "bert_model.ckpt"),
        tensor_names=list(values),
        shape_and_slices=[""] * len(values),
        tensors=[tf.constant(value) for value in values.values()],
    )


def as_the_reference_has_them(values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """By the paths of `tests.reference.bert`, the heads apart."""
    values = {name.removeprefix("bert/"): value for name, value in values.items()}
    found = {
        "token_embedding/embeddings": values["embeddings/word_embeddings"],
        "position_embedding/embeddings": values["embeddings/position_embeddings"],
        "segment_embedding/embeddings": values["embeddings/token_type_embeddings"],
    }
    norms = {"embedding_norm": "embeddings/LayerNorm"}
    dense = {"pooler": "pooler/dense"}
    for i in range(2):
        theirs, ours = f"encoder/layer_{i}", f"encoder/{i}"
        for letter, part in zip("QKV", ("query", "key", "value"), strict=True):
            name = f"{theirs}/attention/self/{part}"
            found[f"{ours}/self_attention/W_{letter}"] = values[f"{name}/kernel"].reshape(
                WIDTH, 2, 3
            )
            found[f"{ours}/self_attention/b_{letter}"] = values[f"{name}/bias"].reshape(2, 3)
        name = f"{theirs}/attention/output/dense"
        found[f"{ours}/self_attention/W_O"] = values[f"{name}/kernel"].reshape(2, 3, WIDTH)
        found[f"{ours}/self_attention/b_O"] = values[f"{name}/bias"]
        norms[f"{ours}/self_attention_norm"] = f"{theirs}/attention/output/LayerNorm"
        norms[f"{ours}/feed_forward_norm"] = f"{theirs}/output/LayerNorm"
        dense[f"{ours}/feed_forward/inner"] = f"{theirs}/intermediate/dense"
        dense[f"{ours}/feed_forward/outer"] = f"{theirs}/output/dense"
    for names, parts in ((norms, ("gamma", "beta")), (dense, ("kernel", "bias"))):
        for our_name, name in names.items():
            found |= {f"{our_name}/{part}": values[f"{name}/{part}"] for part in parts}
    return found


def test_it_computes_what_its_weights_say(tmp_path: Path) -> None:
    values = arrays()
    rest = {
        "bert/pooler/dense/kernel/adam_m": np.zeros((WIDTH, WIDTH)),
        "cls/predictions/output_bias": np.zeros(9),
        "global_step": np.zeros(()),
    }
    write(tmp_path, values | rest)
    found = BertEncoder.from_pretrained(tmp_path)(texts())
    weights = as_the_reference_has_them(values)
    expected = reference.bert_encoder(weights, {"inputs": texts()})
    for name, value in expected.items():
        np.testing.assert_allclose(ops.convert_to_numpy(found[name]), value, atol=1e-5)


def test_what_is_wrong_with_it(tmp_path: Path) -> None:
    values = arrays()
    del values["bert/pooler/dense/bias"]
    write(tmp_path, values)
    with pytest.raises(ValueError, match=r"missing: pooler\.dense\.bias"):
        BertEncoder.from_pretrained(tmp_path)
    data = tmp_path / "bert_model.ckpt.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:100])
    with pytest.raises(ValueError, match="is broken"):
        BertEncoder.from_pretrained(tmp_path, pooler=False)
    index = tmp_path / "bert_model.ckpt.index"
    (tmp_path / "other.index").write_bytes(index.read_bytes())
    with pytest.raises(ValueError, match="several checkpoints"):
        BertEncoder.from_pretrained(tmp_path)
    (tmp_path / "other.index").unlink()
    index.unlink()
    with pytest.raises(FileNotFoundError, match="no checkpoint"):
        BertEncoder.from_pretrained(tmp_path)
