"""The tree loops: TensorFlow's own held to the plain one, one trace for all shapes, XLA."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from kblocks import layers
from kblocks.backend.tree_links import tree_links
from kblocks.layers.trees import tree_lstm as of_layers
from tests.layers.trees.samples import CHILDREN, MASK, chain, random_trees

tf = pytest.importorskip("tensorflow")
if keras.backend.backend() != "tensorflow":
    pytest.skip("the fast path is TensorFlow's", allow_module_level=True)

FREE = [
    tf.TensorSpec((None, None, 3)),
    tf.TensorSpec((None, None, None), "int32"),
    tf.TensorSpec((None, None), "bool"),
]
KINDS: dict[str, Callable] = {
    "child_sum": lambda **kw: layers.ChildSumTreeLSTM(4, **kw),
    "nary": lambda **kw: layers.NaryTreeLSTM(4, max_children=4, **kw),
    "tied": lambda **kw: layers.NaryTreeLSTM(4, max_children=4, tied_forget=True, **kw),
}
MODES: dict[str, Callable] = {
    "eager": lambda run: run,
    "free": lambda run: tf.function(run, autograph=False, input_signature=FREE),
    "xla": lambda run: tf.function(run, autograph=False, jit_compile=True),
}


def _made(kind: str, **arguments: Any) -> keras.layers.Layer:
    layer = KINDS[kind](bias_initializer="random_normal", return_state=True, **arguments)
    layer.build((None, None, 3))
    return layer


def _step(layer: keras.layers.Layer) -> Callable:
    def run(x: Any, children: Any, mask: Any) -> list:
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = layer(x, children=children, mask=mask)
            waves = [tf.sin(tf.cast(tf.range(tf.size(o)), o.dtype)) for o in outputs]
            pairs = zip(outputs, waves, strict=True)
            total = sum(tf.reduce_sum(tf.reshape(o, [-1]) * w) for o, w in pairs)
        sources = [x, *(v.value for v in layer.trainable_variables)]
        return [*outputs, *tape.gradient(total, sources)]

    return run


def _batches() -> list[tuple]:
    rng = np.random.default_rng(2)
    trees = [(CHILDREN, MASK), (CHILDREN, np.zeros_like(MASK)), (chain(9), np.ones((2, 9), "bool"))]
    trees += [random_trees(rng, batch, nodes, 3) for batch, nodes in ((1, 1), (3, 12), (6, 5))]
    return [
        (
            tf.constant(rng.normal(size=(*mask.shape, 3)), "float32"),
            tf.constant(children, "int32"),
            tf.constant(mask),
        )
        for children, mask in trees
    ]


@pytest.mark.slow
@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_the_fast_path_equals_the_plain_one(
    monkeypatch: pytest.MonkeyPatch, kind: str, use_bias: bool
) -> None:
    layer = _made(kind, use_bias=use_bias)
    free = MODES["free"](_step(layer))
    for batch in _batches():
        found = {"eager": _step(layer)(*batch), "free": free(*batch)}
        with monkeypatch.context() as patch:
            patch.setattr(of_layers, "tree_lstm_is_available", lambda: False)
            expected = _step(layer)(*batch)
        for mode, values in found.items():
            for a, b in zip(values, expected, strict=True):
                np.testing.assert_allclose(a, b, atol=1e-5, err_msg=mode)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_plain_path_in_graphs_and_under_xla(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    layer = _made(kind)
    batches = [_batches()[k] for k in (0, 4)]
    expected = [_step(layer)(*batch) for batch in batches]
    for mode in ("free", "xla"):
        with monkeypatch.context() as patch:
            if mode == "free":
                patch.setattr(of_layers, "tree_lstm_is_available", lambda: False)
            run = MODES[mode](_step(layer))
            for batch, true in zip(batches, expected, strict=True):
                for a, b in zip(run(*batch), true, strict=True):
                    np.testing.assert_allclose(a, b, atol=1e-5, err_msg=mode)


def test_one_trace_serves_all_shapes() -> None:
    layer, traces = _made("nary"), []
    step = _step(layer)

    def counted(*batch: Any) -> list:
        traces.append(1)
        return step(*batch)

    run = MODES["free"](counted)
    shapes = [run(*batch)[0].shape for batch in _batches()]
    assert len(set(shapes)) == 5
    assert len(traces) == 1


@pytest.mark.parametrize("kind", ["child_sum", "nary"])
def test_deep_trees_have_gradients(kind: str) -> None:
    layer = _made(kind)
    x = tf.random.normal((2, 500, 3), seed=1)
    batch = (x, tf.constant(chain(500), "int32"), tf.ones((2, 500), "bool"))
    for value in MODES["free"](_step(layer))(*batch):
        assert np.isfinite(value).all()


def test_a_second_derivative_is_refused_not_wrong() -> None:
    layer = layers.ChildSumTreeLSTM(4)
    x = tf.ones((1, 2, 3))
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = layer(x, children=chain(2, 1))
        slope = inner.gradient(y, x)
    with pytest.raises(LookupError, match="can be differentiated once"):
        outer.gradient(slope, x)


def test_links_of_what_is_no_tree_are_defined() -> None:
    """What hangs on a cycle is no node, the last of two parents holds."""
    children = np.array([[[1, 2], [0, -1], [-1, -1], [4, 9], [-1, -7], [4, -1]]], "int32")
    parent, slot, depth = tree_links(tf.constant(children), tf.ones((1, 6), "bool"))
    assert depth.numpy().tolist() == [-1, -1, -1, 0, 1, 0]
    assert parent.numpy().tolist()[3:] == [6, 5, 6]
    assert slot.numpy().tolist()[:3] == [0, 0, 1]


def test_in_a_graph_a_cycle_gives_zeros() -> None:
    layer = layers.ChildSumTreeLSTM(4)
    children = tf.constant([[[1], [0], [-1]]])
    h = tf.function(lambda x, c: layer(x, children=c))(tf.ones((1, 3, 3)), children)
    assert (np.abs(h).max(-1) > 0).tolist() == [[False, False, True]]


def test_in_a_graph_slots_without_weights_are_left_out() -> None:
    layer = layers.NaryTreeLSTM(4, max_children=2)
    children = tf.constant([[[-1, -1, -1], [-1, -1, -1], [-1, -1, -1], [0, -1, 2]]])
    run = tf.function(
        lambda c: layer(tf.ones((1, 4, 3)), children=c),
        input_signature=[tf.TensorSpec((None, None, None), "int32")],
    )
    expected = layer(tf.ones((1, 4, 3)), children=children[..., :2])
    np.testing.assert_allclose(run(children), expected, atol=1e-6)
