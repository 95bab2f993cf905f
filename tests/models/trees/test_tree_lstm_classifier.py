"""The tree classifier against its equations, its vectors, its loss, and what it learns."""

import keras
import numpy as np
import pytest
from keras import ops

from kblocks.models import TreeLSTMClassifier
from kblocks.training import LabelledAccuracy, LabelledCrossentropy
from tests.contract import NUMBERS_ONLY, check_layer
from tests.models.trees.samples import SIZES, words
from tests.reference import trees as reference

NOT_OF_MODELS = {
    "shapes": "Keras traces a model's shapes; the saved files have them free",
    "policies": "logits are float32 in mixed policies: tested below",
}


def test_contract() -> None:
    good = words()
    good["nodes"] = good["nodes"].astype("int32")
    check_layer(
        TreeLSTMClassifier,
        {**SIZES, "max_children": 3, "dropout": 0.0},
        {"inputs": good},
        reference.tree_lstm_classifier,
        bad_inputs=[
            ({"inputs": {**good, "words": good["words"][0]}}, "words"),
            ({"inputs": {**good, "nodes": good["nodes"][..., None]}}, "nodes"),
            ({"inputs": {**good, "children": good["children"][..., 0]}}, "children"),
            ({"inputs": {"words": good["words"], "nodes": good["nodes"]}}, "children"),
        ],
        bad_arguments=[{"kind": "graph"}],
        skip=NOT_OF_MODELS,
    )


@pytest.mark.parametrize("changes", [{"kind": "child_sum"}, {"tied_forget": True}], ids=str)
def test_other_kinds(changes: dict) -> None:
    check_layer(
        TreeLSTMClassifier,
        {**SIZES, "max_children": 3, **changes},
        {"inputs": words()},
        reference.tree_lstm_classifier,
        skip=NUMBERS_ONLY,
    )


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_logits_are_float32_or_wider(policy: str) -> None:
    model = TreeLSTMClassifier(**SIZES, max_children=3, dtype=policy)
    dtype = keras.backend.standardize_dtype(model(words()).dtype)
    assert dtype == ("float64" if policy == "float64" else "float32")


@pytest.mark.slow
def test_word_vectors_fixed_or_tuned() -> None:
    vectors = np.random.default_rng(0).normal(size=(8, 5)).astype("float32")
    for tuned in (False, True):
        model = TreeLSTMClassifier(**SIZES, max_children=3, embeddings_trainable=tuned)
        model.set_word_vectors(vectors)
        before = ops.convert_to_numpy(model.word_embedding.embeddings)
        np.testing.assert_array_equal(before, vectors)
        model.compile(keras.optimizers.SGD(1.0), LabelledCrossentropy())
        model.fit(words(), np.where(words()["nodes"], 1, -1), verbose=0)
        after = ops.convert_to_numpy(model.word_embedding.embeddings)
        assert np.array_equal(after, vectors) != tuned
        np.testing.assert_array_equal(after[0], vectors[0])  # of no word
    with pytest.raises(ValueError, match=r"`vectors` must have shape \(8, 5\), got \(5, 8\)"):
        model.set_word_vectors(vectors.T)


@pytest.mark.slow
def test_it_learns_what_only_the_shape_of_the_tree_says() -> None:
    """(a b) c or a (b c) of the same words: the label is the side of the inner pair."""
    rng = np.random.default_rng(0)
    left, right = [[-1, -1]] * 3 + [[0, 1], [3, 2]], [[-1, -1]] * 3 + [[1, 2], [0, 3]]
    side = rng.integers(2, size=64)
    inputs = {
        "words": np.pad(rng.integers(1, 6, size=(64, 3)), [(0, 0), (0, 2)]),
        "children": np.array([left, right])[side],
        "nodes": np.ones((64, 5), "bool"),
    }
    labels = np.full((64, 5), -1)
    labels[:, 4] = side
    keras.utils.set_random_seed(3)
    model = TreeLSTMClassifier(6, 2, units=16, embedding=8, dropout=0.1)
    metrics = [LabelledAccuracy("root")]
    model.compile(keras.optimizers.Adam(0.02), LabelledCrossentropy(), metrics=metrics)
    model.fit(inputs, labels, batch_size=32, epochs=25, verbose=0)
    assert model.evaluate(inputs, labels, verbose=0, return_dict=True)["accuracy"] == 1.0
