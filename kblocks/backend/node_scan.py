"""The nodes of graphs updated one after another, each from its neighbours as they then are.

One node of every graph at a time, in as many steps as there are nodes: on every backend, and under
XLA. On TensorFlow outside XLA `kblocks.backend.graph_lstm` is far faster.
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from kblocks.backend.scan import scan
from kblocks.backend.take_rows import take_rows

Tensor = Any
Tree = Any
Step = Callable[[Tree, Tensor, Tensor], tuple[Tensor, Tree]]


def node_scan(
    step: Step, states: Tensor, xs: Tree, neighbours: Tensor, present: Tensor, rank: Tensor
) -> tuple[Tensor, Tree]:
    """Update the states of nodes in order: `state, y = step(x, states of neighbours, present)`.

    Args:
        step: A pure function of some nodes' x, each (rows, ...), their neighbours' present states
            (rows, neighbours, features) and which of these there are (rows, neighbours); it returns
            their new states (rows, features) and a nesting of y, each (rows, ...). What it makes of
            one row depends on that row alone.
        states: The states before, (batch, nodes, features).
        xs: A nesting of tensors (batch, nodes, ...).
        neighbours: The nodes that each node reads, int32 (batch, nodes, neighbours), from 0 to
            nodes - 1 also where there is none.
        present: Where there is a neighbour, boolean (batch, nodes, neighbours).
        rank: Each node's place in the order of its graph, int32 (batch, nodes), all different.

    Returns:
        The states after (batch, nodes, features), and the ys, each (batch, nodes, ...).
    """
    # The graphs lie along axis 1 here.
    batch, nodes, _ = ops.shape(states)
    graph = ops.arange(batch, dtype="int32")  # (batch,)
    # Row r of a graph's nodes laid in the order of their updates, (nodes, batch, ...)
    order = ops.transpose(ops.cast(ops.argsort(rank, axis=1), "int32")) + graph * nodes
    place = rank * batch + ops.expand_dims(graph, 1)  # of each node in that layout

    def ordered(x: Tensor) -> Tensor:
        return take_rows(_flat(x), order)

    offset = ops.reshape(graph * nodes, (-1, 1, 1))
    places = take_rows(ops.reshape(place, (-1,)), neighbours + offset)
    laid = ordered(states)
    numbers = ops.arange(ops.shape(laid)[0], dtype="int32")
    steps = {
        "now": numbers,
        "x": keras.tree.map_structure(ordered, xs),
        "places": ordered(places),  # (nodes, batch, neighbours)
        "present": ordered(present),
    }

    def update(states: Tensor, at: Tree) -> tuple[Tensor, Tree]:
        around = take_rows(_flat(states), at["places"])  # (batch, neighbours, features)
        new, y = step(at["x"], around, at["present"])
        return ops.where(
            ops.equal(numbers[:, None, None], at["now"]), ops.expand_dims(new, 0), states
        ), y

    states, ys = scan(update, laid, steps)
    back = keras.tree.map_structure(lambda y: take_rows(_flat(y), place), ys)
    return take_rows(_flat(states), place), back


def _flat(x: Tensor) -> Tensor:
    """The two leading axes as one."""
    shape = ops.shape(x)
    return ops.reshape(x, (shape[0] * shape[1], *shape[2:]))
