"""An LSTM over sequences on TensorFlow's CPU, with a backward pass written by hand.

The equations stand in `kblocks.layers.recurrent.lstm_cell`; the cell is the truth and a test holds
this file to it. What makes it fast:

- the products of the inputs with W_x leave the loop: one large product in place of many small ones;
- nothing is masked inside the loop: the kept steps of each sequence are moved to its front first,
  and the outputs are dealt out to their times after it;
- the backward loop makes the gradients dz of the gates' sums only (dh, dc: gradients of h_t, c_t),

      dc  += dh * o * (1 - tanh(c_t)^2)
      dz_i = dc * g * i * (1 - i)           dz_f = dc * c_{t-1} * f * (1 - f)
      dz_g = dc * i * (1 - g^2)             dz_o = dh * tanh(c_t) * o * (1 - o)
      dc   = dc * f                         dh   = sum_k dz_k W_hk^T

  and the gradients of the weights are one large product each after it, dW_h = h_{t-1}^T dz and
  dW_x = x^T dz, where automatic differentiation adds up a product of every step.
"""

from collections.abc import Callable, Sequence
from typing import Any

# Steps to one turn of a while loop, whose bookkeeping costs as much as a small step.
_STEPS_PER_TURN = 4


def lstm_kernel(batch: int | None, features: int, units: int, dtype: str, xla: bool) -> str:
    """Choose the forward loop: "block", "fused" or "gates".

    "block" is TensorFlow's operation for a whole sequence: no loop to keep, but slow products. It
    wins where these are small; it takes no bfloat16 or float64, no odd number of features without
    a warning, and XLA does not know it. "fused" is a loop with one product for all gates, "gates"
    one with a product for each: four small products share two cores better than one four times as
    wide, except where few rows meet more weights than the cache holds.
    """
    known = not xla and features % 2 == 0 and dtype in ("float16", "float32")
    if known and (units <= 64 or (batch is not None and batch * units <= 256)):
        return "block"
    few_rows = batch is not None and 1 < batch <= 16
    return "fused" if few_rows and units >= 512 else "gates"


def lstm_is_available() -> bool:
    """Whether `lstm` runs here: on TensorFlow, without a GPU (there Keras has cuDNN)."""
    import keras

    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return not tf.config.list_physical_devices("GPU")


def lstm(
    sequences: Any,
    initial_state: list[Any],
    mask: Any,
    kernel: Any,
    recurrent_kernel: Any,
    bias: Any,
    go_backwards: bool = False,
    zero_output_for_mask: bool = False,
) -> tuple[Any, Any, list[Any]]:
    """Run an LSTM with tanh and sigmoid over sequences, as `keras.layers.LSTM.inner_loop` does.

    Args:
        sequences: (batch, time, features).
        initial_state: The first h and c, each (batch, units).
        mask: Boolean (batch, time), of any pattern, or `None`. A masked step keeps h and c.
        kernel: W_x, (features, 4 * units): input, forget, candidate, output.
        recurrent_kernel: W_h, (units, 4 * units).
        bias: (4 * units,) or `None`.
        go_backwards: Go from the last time to the first; the outputs come in that order.
        zero_output_for_mask: Show zeros at masked steps, not the output before.

    Returns:
        The last output (batch, units), all outputs (batch, time, units), and the last h and c.
    """
    import tensorflow as tf

    x = tf.convert_to_tensor(sequences)
    h0, c0 = initial_state
    W_x, W_h = tf.convert_to_tensor(kernel), tf.convert_to_tensor(recurrent_kernel)
    b = tf.zeros_like(W_x[0]) if bias is None else tf.convert_to_tensor(bias)
    if go_backwards:
        x = tf.reverse(x, [1])
    if mask is None:
        hs, h, c = _run(x, h0, c0, None, W_x, W_h, b)
        return h, hs, [h, c]

    mask = tf.cast(mask, "bool")
    if go_backwards:
        mask = tf.reverse(mask, [1])
    taken = tf.cumsum(tf.cast(mask, "int32"), axis=1)  # (batch, time): steps taken up to there
    kept_first = tf.argsort(tf.cast(~mask, "int32"), axis=1, stable=True)
    x = tf.gather(x, kept_first, batch_dims=1)
    hs, _, c = _run(x, h0, c0, taken[:, -1], W_x, W_h, b)
    hs = tf.concat([tf.expand_dims(h0, 1), hs], axis=1)  # h after 0, 1, 2 ... steps
    h = tf.gather(hs, taken[:, -1], batch_dims=1)
    shown = mask if zero_output_for_mask else taken > 0
    zero = tf.zeros((), x.dtype)
    outputs = tf.where(tf.expand_dims(shown, -1), tf.gather(hs, taken, batch_dims=1), zero)
    return outputs[:, -1], outputs, [h, c]


def _run(x: Any, h0: Any, c0: Any, lengths: Any, W_x: Any, W_h: Any, b: Any) -> tuple[Any, ...]:
    """From x (batch, time, features), all states (batch, time, units), the last one and the memory.

    The memory is the one after `lengths` (batch,) steps; what comes later goes unused.
    """
    import tensorflow as tf
    from tensorflow.python.ops import control_flow_util

    xla = control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())
    kernel = lstm_kernel(x.shape[0], W_x.shape[0], W_h.shape[0], x.dtype.name, xla)
    parts = 4 if kernel == "gates" else 1  # in which the gates' sums are kept
    steps_per_turn = 1 if xla else _STEPS_PER_TURN

    @tf.custom_gradient
    def run(x: Any, h0: Any, c0: Any, W_x: Any, W_h: Any, b: Any) -> tuple[Any, Callable]:
        n = x.shape[1] or tf.shape(x)[1]
        x = _swap(x)
        # Tensors, not arrays of tensors: a SavedModel holds no gradient that captures these.
        if kernel == "block":
            gates, cs, hs = _block(n, x, h0, c0, W_x, W_h, b)
        else:
            gates, cs, hs = _loop(n, x, h0, c0, W_x, W_h, b, parts, steps_per_turn)
        c = cs[-1]
        if lengths is not None:
            c = tf.gather_nd(cs, tf.stack([lengths, tf.range(tf.shape(lengths)[0])], axis=1))

        def gradient(dhs: Any, dh: Any, dc_last: Any) -> tuple[Any, ...]:
            dhs = _swap(dhs)
            W_hs_T = [tf.transpose(W) for W in tf.split(W_h, parts, axis=1)]
            W_xs = tf.split(W_x, parts, axis=1)
            if parts == 1:  # a small step costs by the operation: what can be is done at once
                all_f, all_to_c, *all_to_z = _slopes(gates, cs[:-1], cs[1:])
                all_to_z = tf.concat(all_to_z, axis=-1)

            def step(s: Any, dh: Any, dc: Any, *dzs: Any) -> tuple[Any, ...]:
                t = n - 1 - s
                if lengths is not None:
                    dc = tf.where(tf.expand_dims(lengths == t + 1, -1), dc_last, dc)
                dh = dh + dhs[t]
                if parts == 1:
                    f, dc = all_f[t], dc + dh * all_to_c[t]
                    dz = [tf.concat([dc, dc, dc, dh], axis=1) * all_to_z[t]]
                else:
                    f, to_c, *to_z = _slopes([gate[t] for gate in gates], cs[t], cs[t + 1])
                    dc = dc + dh * to_c
                    dz = [d * to for d, to in zip((dc, dc, dc, dh), to_z, strict=True)]
                dh = tf.add_n([tf.matmul(d, W) for d, W in zip(dz, W_hs_T, strict=True)])
                return dh, dc * f, *(array.write(t, d) for array, d in zip(dzs, dz, strict=True))

            dc = dc_last if lengths is None else tf.zeros_like(dc_last)
            arrays = [_array(n, dh, W_h.shape[1] // parts) for _ in range(parts)]
            dh, dc, *arrays = _repeat(n, step, (dh, dc, *arrays), steps_per_turn)
            if lengths is not None:
                dc = tf.where(tf.expand_dims(lengths == 0, -1), dc_last, dc)
            # Every step of every sequence is a row now.
            dzs = [tf.reshape(array.stack(), (-1, W_h.shape[1] // parts)) for array in arrays]
            pairs = zip(dzs, W_xs, strict=True)
            dx = tf.add_n([tf.matmul(dz, W, transpose_b=True) for dz, W in pairs])
            rows, rows_h = (tf.reshape(a, (-1, a.shape[-1])) for a in (x, hs[:-1]))
            dW_x = [tf.matmul(rows, dz, transpose_a=True) for dz in dzs]
            dW_h = [tf.matmul(rows_h, dz, transpose_a=True) for dz in dzs]
            db = [tf.reduce_sum(dz, axis=0) for dz in dzs]
            dW_x, dW_h, db = (tf.concat(d, axis=-1) for d in (dW_x, dW_h, db))
            once = "LSTM can be differentiated once; keras.layers.RNN(LSTMCell(...)) at will."
            first = (_swap(tf.reshape(dx, tf.shape(x))), dh, dc, dW_x, dW_h, db)
            return tuple(tf.raw_ops.PreventGradient(input=d, message=once) for d in first)

        return (_swap(hs[1:]), hs[-1], c), gradient

    return run(x, h0, c0, W_x, W_h, b)


def _block(
    n: Any, x: Any, h0: Any, c0: Any, W_x: Any, W_h: Any, b: Any
) -> tuple[tuple[Any, ...], Any, Any]:
    """The gates (time, batch, units); the memories and states (1 + time, batch, units)."""
    import tensorflow as tf

    no_peephole = tf.zeros_like(h0[0])
    i, cs, f, o, g, _, hs = tf.raw_ops.BlockLSTMV2(
        seq_len_max=tf.cast(n, "int64"),
        x=x,
        cs_prev=c0,
        h_prev=h0,
        w=tf.concat([W_x, W_h], axis=0),
        wci=no_peephole,
        wcf=no_peephole,
        wco=no_peephole,
        b=b,
        use_peephole=False,
    )
    return (i, f, g, o), tf.concat([c0[None], cs], axis=0), tf.concat([h0[None], hs], axis=0)


def _loop(
    n: Any, x: Any, h0: Any, c0: Any, W_x: Any, W_h: Any, b: Any, parts: int, steps_per_turn: int
) -> tuple[tuple[Any, ...], Any, Any]:
    """The gates (time, batch, units); the memories and states (1 + time, batch, units)."""
    import tensorflow as tf

    units = W_h.shape[0]
    rows = tf.reshape(x, (-1, W_x.shape[0]))
    shape = tf.concat([tf.shape(x)[:2], [4 * units // parts]], axis=0)
    of_x = zip(tf.split(W_x, parts, axis=1), tf.split(b, parts), strict=True)
    x_zs = [tf.reshape(tf.matmul(rows, W) + b, shape) for W, b in of_x]
    W_hs = tf.split(W_h, parts, axis=1)

    def step(t: Any, h: Any, c: Any, *arrays: Any) -> tuple[Any, ...]:
        zs = [x_z[t] + tf.matmul(h, W) for x_z, W in zip(x_zs, W_hs, strict=True)]
        z_i, z_f, z_g, z_o = zs if parts == 4 else tf.split(zs[0], 4, axis=1)
        i, f, g, o = tf.sigmoid(z_i), tf.sigmoid(z_f), tf.tanh(z_g), tf.sigmoid(z_o)
        c = f * c + i * g
        h = o * tf.tanh(c)
        *gates, cs, hs = arrays
        gates = [array.write(t, gate) for array, gate in zip(gates, (i, f, g, o), strict=True)]
        return h, c, *gates, cs.write(t + 1, c), hs.write(t + 1, h)

    arrays = [_array(n, h0, units) for _ in range(4)]
    arrays += [_array(n + 1, h0, units).write(0, first) for first in (c0, h0)]
    _, _, *arrays = _repeat(n, step, (h0, c0, *arrays), steps_per_turn)
    *gates, cs, hs = (array.stack() for array in arrays)
    return tuple(gates), cs, hs


def _slopes(gates: Sequence[Any], c_before: Any, c: Any) -> tuple[Any, ...]:
    """The slopes from c to c_before, from h to c, and from c, c, c, h to z_i, z_f, z_g, z_o."""
    import tensorflow as tf

    def sigmoid_slope(y: Any, factor: Any) -> Any:
        return tf.raw_ops.SigmoidGrad(y=y, dy=factor)  # factor * y * (1 - y)

    def tanh_slope(y: Any, factor: Any) -> Any:
        return tf.raw_ops.TanhGrad(y=y, dy=factor)  # factor * (1 - y * y)

    i, f, g, o = gates
    tanh_c = tf.tanh(c)
    to_c = tanh_slope(tanh_c, o)
    to_z = (
        sigmoid_slope(i, g),
        sigmoid_slope(f, c_before),
        tanh_slope(g, i),
        sigmoid_slope(o, tanh_c),
    )
    return f, to_c, *to_z


def _swap(x: Any) -> Any:
    """Swap batch and time. As integers: oneDNN, which takes floats, is slow to set itself up."""
    import tensorflow as tf

    @tf.custom_gradient
    def swap(x: Any) -> tuple[Any, Callable]:
        bits = tf.bitcast(x, f"int{8 * x.dtype.size}")
        return tf.bitcast(tf.transpose(bits, (1, 0, 2)), x.dtype), _swap

    return swap(x)


def _array(n: Any, like: Any, units: int) -> Any:
    """Room for n tensors (batch, units) of the dtype of `like`."""
    import tensorflow as tf

    return tf.TensorArray(like.dtype, size=n, element_shape=(like.shape[0], units))


def _repeat(n: Any, step: Callable, state: tuple[Any, ...], steps_per_turn: int) -> tuple[Any, ...]:
    """Apply `state = step(t, *state)` for t = 0 ... n - 1."""
    import tensorflow as tf

    def turns(t: Any, stop: Any, steps: int, state: tuple[Any, ...]) -> tuple[Any, ...]:
        def body(t: Any, *state: Any) -> tuple[Any, ...]:
            for k in range(steps):
                state = step(t + k, *state)
            return (t + steps, *state)

        return tf.while_loop(lambda t, *_: t < stop, body, (t, *state))[1:]

    whole = n - n % steps_per_turn
    state = turns(0, whole, steps_per_turn, state)
    if isinstance(n, int):
        for t in range(whole, n):
            state = step(t, *state)
        return tuple(state)
    return turns(whole, n, 1, state) if steps_per_turn > 1 else state
