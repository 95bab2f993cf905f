"""The Graph LSTM of Liang, Shen, Feng, Lin and Yan (2016), arXiv:1603.07063, sections 3.2 and 3.3.

The nodes of a graph are updated one after another, by falling confidence. q_j says whether node j
was visited before node i; f_i are the inputs of node i, h_i and m_i its hidden and memory state
before this layer, h'_i and m'_i after it; N(i) are its neighbours, and with

    h*_j = h'_j where q_j, else h_j                  m*_j likewise

    hbar_i = sum_j h*_j / |N(i)|                                                      (equation 1)
    gu_i  = sigmoid(Wu f_i + Uu h_i + Uun hbar_i + bu)          the input gate        (equation 2)
    gf_ij = sigmoid(Wf f_i + Ufn h*_j + bf)                     a forget gate for each neighbour
    gf_i  = sigmoid(Wf f_i + Uf h_i + bf)                       the node's own forget gate
    go_i  = sigmoid(Wo f_i + Uo h_i + Uon hbar_i + bo)          the output gate
    gc_i  = tanh(Wc f_i + Uc h_i + Ucn hbar_i + bc)             the candidate
    m'_i  = sum_j gf_ij * m*_j / |N(i)| + gf_i * m_i + gu_i * gc_i
    h'_i  = tanh(go_i * m'_i)

As in the paper the output gate stands inside of the tanh, where an LSTM has go_i * tanh(m'_i), and
Wf and bf serve both forget gates. The paper writes h_j in gf_ij, the state before the layer, though
the gate acts on m*_j; with states that begin at zero its gates then are equal for all neighbours.
`neighbour_gate="previous"` takes that to the letter. The sums over no neighbours are zero.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
from keras import ops

from kblocks.backend import node_scan, take_rows
from kblocks.backend.graph_lstm import graph_lstm, graph_lstm_is_available
from kblocks.layers.attention.by_rows import by_rows
from kblocks.layers.graphs.checks import check_shapes, check_values

Tensor = Any
Tree = Any


class GraphLSTMGates(NamedTuple):
    """What the gates of a Graph LSTM let through, and the candidate.

    Each is (batch, nodes, units), but `neighbour_forget`, (batch, nodes, neighbours, units).
    """

    input: Any
    neighbour_forget: Any
    forget: Any
    candidate: Any
    output: Any


@keras.saving.register_keras_serializable("kblocks")
class GraphLSTM(keras.layers.Layer):
    """An LSTM over the nodes of graphs, with a forget gate for each neighbour.

    Masking: a masked node is padding. It is nobody's neighbour, and its states and gates are zero;
    the mask of the inputs goes on. The graphs of a batch differ in nodes by such padding.

    An edge has a direction: a node reads from the nodes that its row of `neighbours` names. Where
    these do not name it in turn, it is no mistake; the paper's graphs are symmetric.

    Args:
        units: The size of the hidden and the memory state.
        neighbour_gate: Which hidden state of a neighbour its forget gate reads: `"updated"`, the
            new one where the neighbour was visited before, or always the `"previous"` one.
        return_state: Whether hidden and memory state come back as well, for the next layer.
        return_gates: Whether the gates come back as well; the output is the same.
        use_bias: Whether the gates have biases.
        unit_forget_bias: Whether the bias of the forget gates begins at 1.
        kernel_initializer: Of W.
        recurrent_initializer: Of U, the node's own and the neighbours'.
        bias_initializer: Of the biases.

    Call arguments:
        inputs: Floats (batch, nodes, features).
        neighbours: Integers (batch, nodes, neighbours): the nodes that each node reads, each once,
            in any order; -1 for none.
        confidence: Floats (batch, nodes). Nodes are updated from the highest to the lowest, of
            equals the first first; no gradient goes through the order. Without it the order is
            that of the nodes.
        initial_state: The list of the hidden and the memory state before, each (batch, nodes,
            units), such as the layer below returned them; zeros if absent.
        mask: Boolean (batch, nodes), true where there is a node.

    Returns:
        The hidden states (batch, nodes, units); with `return_state=True` followed by the hidden and
        the memory state; with `return_gates=True` followed by
        `GraphLSTMGates(input, neighbour_forget, forget, candidate, output)`.

    Raises:
        ValueError: An argument or an input does not fit the above. That a neighbour is out of
            range, the node itself or named twice, and that a confidence is NaN, is found in eager
            calls alone.

    Example:

    >>> import numpy as np
    >>> import kblocks
    >>> triangle_and_edge = [[[1, 2], [0, 2], [0, 1]], [[1, -1], [0, -1], [-1, -1]]]
    >>> layer = kblocks.layers.GraphLSTM(4)
    >>> nodes = np.ones((2, 3, 5), "float32")
    >>> states = layer(nodes, neighbours=np.array(triangle_and_edge))
    >>> tuple(states.shape)
    (2, 3, 4)

    References:
        Liang, Shen, Feng, Lin and Yan (2016), "Semantic Object Parsing with Graph LSTM",
        arXiv:1603.07063, equations 1 and 2.
    """

    def __init__(
        self,
        units: int,
        neighbour_gate: str = "updated",
        return_state: bool = False,
        return_gates: bool = False,
        use_bias: bool = True,
        unit_forget_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        **kwargs: Any,
    ) -> None:
        # Confidences keep their precision: halves would tie where floats do not.
        super().__init__(autocast=False, **kwargs)
        if isinstance(units, bool) or not isinstance(units, int) or units <= 0:
            raise ValueError(f"`units` must be a positive integer, got {units!r}.")
        if neighbour_gate not in ("updated", "previous"):
            raise ValueError(
                f"`neighbour_gate` must be 'updated' or 'previous', got {neighbour_gate!r}."
            )
        self.units = units
        self.neighbour_gate = neighbour_gate
        self.return_state = return_state
        self.return_gates = return_gates
        self.use_bias = use_bias
        self.unit_forget_bias = unit_forget_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.recurrent_initializer = keras.initializers.get(recurrent_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.supports_masking = True
        self._features: int | None = None

    def build(self, inputs_shape: tuple[int | None, ...]) -> None:
        """Create the weights for inputs of (batch, nodes, features).

        The gates lie side by side: input, candidate, output, forget.
        """
        if len(inputs_shape) != 3 or inputs_shape[2] is None:
            raise ValueError(
                f"`inputs` must have shape (batch, nodes, features), got {tuple(inputs_shape)}."
            )
        self._features = inputs_shape[2]
        units = self.units
        self.kernel = self.add_weight(
            shape=(self._features, 4 * units), name="kernel", initializer=self.kernel_initializer
        )
        self.recurrent_kernel = self.add_weight(
            shape=(units, 4 * units),
            name="recurrent_kernel",
            initializer=self.recurrent_initializer,
        )
        self.neighbour_kernel = self.add_weight(
            shape=(units, 4 * units),
            name="neighbour_kernel",
            # Another draw: one initializer draws the same each time.
            initializer=self.recurrent_initializer.clone(),
        )
        if self.use_bias:
            self.bias = self.add_weight(
                shape=(4 * units,), name="bias", initializer=self._initial_bias
            )

    def _initial_bias(self, shape: tuple[int], dtype: Any = None) -> Tensor:
        bias = self.bias_initializer(shape, dtype=dtype)
        if not self.unit_forget_bias:
            return bias
        return ops.concatenate([bias[: 3 * self.units], ops.ones((self.units,), dtype)])

    def call(
        self,
        inputs: Tensor,
        neighbours: Tensor,
        confidence: Tensor | None = None,
        initial_state: list[Tensor] | None = None,
        mask: Tensor | None = None,
    ) -> Any:
        check_shapes(inputs, neighbours, confidence, self._features)
        check_values(neighbours, confidence, mask)
        dtype, U = self.compute_dtype, self.units
        f, neighbours = ops.cast(inputs, dtype), ops.cast(neighbours, "int32")
        mask = None if mask is None else ops.cast(mask, "bool")
        rank = _rank(f, confidence, mask)
        if mask is not None:
            neighbours = ops.where(ops.expand_dims(mask, -1), neighbours, -1)
        present = ops.greater_equal(neighbours, 0)
        neighbours = ops.maximum(neighbours, 0)
        if mask is not None:
            present = ops.logical_and(present, _at_neighbours(mask, neighbours))
        if initial_state is None:
            h = m = ops.zeros((*ops.shape(f)[:2], U), dtype)
        else:
            h, m = (ops.cast(state, dtype) for state in initial_state)

        W, U_own, U_n = (
            ops.cast(weight, dtype)
            for weight in (self.kernel, self.recurrent_kernel, self.neighbour_kernel)
        )
        U_n, U_fn = ops.split(U_n, [3 * U], axis=1)
        # W f_i + b and U h_i of all gates at once, before the loop: (batch, nodes, 4 * units)
        of_f = _product(f, W)
        if self.use_bias:
            of_f = of_f + ops.cast(self.bias, dtype)
        U_fn_h = _product(h, U_fn)
        xs = {
            "own": of_f + _product(h, U_own),
            "of_f": ops.split(of_f, [3 * U], axis=-1)[1],
            "m": m,
            "U_fn_h": U_fn_h,
        }

        def step(x: dict[str, Tensor], around: Tensor, present: Tensor) -> tuple[Tensor, Any]:
            there = ops.expand_dims(present, -1)  # (rows, neighbours, 1)
            h_j, m_j, U_fn_h_j = ops.split(ops.where(there, around, 0), 3, axis=-1)
            count = ops.sum(ops.cast(there, "int32"), axis=1)  # |N(i)|, (rows, 1)
            count = ops.cast(ops.maximum(count, 1), dtype)
            h_bar = ops.sum(h_j, axis=1) / count
            z_u, z_c, z_o, z_f = ops.split(x["own"], 4, axis=-1)
            n_u, n_c, n_o = ops.split(ops.matmul(h_bar, U_n), 3, axis=-1)
            g_u = ops.sigmoid(z_u + n_u)
            g_f_j = ops.sigmoid(ops.expand_dims(x["of_f"], 1) + U_fn_h_j)
            g_f = ops.sigmoid(z_f)
            g_o = ops.sigmoid(z_o + n_o)
            g_c = ops.tanh(z_c + n_c)
            m = ops.sum(g_f_j * m_j, axis=1) / count + g_f * x["m"] + g_u * g_c
            h = ops.tanh(g_o * m)
            U_fn_h = ops.matmul(h, U_fn) if self.neighbour_gate == "updated" else x["U_fn_h"]
            gates = GraphLSTMGates(g_u, ops.where(there, g_f_j, 0), g_f, g_c, g_o)
            return ops.concatenate([h, m, U_fn_h], axis=-1), gates if self.return_gates else ()

        before = ops.concatenate([h, m, U_fn_h], axis=-1)
        if graph_lstm_is_available():
            updated = self.neighbour_gate == "updated"
            old = None if initial_state is None else (h, m, U_fn_h)
            graphs = (neighbours, present, rank)
            h, m = graph_lstm(xs["own"], xs["of_f"], old, U_n, U_fn, updated, *graphs)
            gates: Any = ()
            if self.return_gates:
                after = ops.concatenate([h, m, _product(h, U_fn) if updated else U_fn_h], axis=-1)
                around = _around(before, after, neighbours, rank)
                gates = _of_each_node(lambda *x: step(*x)[1], xs, around, present)
        else:
            after, gates = node_scan(step, before, xs, neighbours, present, rank)
            h, m, _ = ops.split(after, 3, axis=-1)
        h, m, gates = keras.tree.map_structure(lambda x: _masked(x, mask), (h, m, gates))
        outputs = (
            h,
            *((h, m) if self.return_state else ()),
            *((gates,) if self.return_gates else ()),
        )
        return outputs if len(outputs) > 1 else h

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The mask of the inputs, for the first output."""
        return previous_mask

    def compute_output_shape(
        self, inputs_shape: tuple, neighbours_shape: tuple | None = None
    ) -> Any:
        """The shapes of what is returned; `neighbours_shape` is needed for the gates."""
        state = (*inputs_shape[:2], self.units)
        shapes: tuple = (state, state, state) if self.return_state else (state,)
        if self.return_gates:
            places = None if neighbours_shape is None else neighbours_shape[2]
            each = (*inputs_shape[:2], places, self.units)
            shapes += (GraphLSTMGates(state, each, state, state, state),)
        return shapes if len(shapes) > 1 else state

    def compute_output_spec(
        self, inputs: Any, neighbours: Any, confidence: Any = None, **kwargs: Any
    ) -> Any:
        """What a call returns, without the values."""
        check_shapes(inputs, neighbours, confidence, self._features)
        shapes = self.compute_output_shape(inputs.shape, neighbours.shape)
        return keras.tree.map_shape_structure(
            lambda shape: keras.KerasTensor(shape, dtype=self.compute_dtype), shapes
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor arguments."""
        initializers = {
            name: keras.initializers.serialize(getattr(self, name))
            for name in ("kernel_initializer", "recurrent_initializer", "bias_initializer")
        }
        return {
            **super().get_config(),
            "units": self.units,
            "neighbour_gate": self.neighbour_gate,
            "return_state": self.return_state,
            "return_gates": self.return_gates,
            "use_bias": self.use_bias,
            "unit_forget_bias": self.unit_forget_bias,
            **initializers,
        }


def _product(x: Tensor, W: Tensor) -> Tensor:
    return by_rows(lambda rows: ops.matmul(rows, W), x)


def _rank(f: Tensor, confidence: Tensor | None, mask: Tensor | None) -> Tensor:
    """Each node's place in the order of its graph, padding last: int32 (batch, nodes)."""
    if confidence is None:
        return ops.cumsum(ops.ones_like(f[..., 0], "int32"), axis=1) - 1
    if mask is not None:
        confidence = ops.where(mask, confidence, -float("inf"))
    order = ops.argsort(ops.negative(ops.stop_gradient(confidence)), axis=1)
    return ops.cast(ops.argsort(order, axis=1), "int32")


def _at_neighbours(x: Tensor, neighbours: Tensor) -> Tensor:
    """What `x` (batch, nodes, ...) says of each neighbour."""
    batch, nodes, *rest = ops.shape(x)
    graph = ops.reshape(ops.arange(batch, dtype="int32") * nodes, (-1, 1, 1))
    return take_rows(ops.reshape(x, (batch * nodes, *rest)), neighbours + graph)


def _around(before: Tensor, after: Tensor, neighbours: Tensor, rank: Tensor) -> Tensor:
    """The states of each neighbour, those after where it was visited before the node."""
    visited = ops.less(_at_neighbours(rank, neighbours), ops.expand_dims(rank, -1))
    states = [_at_neighbours(states, neighbours) for states in (after, before)]
    return ops.where(ops.expand_dims(visited, -1), *states)


def _of_each_node(function: Callable[..., Tree], *xs: Tree) -> Tree:
    """Apply a function of rows to (batch, nodes, ...), and give the nodes their batch back."""
    batch, nodes = ops.shape(keras.tree.flatten(xs)[0])[:2]

    def rows(x: Tensor) -> Tensor:
        return ops.reshape(x, (batch * nodes, *ops.shape(x)[2:]))

    def back(y: Tensor) -> Tensor:
        return ops.reshape(y, (batch, nodes, *ops.shape(y)[1:]))

    return keras.tree.map_structure(back, function(*keras.tree.map_structure(rows, xs)))


def _masked(x: Tensor, mask: Tensor | None) -> Tensor:
    """Zero where the mask (batch, nodes) is false."""
    if mask is None:
        return x
    return ops.where(ops.reshape(mask, (*ops.shape(mask), *[1] * (len(x.shape) - 2))), x, 0)
