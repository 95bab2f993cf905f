"""Graph LSTMs on TensorFlow, wave by wave, with a backward pass written by hand.

The layer's equations over `node_scan` are the truth, and a test holds this file to it. A node needs
the new states of those neighbours alone that come before it, so that with

    wave(i) = 1 + max_j wave(j)    over the neighbours j before i, 0 where there are none

all nodes of a wave, of all graphs, are updated at once: some ten or twenty turns for a planar graph
of hundreds of nodes. How many is known only at run time: XLA takes `node_scan`. What makes it fast:

- what neighbours after a node give it, the states before, is added up outside of the loop;
- the rows lie in the order of the waves, and a turn takes a slice of them;
- a turn goes along the edges that exist, not along padded lists. The edges lie in two orders: the
  forward loop takes those by which a wave reads, the backward loop those by which it is read, so
  that each gathers from one table of all nodes and adds up rows of its own wave alone;
- the backward loop makes the gradients dz of the gates' sums only, and the gradients of the weights
  are one product each after it.

In a node i that the nodes k read (dh, dm: gradients of h', m'; dH, dM: of the sums over neighbours)

    dz_ki = dM_k * m_i * gf_ki * (1 - gf_ki)
    dh += sum_k dH_k + (sum_k dz_ki) Ufn^T          dm += sum_k dM_k * gf_ki
    dq    = dh * (1 - h^2)                          dm += dq * go
    dz_u  = dm * gc * gu * (1 - gu)                 dz_c = dm * gu * (1 - gc^2)
    dz_o  = dq * m * go * (1 - go)
    dH    = (dz_u Uun^T + dz_c Ucn^T + dz_o Uon^T) / |N(i)|        dM = dm / |N(i)|
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from kblocks.backend.take_rows import take_rows

Tensor = Any


class Waves(NamedTuple):
    """The nodes of a batch, count of them, in the order of their waves, and the edges forward."""

    order: Tensor  # (count,) the number of each node in the batch
    place: Tensor  # (count,) where each node of the batch lies in this order
    ends: Tensor  # (1 + waves,) nodes 0 and up to the end of each wave
    reader: Tensor  # (edges,) the place of the node that reads, rising
    source: Tensor  # (edges,) the place of the node that it reads, in an earlier wave
    by_source: Tensor  # (edges,) the edges in the order of their sources


def graph_lstm_is_available() -> bool:
    """Whether `graph_lstm` runs here: on TensorFlow, and not under XLA."""
    import keras

    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf
    from tensorflow.python.ops import control_flow_util

    return not control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())


def graph_lstm(
    z: Tensor,
    of_f: Tensor,
    states: tuple[Tensor, Tensor, Tensor] | None,
    kernel: Tensor,
    forget_kernel: Tensor,
    updated: bool,
    neighbours: Tensor,
    present: Tensor,
    rank: Tensor,
) -> tuple[Tensor, Tensor]:
    """The states of all nodes of a batch of graphs.

    Args:
        z: W f_i + U h_i + b of all gates, (batch, nodes, 4 * units): input, candidate, output, the
            node's own forget gate.
        of_f: Wf f_i + bf, (batch, nodes, units).
        states: h, m and Ufn h before, (batch, nodes, units) each; `None` where they are zero.
        kernel: Uun, Ucn and Uon side by side, (units, 3 * units).
        forget_kernel: Ufn, (units, units).
        updated: Whether a neighbour's forget gate reads its new state.
        neighbours: The nodes that each node reads, int32 (batch, nodes, neighbours), from 0 to
            nodes - 1 also where there is none.
        present: Where there is a neighbour, boolean (batch, nodes, neighbours).
        rank: Each node's place in the order of its graph, int32 (batch, nodes), all different.

    Returns:
        h' and m', (batch, nodes, units) each.
    """
    import tensorflow as tf

    shape, units = tf.shape(of_f), of_f.shape[2]
    count = shape[0] * shape[1]
    first = tf.reshape(tf.range(shape[0]) * shape[1], (-1, 1, 1))
    around = tf.reshape(neighbours + first, (count, tf.shape(neighbours)[2]))
    there, rank = tf.reshape(present, tf.shape(around)), tf.reshape(rank, (-1,))
    of_f = tf.reshape(of_f, (count, units))
    z, z_f = tf.split(tf.reshape(z, (count, 4 * units)), [3 * units, units], axis=1)
    earlier = there & (tf.gather(rank, around) < tf.expand_dims(rank, 1))
    share = tf.reduce_sum(tf.cast(there, "int32"), axis=1, keepdims=True)
    share = 1 / tf.cast(tf.maximum(share, 1), z.dtype)  # 1 / |N(i)|
    own = U_fn_h = tf.zeros_like(of_f)
    later = tf.zeros((count, 2 * units), z.dtype)
    if states is not None:
        h, m, U_fn_h = (tf.reshape(state, (count, units)) for state in states)
        own = tf.sigmoid(z_f) * m  # gf_i * m_i
        reader, source = _edges(around, there & ~earlier)
        gf = tf.sigmoid(take_rows(of_f, reader) + take_rows(U_fn_h, source))
        read = tf.concat([take_rows(h, source), gf * take_rows(m, source)], axis=1)
        later = tf.math.unsorted_segment_sum(read, reader, count)
    gate = forget_kernel if updated else U_fn_h
    waves = _waves(around, earlier)
    found = _run(z, of_f, own, later, kernel, gate, updated, share, waves)
    return tf.reshape(found[0], shape), tf.reshape(found[1], shape)


def _edges(around: Tensor, which: Tensor) -> tuple[Tensor, Tensor]:
    """Who reads, and who is read, in each of the places of `around` that `which` chooses."""
    import tensorflow as tf

    at = tf.where(which)
    return tf.cast(at[:, 0], "int32"), tf.gather_nd(around, at)


def _waves(around: Tensor, earlier: Tensor) -> Waves:
    """The order of the nodes that read the nodes `around` them, waiting for `earlier` ones."""
    import tensorflow as tf

    def rise(wave: Tensor, _: Tensor) -> tuple[Tensor, Tensor]:
        above = tf.where(earlier, tf.gather(wave, around) + 1, 0)
        new = tf.maximum(tf.reduce_max(above, axis=1), 0)  # the largest of none is below 0
        return new, tf.reduce_any(new != wave)

    wave = tf.zeros(tf.shape(around)[:1], "int32")
    wave, _ = tf.while_loop(lambda _, changed: changed, rise, (wave, tf.constant(True)))
    order = tf.argsort(wave, stable=True)
    place = tf.math.invert_permutation(order)
    ends = tf.concat([[0], tf.cumsum(tf.math.bincount(wave, minlength=1))], axis=0)
    reader, source = _edges(tf.gather(around, order), tf.gather(earlier, order))
    source = tf.gather(place, source)
    return Waves(order, place, ends, reader, source, tf.argsort(source))


def _run(
    z: Tensor,
    of_f: Tensor,
    own: Tensor,
    later: Tensor,
    kernel: Tensor,
    gate: Tensor,
    updated: bool,
    share: Tensor,
    waves: Waves,
) -> tuple[Tensor, Tensor]:
    """h' and m', (count, units) each; all rows are those of the batch.

    Args:
        z: As above without that of the own forget gate, (count, 3 * units).
        of_f: As above, (count, units).
        own: gf_i * m_i, (count, units).
        later: What neighbours that come later give each node, (count, 2 * units): the sums of h_j
            and of gf_ij * m_j.
        kernel: As above.
        gate: Ufn, or where it is not the new states that the gates read Ufn h, (count, units).
        updated: As above.
        share: 1 / |N(i)|, (count, 1).
        waves: The order.
    """
    import tensorflow as tf

    order, place, ends, reader, source, by_source = waves
    n_waves, units = tf.shape(ends)[0] - 1, of_f.shape[1]
    share = tf.gather(share, order)
    reader_ends = tf.searchsorted(reader, ends)
    back_reader, back_source = tf.gather(reader, by_source), tf.gather(source, by_source)
    source_ends = tf.searchsorted(back_source, ends)

    def repeat(step: Callable, table: Tensor, *widths: int) -> list[Tensor]:
        """`k, table, rows = step(s, table)` for all waves: the table and all rows, by wave k."""
        arrays = [
            tf.TensorArray(z.dtype, n_waves, element_shape=(None, width), infer_shape=False)
            for width in widths
        ]

        def body(s: Tensor, table: Tensor, arrays: list) -> tuple:
            k, table, rows = step(s, table)
            return s + 1, table, [a.write(k, row) for a, row in zip(arrays, rows, strict=True)]

        _, table, arrays = tf.while_loop(lambda s, *_: s < n_waves, body, (0, table, arrays))
        # Tensors, not arrays of tensors: a SavedModel holds no gradient that captures these.
        return [table, *(array.concat() for array in arrays)]

    def put(table: Tensor, k: Tensor, *rows: Tensor) -> Tensor:
        """The table with the rows of wave k; in place, where a scatter would copy all of it."""
        return tf.raw_ops.TensorStridedSliceUpdate(
            input=table,
            begin=[ends[k]],
            end=[ends[k + 1]],
            strides=[1],
            value=tf.concat(rows, axis=1),
        )

    def sums(k: Tensor, at: Tensor, *rows: Tensor) -> Tensor:
        """Rows added up for the nodes of wave k, which lie `at` these of its rows."""
        n = ends[k + 1] - ends[k]
        return tf.math.unsorted_segment_sum(tf.concat(rows, axis=1), at, n)

    @tf.custom_gradient
    def run(*tensors: Tensor) -> tuple[Any, Callable]:
        *by_node, U, gate = tensors
        z, of_f, own, later = (tf.gather(x, order) for x in by_node)
        U_fn_h: Tensor = None if updated else tf.gather(gate, order)

        def forward(k: Tensor, table: Tensor) -> tuple[Tensor, Tensor, list]:
            at, edges = slice(ends[k], ends[k + 1]), slice(reader_ends[k], reader_ends[k + 1])
            i = reader[edges] - ends[k]
            h_j, m_j, seen_j = tf.split(tf.gather(table, source[edges]), 3, axis=1)
            gf = tf.sigmoid(tf.gather(of_f[at], i) + seen_j)
            read = later[at] + sums(k, i, h_j, gf * m_j)
            h_bar, kept = tf.split(read * share[at], 2, axis=1)
            z_u, z_c, z_o = tf.split(z[at] + tf.matmul(h_bar, U), 3, axis=1)
            gu, gc, go = tf.sigmoid(z_u), tf.tanh(z_c), tf.sigmoid(z_o)
            m = kept + own[at] + gu * gc
            h = tf.tanh(go * m)
            seen = tf.matmul(h, gate) if updated else U_fn_h[at]
            return k, put(table, k, h, m, seen), [h_bar, gu, gc, go, gf]

        table = tf.zeros((tf.shape(order)[0], 3 * units), z.dtype)
        table, h_bars, gus, gcs, gos, gfs = repeat(forward, table, *[units] * 5)
        hs, ms, _ = tf.split(table, 3, axis=1)

        def gradient(dhs: Tensor, dms: Tensor) -> tuple[Tensor, ...]:
            dhs, dms, U_T = tf.gather(dhs, order), tf.gather(dms, order), tf.transpose(U)
            U_fn_T = tf.transpose(gate) if updated else None

            back_gfs = tf.gather(gfs, by_source)

            def backward(s: Tensor, d_read: Tensor) -> tuple[Tensor, Tensor, list]:
                k = n_waves - 1 - s
                at, edges = slice(ends[k], ends[k + 1]), slice(source_ends[k], source_ends[k + 1])
                gu, gc, go, h, m = (y[at] for y in (gus, gcs, gos, hs, ms))
                i, gf = back_source[edges] - ends[k], back_gfs[edges]
                dH, dM = tf.split(tf.gather(d_read, back_reader[edges]), 2, axis=1)
                dz_f = _sigmoid_slope(gf, dM * tf.gather(m, i))
                dh, dm, d_seen = tf.split(sums(k, i, dH, dM * gf, dz_f), 3, axis=1)
                dh, dm = dh + dhs[at], dm + dms[at]
                if updated:
                    dh = dh + tf.matmul(d_seen, U_fn_T)
                dq = _tanh_slope(h, dh)
                dm = dm + dq * go
                dz_u, dz_c = _sigmoid_slope(gu, dm * gc), _tanh_slope(gc, dm * gu)
                dz = tf.concat([dz_u, dz_c, _sigmoid_slope(go, dq * m)], axis=1)
                dH, dM = tf.matmul(dz, U_T) * share[at], dm * share[at]
                return k, put(d_read, k, dH, dM), [dz, dm, d_seen, dz_f]

            widths = (3 * units, units, units, units)
            d_read, dz, d_own, d_seen, dz_f = repeat(backward, tf.zeros_like(later), *widths)
            d_of_f = tf.math.unsorted_segment_sum(dz_f, back_reader, tf.shape(hs)[0])
            back = [tf.gather(d, place) for d in (dz, d_of_f, d_own, d_read)]
            dU = tf.matmul(h_bars, dz, transpose_a=True)
            if updated:
                d_gate = tf.matmul(hs, d_seen, transpose_a=True)
            else:
                d_gate = tf.gather(d_seen, place)
            once = "A Graph LSTM can be differentiated once on TensorFlow, outside XLA."
            found = (*back, dU, d_gate)
            return tuple(tf.raw_ops.PreventGradient(input=d, message=once) for d in found)

        return (tf.gather(hs, place), tf.gather(ms, place)), gradient

    return run(z, of_f, own, later, kernel, gate)


def _sigmoid_slope(y: Tensor, dy: Tensor) -> Tensor:
    import tensorflow as tf

    return tf.raw_ops.SigmoidGrad(y=y, dy=dy)  # dy * y * (1 - y)


def _tanh_slope(y: Tensor, dy: Tensor) -> Tensor:
    import tensorflow as tf

    return tf.raw_ops.TanhGrad(y=y, dy=dy)  # dy * (1 - y * y)
