"""Each score learns to reverse a short sequence, and looks where it must.

One query per target position: a learned embedding of that position. The keys hold the tokens'
embeddings plus the source positions', the values the tokens as one-hot vectors: what is predicted
is right as far as the attention is, and no further layer can make up for it.
"""

import keras
import numpy as np
import pytest

from kblocks.layers import Attention

LENGTH, VOCABULARY, FEATURES = 6, 12, 24


def _model(score: str) -> keras.Model:
    tokens = keras.Input((LENGTH,), dtype="int32")
    positions = keras.Input((LENGTH,), dtype="int32")
    key = keras.layers.Embedding(VOCABULARY, FEATURES)(tokens)
    key += keras.layers.Embedding(LENGTH, FEATURES)(positions)
    query = keras.layers.Embedding(LENGTH, FEATURES)(positions)
    value = keras.ops.one_hot(tokens, VOCABULARY)
    probabilities, weights = Attention(score, max_length=LENGTH)(
        query, value=value, key=None if score == "location" else key, return_attention_scores=True
    )
    return keras.Model([tokens, positions], [probabilities, weights])


@pytest.mark.slow
@pytest.mark.parametrize(
    "score", ["additive", "content", "dot", "general", "location", "scaled_dot"]
)
def test_reverses_a_sequence(score: str) -> None:
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, VOCABULARY, (6400, LENGTH))
    positions = np.broadcast_to(np.arange(LENGTH), tokens.shape)
    model = _model(score)
    model.compile(keras.optimizers.Adam(0.02), loss=["sparse_categorical_crossentropy", None])
    model.fit([tokens, positions], tokens[:, ::-1], batch_size=64, epochs=3, verbose=0)

    unseen = rng.integers(0, VOCABULARY, (200, LENGTH))
    probabilities, weights = model.predict([unseen, positions[:200]], verbose=0)
    assert np.mean(probabilities.argmax(-1) == unseen[:, ::-1]) > 0.99
    mass = weights[:, np.arange(LENGTH), np.arange(LENGTH)[::-1]]  # (batch, target)
    assert mass.min() > 0.9
