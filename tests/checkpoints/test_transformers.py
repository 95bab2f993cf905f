"""BERT beside the `transformers` package: the same weights, the same states at every layer."""

from pathlib import Path

import numpy as np
import pytest
from keras import ops

from kblocks.models import BertEncoder

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
