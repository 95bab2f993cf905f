# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 2.2 The gates of an LSTM
#
# A plain recurrent network squeezes all that it has read through the same matrix and the same tanh
# at every step, and forgets. A long short-term memory (LSTM) has a memory beside its state, and
# three gates that say what is kept, written and shown. Here we take the gates apart, train them on
# a task that cannot be solved without them, and watch them open and close.
#
# It runs as a script (`python tutorials/2_2_lstm_gates.py`, pictures in `runs/tutorials`) and as a
# notebook. `KBLOCKS_QUICK=1` makes it a short run on shorter sequences.

# %%
# On Colab, or wherever kblocks is missing:
import importlib.util
import subprocess
import sys

if importlib.util.find_spec("kblocks") is None:
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "kblocks"], check=True)

# %%
# %matplotlib inline
import itertools
import os
from pathlib import Path

import keras
import numpy as np
from keras import ops
from matplotlib.figure import Figure

import kblocks
from kblocks.plotting import plot_gates

QUICK = os.environ.get("KBLOCKS_QUICK") == "1"
PICTURES = Path("runs/tutorials")
PICTURES.mkdir(parents=True, exist_ok=True)
keras.utils.set_random_seed(0)

# %% [markdown]
# ## What the lecture says
#
# - The state of a vanilla RNN is $h_t = \tanh(W_{hh} h_{t-1} + W_{hx} x_t)$. Backwards through time
#   the gradient is multiplied by $W_{hh}^\top$ and by the derivative of tanh once a step, so it
#   dies or blows up exponentially.
# - An LSTM hands its memory on by a sum and an elementwise product. Where the forget gate is open,
#   the gradient passes through unchanged.
#
# ## The equations
#
# $$
# \begin{aligned}
# f_t &= \sigma(W_f [h_{t-1}, x_t] + b_f) && \text{forget: what to keep of the memory} \\
# i_t &= \sigma(W_i [h_{t-1}, x_t] + b_i) && \text{input: what to write} \\
# g_t &= \tanh(W_c [h_{t-1}, x_t] + b_c) && \text{the candidate, } \tilde{C}_t \text{ in the
# lecture} \\
# c_t &= f_t \odot c_{t-1} + i_t \odot g_t && \text{the memory} \\
# o_t &= \sigma(W_o [h_{t-1}, x_t] + b_o) && \text{output: what to show} \\
# h_t &= o_t \odot \tanh(c_t) && \text{the state}
# \end{aligned}
# $$
#
# A slip to know about: the notes let the forget gate remove something from $h_{t-1}$. It *reads*
# $h_{t-1}$, but what it acts on is the memory $c_{t-1}$, as the fourth line shows.
#
# ## The block
#
# `kblocks.layers.LSTMCell` is one step. `cell.gates(x, h)` gives the four vectors above, and
# `cell.weights_of("forget")` the weights of one gate as the equations write them. So the equations
# can be checked by hand:

# %%
features, units, batch = 3, 4, 2
cell = kblocks.layers.LSTMCell(units)
cell.build((None, features))

rng = np.random.default_rng(0)
x = rng.normal(size=(batch, features)).astype("float32")  # (batch, features)
h = rng.normal(size=(batch, units)).astype("float32")  # (batch, units)
c = rng.normal(size=(batch, units)).astype("float32")  # (batch, units)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def product(gate):
    """W [h, x] + b of one gate, in NumPy."""
    W_h, W_x, b = (ops.convert_to_numpy(w) for w in cell.weights_of(gate))
    return h @ W_h + x @ W_x + b


f, i, o = (sigmoid(product(gate)) for gate in ("forget", "input", "output"))
g = np.tanh(product("candidate"))
c_new = f * c + i * g
h_new = o * np.tanh(c_new)

_, [h_cell, c_cell] = cell(x, [h, c])
np.testing.assert_allclose(ops.convert_to_numpy(h_cell), h_new, rtol=1e-5, atol=1e-6)
np.testing.assert_allclose(ops.convert_to_numpy(c_cell), c_new, rtol=1e-5, atol=1e-6)

gates = cell.gates(x, h)
np.testing.assert_allclose(ops.convert_to_numpy(gates.forget), f, rtol=1e-5, atol=1e-6)

# %% [markdown]
# The shapes: `x` is (batch, features); `h`, `c` and each gate are (batch, units); `W_h` is
# (units, units), `W_x` (features, units), `b` (units,). The layer `kblocks.layers.LSTM` runs the
# cell over (batch, time, features); with `return_gates=True` each gate comes back as
# (batch, time, units), and the output stays what it was.
#
# ## The forget bias
#
# Before training the products are near 0, so each gate stands near $\sigma(b)$. Of a memory written
# at step 1 the share $\prod_{s=2}^{T} f_s$ is left at step $T$, and this product is also the
# derivative of $c_T$ by $c_1$ along the memory. With $b_f = 0$ half is lost at every step; with
# $b_f = 1$, kblocks' default (as Keras': `unit_forget_bias=True`), about a quarter.

# %%
steps = 20
noise = rng.normal(size=(64, steps, features)).astype("float32")
left = {}
for name, unit_forget_bias in (("bias 0", False), ("bias 1", True)):
    layer = kblocks.layers.LSTM(
        32, unit_forget_bias=unit_forget_bias, return_sequences=True, return_gates=True
    )
    _, gates = layer(noise)
    forget = ops.convert_to_numpy(gates.forget)  # (batch, time, units)
    left[name] = np.cumprod(forget, axis=1).mean(axis=(0, 2))
    print(
        f"{name}: of the memory {left[name][9]:.1e} is left after 10 steps, "
        f"{left[name][19]:.1e} after 20"
    )

# %% [markdown]
# ## A task that needs the gates
#
# Letters come in one a step, now and then one of them is marked, and after the last one the
# question is: *which letter was marked last?* Everything unmarked has to be kept out of the memory,
# the remembered letter has to survive for as long as it takes, and a new mark has to wipe it away.
# The input is a one-hot letter and the mark, the answer a letter.

# %%
LETTERS = "abcdef"
TIME, MARKS, EPOCHS = (20, 0.1, 6) if QUICK else (60, 0.05, 12)


def sequences(number, rng):
    """Inputs (number, time, letters + 1), answers (number,), and where the marks are."""
    letters = rng.integers(0, len(LETTERS), (number, TIME))
    marked = rng.random((number, TIME)) < MARKS
    marked[:, 0] = True  # there is always an answer
    last = TIME - 1 - marked[:, ::-1].argmax(axis=1)  # (number,)
    one_hot = np.eye(len(LETTERS), dtype="float32")[letters]
    inputs = np.concatenate([one_hot, marked[..., None]], axis=-1).astype("float32")
    return inputs, letters[np.arange(number), last], marked


def text(inputs):
    """A sequence as labels: `a b [c] d`, the marked letters in brackets."""
    letters = [LETTERS[k] for k in inputs[:, :-1].argmax(-1)]
    marks = inputs[:, -1]
    return [f"[{a}]" if mark else a for a, mark in zip(letters, marks, strict=True)]


inputs, answers, _ = sequences(4000, np.random.default_rng(1))
test_inputs, test_answers, test_marked = sequences(1000, np.random.default_rng(2))
print(" ".join(text(test_inputs[0])), "->", LETTERS[test_answers[0]])

# %% [markdown]
# One recurrent layer of 16 units and a linear readout of its last state: (batch, time, 7) ->
# (batch, 16) -> (batch, 6). The same for an LSTM and for a vanilla RNN.

# %%
UNITS = 16


def train(layer):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((TIME, len(LETTERS) + 1)), layer, keras.layers.Dense(len(LETTERS))]
    )
    model.compile(
        keras.optimizers.Adam(0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False,
    )
    history = model.fit(inputs, answers, batch_size=64, epochs=EPOCHS, verbose=0).history
    right = ops.convert_to_numpy(model(test_inputs)).argmax(-1) == test_answers
    print(f"{layer.name:11} {right.mean():6.1%} right on new sequences")
    return model, history["accuracy"], right


lstm = kblocks.layers.LSTM(UNITS, name="LSTM")
models, curves, correct = {}, {}, {}
for layer in (lstm, kblocks.layers.SimpleRNN(UNITS, name="SimpleRNN")):
    models[layer.name], curves[layer.name], correct[layer.name] = train(layer)

# %% [markdown]
# Pure guessing is right once in six times. How far back does each of them remember?

# %%
lag = test_marked[:, ::-1].argmax(axis=1)  # (number,): steps since the last mark
edges = np.array([0, 1, 2, 4, 7, 11, 16, TIME if QUICK else 30, TIME])
edges = np.unique(edges)


def by_lag(right):
    """The share of right answers in each range of lags."""
    return [right[(lag >= a) & (lag < b)].mean() for a, b in itertools.pairwise(edges)]


figure = Figure(figsize=(9, 3.4), layout="constrained")
left_axes, right_axes = figure.subplots(1, 2, sharey=True)
names = [str(a) if b == a + 1 else f"{a}-{b - 1}" for a, b in itertools.pairwise(edges)]
for name in curves:
    left_axes.plot(np.arange(1, EPOCHS + 1), curves[name], marker="o", markersize=3, label=name)
    right_axes.plot(names, by_lag(correct[name]), marker="o", markersize=3, label=name)
for axes in (left_axes, right_axes):
    axes.axhline(1 / len(LETTERS), color="grey", linestyle=":", label="guessing")
    axes.set_ylim(0, 1.05)
    axes.grid(alpha=0.3)
left_axes.set(xlabel="epoch", ylabel="right answers", title="training")
right_axes.set(xlabel="steps since the last mark", title="new sequences")
right_axes.legend()
figure.savefig(PICTURES / "2_2_memory.png", dpi=120)
figure

# %% [markdown]
# The vanilla RNN knows something of the last few steps and guesses about the rest.
#
# ## The gates, seen
#
# A second layer with the trained weights and `return_gates=True` shows what the first one does.

# %%
seeing = kblocks.layers.LSTM(UNITS, return_sequences=True, return_gates=True)
seeing.build((None, TIME, len(LETTERS) + 1))
seeing.set_weights(lstm.get_weights())
states, gates = seeing(test_inputs)
np.testing.assert_allclose(
    ops.convert_to_numpy(states[:, -1]), ops.convert_to_numpy(lstm(test_inputs)), atol=1e-5
)
gates = {name: ops.convert_to_numpy(gate) for name, gate in gates._asdict().items()}

opening = {
    name: (gates[name][test_marked].mean(), gates[name][~test_marked].mean())
    for name in ("input", "forget", "output")
}
for name, (at_marks, elsewhere) in opening.items():
    print(f"{name:7} gate: {at_marks:.2f} open at marks, {elsewhere:.2f} elsewhere")

# %%
shown = int(np.flatnonzero((test_marked.sum(1) == 3) & (lag > TIME // 4))[0])
plot_gates(
    {name: gate[shown] for name, gate in gates.items()},
    text(test_inputs[shown]),
    title=f"the answer is {LETTERS[test_answers[shown]]}",
    path=PICTURES / "2_2_gates.png",
)

# %% [markdown]
# In the columns with a bracket the forget gate closes (the old letter goes) and the input gate
# opens (the new one comes in); in between units that hold the letter keep their forget gate open.
# Some units do otherwise: the network needs only enough of them.
#
# ## Where the answer comes from
#
# Unrolled, the memory is a weighted sum of all candidates:
#
# $$ c_T = \sum_{t=1}^{T} \Big( i_t \odot \prod_{s=t+1}^{T} f_s \Big) \odot g_t $$
#
# The bracket says how much of step $t$ is still there at the end. The scores of the letters are
# linear in $h_T = o_T \odot \tanh(c_T)$, and $\tanh(c_T)$ is $c_T$ times a known factor: so each
# score is, exactly, a sum of what the single steps say for it. Here is what they say for the right
# letter, compared with the mean of all letters.

# %%
f, i, g, o = (gates[n].astype("float64") for n in ("forget", "input", "candidate", "output"))
kept = np.ones_like(f)  # (number, time, units): the product of the forget gates after t
kept[:, :-1] = np.cumprod(f[:, :0:-1], axis=1)[:, ::-1]
parts = i * kept * g  # (number, time, units): they sum to the memory
memory = parts.sum(axis=1)  # (number, units)
shown_part = o[:, -1] * np.tanh(memory) / memory  # (number, units): h_T = shown_part * c_T

R, b = (ops.convert_to_numpy(w) for w in models["LSTM"].layers[-1].weights)  # (units, letters)
said = np.einsum("ntu,nu,ul->ntl", parts, shown_part, R)  # (number, time, letters)
np.testing.assert_allclose(
    said.sum(axis=1) + b, ops.convert_to_numpy(models["LSTM"](test_inputs)), atol=1e-3
)

number = np.arange(len(lag))
for_answer = said[number, :, test_answers] - said.mean(axis=-1)  # (number, time)
last_mark = TIME - 1 - lag
many = test_marked.sum(1) > 1  # there is something to forget
when = np.arange(TIME) - last_mark[:, None]
before, at, after = (
    np.where(chosen, for_answer, 0).sum(1)[many].mean()
    for chosen in (when < 0, when == 0, when > 0)
)
print(f"for the right letter: before the last mark {before:.2f}, at it {at:.2f}, after {after:.2f}")

figure = Figure(figsize=(0.2 * TIME + 3, 2.6), layout="constrained")
axes = figure.add_subplot()
axes.bar(np.arange(TIME), for_answer[shown], color="tab:blue")
axes.axhline(0, color="black", linewidth=0.6)
axes.set_xticks(np.arange(TIME), text(test_inputs[shown]), fontsize=8)
axes.set(ylabel="said for the answer", title=f"the answer is {LETTERS[test_answers[shown]]}")
axes.margins(x=0.01)
figure.savefig(PICTURES / "2_2_memory_parts.png", dpi=120)
figure

# %% [markdown]
# What came before the last mark has no say any more: its forget gates have wiped it. The mark
# itself speaks for the answer, and so do the steps after it, whose letters are not the answer: the
# network does not only keep its letter, it also writes it anew from $h_{t-1}$, through $W_c$. The
# memory is the path without a $W$, and training is free to use the other one as well.
#
# ## Exercise
#
# A gated recurrent unit (GRU) has no memory beside its state and two gates only:
# $h_t = z_t \odot h_{t-1} + (1 - z_t) \odot g_t$. Which value must the update gate $z$ take at a
# mark, and which elsewhere? Train `kblocks.layers.GRU` on the task and check.
#
# ## Solution
#
# $z$ is forget and input gate in one: near 1 it keeps the state, near 0 it writes. It must be lower
# at marks.

# %%
gru = kblocks.layers.GRU(UNITS, name="GRU")
models["GRU"], curves["GRU"], correct["GRU"] = train(gru)
seeing = kblocks.layers.GRU(UNITS, return_gates=True)
seeing.build((None, TIME, len(LETTERS) + 1))
seeing.set_weights(gru.get_weights())
_, gru_gates = seeing(test_inputs)
update = ops.convert_to_numpy(gru_gates.update)
update_at_marks, update_elsewhere = update[test_marked].mean(), update[~test_marked].mean()
print(f"update gate: {update_at_marks:.2f} at marks, {update_elsewhere:.2f} elsewhere")

# %% [markdown]
# ## What was learned
#
# The LSTM and the GRU solve the task, the vanilla RNN does not; gates move at the marks; what lies
# before the last mark is wiped. Over several seeds the values stay well on the right side of these
# bounds.

# %%
assert left["bias 1"][-1] > 100 * left["bias 0"][-1]
assert correct["LSTM"].mean() > 0.95
assert correct["GRU"].mean() > 0.95
assert correct["SimpleRNN"].mean() < 0.5
assert correct["SimpleRNN"][lag >= TIME // 4].mean() < 0.4
assert opening["forget"][0] < opening["forget"][1] - 0.2
assert opening["input"][0] > opening["input"][1] + 0.1
assert at > 0
assert abs(before) < 0.2 * (before + at + after)
assert update_at_marks < update_elsewhere - 0.1
print("All as expected.")
