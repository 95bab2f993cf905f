"""BERT and GPT-2 beside the `transformers` package: the same weights, the same states."""

from pathlib import Path

import numpy as np
import pytest
from keras import ops

from kblocks.models import GPT2, BertEncoder

pytestmark = pytest.mark.parity
torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SIZES = {
    "tiny": {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2},
    "MiniLM's": {"hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12},
}


def batch() -> tuple[np.ndarray, np.ndarray]:
    """Pairs of different lengths, padded."""
    rng = np.random.default_rng(0)
    tokens = rng.integers(1, 1000, (3, 40))
    segments = (np.arange(40) >= 15).astype(int) * np.ones((3, 1), int)
    for row, length in enumerate((40, 23, 7)):
        tokens[row, length:] = segments[row, length:] = 0
    return tokens, segments


def check(theirs: "transformers.BertModel", ours: BertEncoder) -> None:
    tokens, segments = batch()
    with torch.no_grad():
        expected = theirs(
            torch.tensor(tokens),
            attention_mask=torch.tensor(tokens != 0),
            token_type_ids=torch.tensor(segments),
            output_hidden_states=True,
        )
    inputs = {"tokens": tokens, "segments": segments}
    states = ops.convert_to_numpy(ours.hidden_states(inputs))
    real = tokens != 0
    assert states.shape[1] == len(expected.hidden_states)
    for i, layer in enumerate(expected.hidden_states):
        np.testing.assert_allclose(states[:, i][real], layer.numpy()[real], atol=1e-4)
    pooled = ops.convert_to_numpy(ours(inputs)["pooled"])
    np.testing.assert_allclose(pooled, expected.pooler_output.numpy(), atol=1e-4)


@pytest.mark.parametrize("size", SIZES)
def test_there_and_back(size: str, tmp_path: Path) -> None:
    config = transformers.BertConfig(
        vocab_size=1000, intermediate_size=4 * SIZES[size]["hidden_size"], **SIZES[size]
    )
    torch.manual_seed(0)
    theirs = transformers.BertModel(config).eval()
    theirs.save_pretrained(tmp_path / "theirs")
    ours = BertEncoder.from_pretrained(tmp_path / "theirs")
    check(theirs, ours)
    ours.save_pretrained(tmp_path / "ours")
    check(transformers.BertModel.from_pretrained(tmp_path / "ours").eval(), ours)


def check_gpt2(theirs: "transformers.GPT2LMHeadModel", ours: GPT2) -> None:
    tokens = np.random.default_rng(0).integers(0, 1000, (2, 20))
    with torch.no_grad():
        expected = theirs(torch.tensor(tokens), output_hidden_states=True)
    np.testing.assert_allclose(
        ops.convert_to_numpy(ours(tokens)), expected.logits.numpy(), atol=1e-4
    )
    states = ops.convert_to_numpy(ours.hidden_states(tokens))
    expected_states = torch.stack(expected.hidden_states, dim=1).numpy()
    np.testing.assert_allclose(states, expected_states, atol=1e-4)


SHAPES_OF_GPT2 = {
    "tiny": {
        **{"vocab_size": 1000, "n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 32},
        **{"bos_token_id": 999, "eos_token_id": 999},
    },
    "124 M": {},
}


@pytest.mark.parametrize(
    "size",
    [pytest.param(s, marks=[pytest.mark.full] if s == "124 M" else []) for s in SHAPES_OF_GPT2],
)
def test_gpt2_there_and_back(size: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = transformers.GPT2Config(**SHAPES_OF_GPT2[size])
    theirs = transformers.GPT2LMHeadModel(config).eval()
    theirs.save_pretrained(tmp_path / "theirs")
    ours = GPT2.from_pretrained(tmp_path / "theirs")
    check_gpt2(theirs, ours)
    ours.save_pretrained(tmp_path / "ours")
    check_gpt2(transformers.GPT2LMHeadModel.from_pretrained(tmp_path / "ours").eval(), ours)
