"""The Graph LSTM wave by wave, held to the plain path node by node; one trace for all shapes."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from kblocks.layers import GraphLSTM
from kblocks.layers.graphs import graph_lstm as of_layers
from tests.layers.graphs.samples import random_graphs

pytestmark = pytest.mark.slow

tf = pytest.importorskip("tensorflow")
if keras.backend.backend() != "tensorflow":
    pytest.skip("the fast path is TensorFlow's", allow_module_level=True)

FREE = [
    tf.TensorSpec((None, None, 3), "float64"),
    tf.TensorSpec((None, None, None), "int32"),
    tf.TensorSpec((None, None), "float64"),
    tf.TensorSpec((None, None), "bool"),
    *[tf.TensorSpec((None, None, 4), "float64")] * 2,
]


def _made(**arguments: Any) -> GraphLSTM:
    layer = GraphLSTM(
        4, return_state=True, bias_initializer="random_normal", dtype="float64", **arguments
    )
    layer.build((None, None, 3))
    return layer


def _step(layer: GraphLSTM, from_states: bool) -> Callable:
    """Outputs, and the gradients of all that has one."""

    def run(x: Any, neighbours: Any, confidence: Any, mask: Any, h: Any, m: Any) -> list:
        sources = [x, *([h, m] if from_states else [])]
        with tf.GradientTape() as tape:
            tape.watch(sources)
            outputs = layer(
                x,
                neighbours=neighbours,
                confidence=confidence,
                initial_state=[h, m] if from_states else None,
                mask=mask,
            )
            outputs = tf.nest.flatten(outputs)
            waves = [tf.sin(tf.cast(tf.range(tf.size(y)), y.dtype)) for y in outputs]
            pairs = zip(outputs, waves, strict=True)
            total = sum(tf.reduce_sum(tf.reshape(y, [-1]) * wave) for y, wave in pairs)
        sources += [v.value for v in layer.trainable_variables]
        return [*outputs, *tape.gradient(total, sources)]

    return run


def _batches() -> list[tuple]:
    """Graphs with and without padding; some edges go one way only, and some lists have holes."""
    rng, batches = np.random.default_rng(1), []
    for nodes, edges, kept, padding in (
        (1, 1, 0, 0),
        (7, 9, 1, 0),
        (6, 9, 0.8, 0.3),
        (30, 60, 0.8, 0.1),
    ):
        neighbours = random_graphs(3, nodes, edges) if nodes > 1 else np.full((3, 1, 2), -1)
        neighbours = np.where(rng.uniform(size=neighbours.shape) < kept, neighbours, -1)
        x, confidence = rng.normal(size=(3, nodes, 3)), rng.normal(size=(3, nodes))
        mask = rng.uniform(size=(3, nodes)) >= padding
        states = rng.normal(size=(2, 3, nodes, 4))
        arrays = (x, neighbours.astype("int32"), confidence, mask, *states)
        batches.append(tuple(map(tf.constant, arrays)))
    return batches


@pytest.mark.parametrize("return_gates", [False, True])
@pytest.mark.parametrize("from_states", [False, True])
@pytest.mark.parametrize("neighbour_gate", ["updated", "previous"])
def test_the_fast_path_equals_the_plain_one(
    monkeypatch: pytest.MonkeyPatch, neighbour_gate: str, from_states: bool, return_gates: bool
) -> None:
    layer = _made(neighbour_gate=neighbour_gate, return_gates=return_gates)
    run = _step(layer, from_states)
    free = tf.function(run, autograph=False, input_signature=FREE)
    for batch in _batches():
        fast = {"eager": run(*batch), "free": free(*batch)}
        with monkeypatch.context() as patch:
            patch.setattr(of_layers, "graph_lstm_is_available", lambda: False)
            plain = run(*batch)
        for mode, found in fast.items():
            for a, b in zip(found, plain, strict=True):
                if a is None or b is None:  # of U h, where the states begin at zero
                    assert not np.any(0 if b is None else b), mode
                    assert not np.any(0 if a is None else a), mode
                else:
                    np.testing.assert_allclose(a, b, atol=1e-9, err_msg=mode)
    assert free.experimental_get_tracing_count() == 1


def test_xla_takes_the_plain_path() -> None:
    layer, batch = _made(), _batches()[1]
    run = _step(layer, from_states=True)
    compiled = tf.function(run, autograph=False, jit_compile=True)
    for a, b in zip(compiled(*batch), run(*batch), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-9)


def test_a_second_derivative_is_refused() -> None:
    layer, (x, neighbours, *_) = _made(), _batches()[1]
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            h, *_ = layer(x, neighbours=neighbours)
        slope = inner.gradient(h, x)
    with pytest.raises(LookupError, match="can be differentiated once"):
        outer.gradient(slope, x)
