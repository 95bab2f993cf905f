"""The segmenter with Graph LSTM layers, and the same network without them."""

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from kblocks.models import GraphLSTMSegmenter
from tests.contract import NUMBERS_ONLY, check_layer
from tests.reference import graphs as reference

SMALL = {"num_classes": 3, "units": 8, "blocks": 1, "graph_layers": 2}
NOT_OF_MODELS = {
    "shapes": "Keras traces a model's shapes; the saved files have them free",
    "policies": "logits are float32 in mixed policies: see below",
}


def images() -> dict[str, np.ndarray]:
    """Two images of 10 x 13, of four superpixels and of three with one for padding."""
    rng = np.random.default_rng(2)
    squares = (np.arange(10)[:, None] // 6) * 2 + np.arange(13) // 7
    stripes = np.broadcast_to(np.arange(13) // 5, (10, 13))
    square = [[1, 2, -1], [0, 3, -1], [0, 3, -1], [1, 2, -1]]
    stripe = [[1, -1, -1], [0, 2, -1], [1, -1, -1], [-1, -1, -1]]
    return {  # by the alphabet, as trees of tensors are flattened
        "image": rng.uniform(0, 255, (2, 10, 13, 3)).astype("float32"),
        "neighbours": np.array([square, stripe], "int32"),
        "superpixels": np.stack([squares, stripes]).astype("int32"),
    }


def changed(**changes: np.ndarray) -> tuple[dict[str, Any], str]:
    (name,) = changes
    return {"inputs": {**images(), **changes}}, name


@pytest.mark.slow
def test_contract() -> None:
    good = images()
    check_layer(
        GraphLSTMSegmenter,
        SMALL,
        {"inputs": good},
        reference.graph_lstm_segmenter,
        zero_gradients={"recurrences/0/recurrent_kernel": "the first states are zero"},
        bad_inputs=[
            changed(image=good["image"][..., :1]),
            changed(image=good["image"][0]),
            changed(superpixels=good["superpixels"][:, 1:]),
            changed(superpixels=good["superpixels"] + 2),
            changed(neighbours=good["neighbours"][0]),
            changed(neighbours=good["neighbours"] + 1),
        ],
        bad_arguments=[{"units": 12}, {"num_classes": 2.5}],
        skip=NOT_OF_MODELS,
    )


@pytest.mark.slow
def test_without_the_graph() -> None:
    check_layer(
        GraphLSTMSegmenter,
        {**SMALL, "graph": False},
        {"inputs": images()},
        reference.graph_lstm_segmenter,
        skip=NUMBERS_ONLY,
    )


@pytest.mark.parametrize("units", [8, 64])
def test_both_networks_have_equal_parameters(units: int) -> None:
    counts = []
    for graph in (True, False):
        model = GraphLSTMSegmenter(11, units=units, graph_layers=3, graph=graph)
        model.build()
        counts.append(model.count_params())
    assert counts[0] == counts[1]


@pytest.mark.parametrize("size", [(1, 1), (4, 8), (7, 3)])
@pytest.mark.parametrize("graph", [True, False, None])
def test_images_of_any_size(size: tuple[int, int], graph: bool | None) -> None:
    model = GraphLSTMSegmenter(**SMALL, graph=graph)
    inputs = {
        "image": np.full((2, *size, 3), 9, "uint8"),
        "superpixels": np.zeros((2, *size), "int32"),
        "neighbours": np.full((2, 1, 1), -1),
    }
    for output in model(inputs).values():
        assert tuple(output.shape) == (2, *size, 3)
        assert np.isfinite(ops.convert_to_numpy(output)).all()


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_logits_are_wide_in_every_policy(policy: str) -> None:
    model, wide = GraphLSTMSegmenter(**SMALL, dtype=policy), GraphLSTMSegmenter(**SMALL)
    model.build()
    wide.build()
    model.set_weights(wide.get_weights())
    outputs, expected = model(images()), wide(images())
    for name, output in outputs.items():
        dtype = "float64" if policy == "float64" else "float32"
        assert keras.backend.standardize_dtype(output.dtype) == dtype
        np.testing.assert_allclose(
            ops.convert_to_numpy(output), ops.convert_to_numpy(expected[name]), atol=0.15
        )
