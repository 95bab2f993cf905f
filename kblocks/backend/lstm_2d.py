"""A 2D LSTM over images on TensorFlow's CPU, with a backward pass written by hand.

The equations stand in `kblocks.layers.grids.lstm_2d_cell`; the layer's plain path over `scan` is
the truth and a test holds this file to it. What makes it fast:

- the pixels are put in the order of the diagonals first, and nothing stands between them: a turn
  of the loop takes a diagonal, which is as long as it is. XLA, which wants one length, takes the
  plain path;
- all directions go along their diagonals in one loop, as one batch of products;
- a diagonal's pixels on the left, and those above, lie together on the diagonal before: a zero at
  both of its ends makes each of them one slice;
- masked pixels need nothing inside the loop: the sums of their gates are so far below zero that the
  gates are 0 and, with them, memory, state and all gradients;
- the backward loop makes the gradients dz of the gates' sums only (dh, dc: those of h_ij, c_ij),

      dc  += dh * o * (1 - tanh(c_ij)^2)
      dz_i = dc * g * i * (1 - i)               dz_g = dc * i * (1 - g^2)
      dz_u = dc * c_{i-1,j} * u * (1 - u)       dz_o = dh * tanh(c_ij) * o * (1 - o)
      dz_l = dc * c_{i,j-1} * l * (1 - l)
      dc_{i-1,j} = dc * u                       dh_{i-1,j} = dz W_up^T
      dc_{i,j-1} = dc * l                       dh_{i,j-1} = dz W_left^T

  and the gradients of the weights are one product each after it.
"""

from collections.abc import Callable, Sequence
from typing import Any

from kblocks.backend.diagonals import Diagonals, diagonals
from kblocks.backend.lstm import lstm_is_available

Tensor = Any

_STEPS_PER_TURN = 4  # of a while loop, whose bookkeeping costs as much as a small step
_NO_PIXEL = -1e4  # sigmoid of it is 0, in float16 as well


def lstm_2d_is_available() -> bool:
    """Whether `lstm_2d` runs here: on TensorFlow, without a GPU, and not under XLA."""
    if not lstm_is_available():
        return False
    import tensorflow as tf
    from tensorflow.python.ops import control_flow_util

    return not control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())


def lstm_2d(
    images: Sequence[Tensor],
    masks: Sequence[Tensor] | None,
    kernels: Sequence[Tensor],
    recurrent_kernels_up: Sequence[Tensor],
    recurrent_kernels_left: Sequence[Tensor],
    biases: Sequence[Tensor],
) -> tuple[list[Tensor], list[Tensor]]:
    """Run 2D LSTMs, one for each direction, from the top left corner to the bottom right one.

    Args:
        images: For each direction the image, turned over so that it reads down and right, (batch,
            height, width, channels).
        masks: For each direction the mask, turned likewise, (batch, height, width), or `None`.
        kernels: W_x of each direction, (channels, 5 * units): input, forget_up, forget_left,
            candidate, output.
        recurrent_kernels_up: W_up of each, (units, 5 * units).
        recurrent_kernels_left: W_left of each, (units, 5 * units).
        biases: b of each, (5 * units,).

    Returns:
        The states h and the memories c of each direction, (batch, height, width, units).
    """
    import tensorflow as tf

    batch, height, width, _ = _shape(images[0])
    rows = diagonals(len(images), batch, height, width)
    xs = [_in_rows(tf.convert_to_tensor(image)) for image in images]
    inside = None
    if masks is not None:
        flat = [tf.reshape(tf.cast(mask, "bool"), [-1]) for mask in masks]
        inside = [tf.gather(mask, rows.of_one)[:, None] for mask in flat]
    W_x, W_up, W_left, b = (
        [tf.convert_to_tensor(w) for w in kernel]
        for kernel in (kernels, recurrent_kernels_up, recurrent_kernels_left, biases)
    )
    shape = (len(images), batch, height, width, W_up[0].shape[0])
    hs, cs = _run(xs, inside, W_x, W_up, W_left, b, rows, batch)
    return tf.unstack(tf.reshape(hs, shape)), tf.unstack(tf.reshape(cs, shape))


def _run(
    xs: list[Tensor],
    inside: list[Tensor] | None,
    W_xs: list[Tensor],
    W_ups: list[Tensor],
    W_lefts: list[Tensor],
    bs: list[Tensor],
    rows: Diagonals,
    batch: Any,
) -> tuple[Tensor, Tensor]:
    """States and memories (directions * batch * height * width, units) of xs, an image each."""
    import tensorflow as tf

    from kblocks.backend.lstm import _repeat

    directions, units, dtype = len(xs), W_ups[0].shape[0], xs[0].dtype
    begin, end, falls = rows.first[:-1], rows.first[1:], rows.falls
    length, n = end - begin, tf.size(falls)
    several = directions > 1  # whether there is a first axis, of the directions, in the loops
    # A zero at both ends of a diagonal, of each image.
    ends = [[0, 0]] * several + [[batch, batch], [0, 0]]

    def table(*columns: Tensor) -> Callable[[Any], list[Tensor]]:
        """From a turn to its numbers, each of shape (1,): a slice begins and ends with such."""
        numbers = tf.stack(columns, axis=1)
        return lambda d: tf.split(tf.gather(numbers, d), len(columns))

    def cut(states: Tensor, begin: Tensor, end: Tensor) -> Tensor:
        """Rows of a diagonal."""
        if several:
            begin, end = (tf.concat([[0], number], axis=0) for number in (begin, end))
        mask = 1 if several else 0
        rows = tf.strided_slice(states, begin, end, begin_mask=mask, end_mask=mask)
        return tf.ensure_shape(rows, (*[directions] * several, None, units))

    def paddings(before: Tensor, after: Tensor) -> Tensor:
        """Of the rows, for each diagonal."""
        rows = tf.stack([before, after], axis=1)[:, None]  # (diagonals, 1, 2)
        return tf.pad(rows, [[0, 0], [int(several), 1], [0, 0]])

    def array(width: int) -> Any:
        return tf.TensorArray(dtype, size=n, element_shape=(None, width), infer_shape=False)

    def write(array: Any, d: Any, value: Tensor) -> Any:
        return array.write(d, tf.reshape(value, (-1, value.shape[-1])) if several else value)

    def nothing(length: Any) -> Tensor:
        """Zeros of a length that differs from turn to turn."""
        shape = [directions] * several + [length, units]
        free = [directions] * several + [None, units]
        return tf.raw_ops.PlaceholderWithDefault(input=tf.zeros(shape, dtype), shape=free)

    @tf.custom_gradient
    def run(*tensors: Tensor) -> tuple[Any, Callable]:
        xs, W_xs, W_ups, W_lefts, bs = (
            tensors[k * directions : (k + 1) * directions] for k in range(5)
        )
        xs = tuple(tf.gather(x, rows.of_one) for x in xs)
        # Of all pixels at once: W_x x + b, (rows, 5 * units) for each direction
        zs = [tf.matmul(x, W) + b for x, W, b in zip(xs, W_xs, bs, strict=True)]
        if inside is not None:
            zs = [
                tf.where(i, z, tf.cast(_NO_PIXEL, dtype)) for i, z in zip(inside, zs, strict=True)
            ]
        # (directions, 2 * units, 5 * units), or no first axis where there is one direction
        W_h = _join([tf.concat(pair, axis=0) for pair in zip(W_ups, W_lefts, strict=True)])

        on_diagonal = table(
            begin, end, falls, falls + length, falls + batch, falls + batch + length
        )

        def step(d: Any, h: Tensor, c: Tensor, *arrays: Any) -> tuple[Any, ...]:
            first, last, up, up_end, left, left_end = on_diagonal(d)
            h, c = tf.pad(h, ends), tf.pad(c, ends)
            h_up, c_up = (cut(states, up, up_end) for states in (h, c))
            h_left, c_left = (cut(states, left, left_end) for states in (h, c))
            z = _join([tf.strided_slice(z, first, last) for z in zs])
            z = z + tf.matmul(tf.concat([h_up, h_left], axis=-1), W_h)
            iul, g, o = tf.split(z, [3 * units, units, units], axis=-1)
            iul, g, o = tf.sigmoid(iul), tf.tanh(g), tf.sigmoid(o)
            i, u, l = tf.split(iul, 3, axis=-1)  # noqa: E741
            c = u * c_up + l * c_left + i * g
            h = o * tf.tanh(c)
            new = zip(arrays, (iul, g, o, c, h), strict=True)
            return h, c, *(write(a, d, value) for a, value in new)

        arrays = [array(3 * units), *(array(units) for _ in range(4))]
        _, _, *arrays = _repeat(n, step, (nothing(0), nothing(0), *arrays), _STEPS_PER_TURN)
        # Tensors, not arrays of tensors: a SavedModel holds no gradient that captures these.
        iuls, gs, os, cs, hs = (a.concat() for a in arrays)

        def gradient(dhs: Tensor, dcs: Tensor) -> tuple[Any, ...]:
            dhs, dcs = (tf.gather(d, rows.from_image) for d in (dhs, dcs))
            W_h_T = tf.linalg.matrix_transpose(W_h)
            h_or_0, c_or_0 = (tf.pad(states, [[0, batch], [0, 0]]) for states in (hs, cs))
            c_ups, c_lefts = (tf.gather(c_or_0, at) for at in (rows.above, rows.left))

            on_diagonal = table(directions * begin, directions * end)
            length_before = tf.concat([[0], length[:-1]], axis=0)
            before = table(tf.fill([n], batch), batch + length_before)
            # Where a diagonal's neighbours stand on the one before.
            up_ends, left_ends = (
                paddings(place, length_before + 2 * batch - length - place)
                for place in (falls, falls + batch)
            )

            def step(s: Any, dh: Tensor, dc: Tensor, dzs: Any) -> tuple[Any, ...]:
                d = n - 1 - s
                arrays = (iuls, gs, os, cs, c_ups, c_lefts, dhs, dcs)
                parts = [tf.strided_slice(a, *on_diagonal(d)) for a in arrays]
                if several:
                    parts = [tf.reshape(a, (directions, -1, a.shape[-1])) for a in parts]
                iul, g, o, c, c_up, c_left, dh_d, dc_d = parts
                i, u, l = tf.split(iul, 3, axis=-1)  # noqa: E741
                tanh_c = tf.tanh(c)
                dh = dh + dh_d
                dc = dc + dc_d + _tanh_slope(tanh_c, dh * o)
                gated = tf.concat([dc * g, dc * c_up, dc * c_left], axis=-1)
                dz_o = _sigmoid_slope(o, dh * tanh_c)
                dz = [_sigmoid_slope(iul, gated), _tanh_slope(g, dc * i), dz_o]
                dz = tf.concat(dz, axis=-1)
                dh_up, dh_left = tf.split(tf.matmul(dz, W_h_T), 2, axis=-1)

                dh, dc = (
                    tf.pad(up, tf.gather(up_ends, d)) + tf.pad(left, tf.gather(left_ends, d))
                    for up, left in ((dh_up, dh_left), (dc * u, dc * l))
                )
                # What the diagonal before gets, without the zeros at its ends.
                inner, inner_end = before(d)
                dh, dc = (cut(states, inner, inner_end) for states in (dh, dc))
                return dh, dc, write(dzs, d, dz)

            state = (nothing(length[-1]), nothing(length[-1]), array(5 * units))
            dzs = _repeat(n, step, state, _STEPS_PER_TURN)[2].concat()
            to_image = tf.math.invert_permutation(rows.of_one)
            gradients = []
            for x, W_x, part in zip(xs, W_xs, tf.unstack(rows.part, num=directions), strict=True):
                h_up, h_left = (
                    tf.gather(h_or_0, tf.gather(at, part)) for at in (rows.above, rows.left)
                )
                dz = tf.gather(dzs, part) if directions > 1 else dzs
                dx = tf.gather(tf.matmul(dz, W_x, transpose_b=True), to_image)
                dW = [tf.matmul(a, dz, transpose_a=True) for a in (x, h_up, h_left)]
                gradients.append((dx, *dW, tf.reduce_sum(dz, axis=0)))
            once = "LSTM2D can be differentiated once."
            flat = [g for kind in zip(*gradients, strict=True) for g in kind]
            return tuple(tf.raw_ops.PreventGradient(input=g, message=once) for g in flat)

        return tuple(tf.gather(states, rows.to_image) for states in (hs, cs)), gradient

    return run(*xs, *W_xs, *W_ups, *W_lefts, *bs)


def _join(parts: Sequence[Tensor]) -> Tensor:
    """One tensor with the directions first, or without that axis where there is one."""
    import tensorflow as tf

    return tf.stack(parts) if len(parts) > 1 else parts[0]


def _in_rows(image: Tensor) -> Tensor:
    """(batch * height * width, channels)"""
    import tensorflow as tf

    return tf.reshape(image, (-1, image.shape[-1]))


def _sigmoid_slope(y: Tensor, factor: Tensor) -> Tensor:
    import tensorflow as tf

    return tf.raw_ops.SigmoidGrad(y=y, dy=factor)  # factor * y * (1 - y)


def _tanh_slope(y: Tensor, factor: Tensor) -> Tensor:
    import tensorflow as tf

    return tf.raw_ops.TanhGrad(y=y, dy=factor)  # factor * (1 - y * y)


def _shape(x: Tensor) -> list[Any]:
    """The sizes, numbers where they are known."""
    import tensorflow as tf

    dynamic = tf.shape(x)
    return [dynamic[k] if size is None else size for k, size in enumerate(x.shape)]
