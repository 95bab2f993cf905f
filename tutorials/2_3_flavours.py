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
# # 2.3 Five shapes of recurrent networks
#
# A cell takes an input and a state and gives a new state. What a network built of it can do depends
# on when inputs come in and when outputs are asked for. Here the same cell, an LSTM, is put into
# five shapes, and each is trained on a task that wants just that shape.
#
# It runs as a script (`python tutorials/2_3_flavours.py`, pictures in `runs/tutorials`) and as a
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
import os
from pathlib import Path

import keras
import numpy as np
from keras import ops
from matplotlib.figure import Figure

import kblocks
from kblocks import tokens
from kblocks.models import (
    BahdanauTranslator,
    SequenceClassifier,
    SequenceGenerator,
    SequenceTagger,
)
from kblocks.plotting import plot_attention
from kblocks.training import (
    GlobalNormClipping,
    LabelledAccuracy,
    LabelledCrossentropy,
    MaskedCrossentropy,
)

QUICK = os.environ.get("KBLOCKS_QUICK") == "1"
PICTURES = Path("runs/tutorials")
PICTURES.mkdir(parents=True, exist_ok=True)
keras.utils.set_random_seed(0)


def ready(model, optimizer, loss, **options):
    """Compile, and make all variables now: `fit` would make them as it traces, and trace twice."""
    model.compile(optimizer, loss, jit_compile=False, **options)
    if not model.built:
        model.build()
    optimizer.build(model.trainable_variables)


# %% [markdown]
# ## What the lecture says
#
# - One to one: an input, an output; no sequence at all.
# - One to many: an input, a sequence out, as when an image gets a caption.
# - Many to one: a sequence in, one output, as when a sentence gets a class.
# - Many to many: a sequence in, and then another one out, as in translation.
# - Tagging: an output for every input, as when every word gets its part of speech.

# %%
SHAPES = {  # the steps, at which there is an input, at which an output; what is said is fed back
    "one to one": (1, [0], [0], False),
    "one to many": (3, [0], [0, 1, 2], True),
    "many to one": (3, [0, 1, 2], [2], False),
    "many to many": (5, [0, 1, 2], [2, 3, 4], True),
    "tagging": (3, [0, 1, 2], [0, 1, 2], False),
}


def arrow(axes, start, end, **style):
    style = {"arrowstyle": "->", "color": "0.3", "shrinkA": 9, "shrinkB": 9, **style}
    axes.annotate("", end, start, arrowprops=style)


figure = Figure(figsize=(11, 2.6), layout="constrained")
panels = figure.subplots(1, 5, width_ratios=[steps + 1 for steps, *_ in SHAPES.values()])
for axes, (name, (steps, ins, outs, fed_back)) in zip(panels, SHAPES.items(), strict=True):
    rows = ((range(steps), 1, "tab:green"), (ins, 0, "tab:red"), (outs, 2, "tab:blue"))
    for places, height, colour in rows:
        axes.scatter(places, [height] * len(places), s=230, marker="s", color=colour)
    for t in range(steps - 1):
        arrow(axes, (t, 1), (t + 1, 1))
        if fed_back and t in outs:
            arrow(axes, (t, 2), (t + 1, 1), linestyle="--")
    for t in ins:
        arrow(axes, (t, 0), (t, 1))
    for t in outs:
        arrow(axes, (t, 1), (t, 2))
    axes.set(xlim=(-1, steps), ylim=(-0.5, 2.5), title=name)
    axes.axis("off")
figure.savefig(PICTURES / "2_3_shapes.png", dpi=120)
figure

# %% [markdown]
# Red comes in, green are the states, blue goes out; dashed, what was said is the next input.
#
# ## The equations
#
# The cell is the same in all of them, $h_t, c_t = \mathrm{LSTM}(x_t, h_{t-1}, c_{t-1})$ with the
# gates of [2.2](2_2_lstm_gates.py). What differs:
#
# $$
# \begin{aligned}
# \text{one to one} && y &= W h_1 + b \\
# \text{one to many} && h_0 &= \tanh(W_c\, c + b_c), \quad p(y_t) = \mathrm{softmax}(W h_t + b),
# \quad x_t = E\, y_{t-1} \\
# \text{many to one} && p(y) &= \mathrm{softmax}(W h_T + b) \\
# \text{many to many} && \text{the states } & \text{of one network go into another that is one to
# many} \\
# \text{tagging} && p(y_t) &= \mathrm{softmax}(W h_t + b) \text{ for every } t
# \end{aligned}
# $$
#
# ## One to one
#
# With one step and a state that begins at zero, nothing recurs. The forget gate has nothing to
# forget, the recurrent weights meet a zero, and what is left is a feed-forward layer with two
# gates: $h_1 = o \odot \tanh(i \odot g)$. It learns whether a point lies in a ring.

# %%
rng = np.random.default_rng(0)
points = rng.uniform(-1, 1, (1000, 2)).astype("float32")


def in_ring(points):
    radius = np.linalg.norm(points, axis=-1)
    return (radius > 0.4) & (radius < 0.8)


cell_layer = kblocks.layers.LSTM(16)
one_to_one = keras.Sequential([keras.Input((1, 2)), cell_layer, keras.layers.Dense(1)])
ready(one_to_one, keras.optimizers.Adam(0.03), keras.losses.BinaryCrossentropy(from_logits=True))
one_to_one.fit(points[:, None], in_ring(points), batch_size=100, epochs=40, verbose=0)

gates = cell_layer.cell.gates(points, np.zeros((len(points), 16), "float32"))
feed_forward = gates.output * ops.tanh(gates.input * gates.candidate)  # (points, units)
np.testing.assert_allclose(
    ops.convert_to_numpy(cell_layer(points[:, None])),
    ops.convert_to_numpy(feed_forward),
    atol=1e-5,
)

side = np.linspace(-1, 1, 60, dtype="float32")
grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)  # (3600, 2)
scores = ops.convert_to_numpy(one_to_one(grid[:, None]))[:, 0]
right_points = ((scores > 0) == in_ring(grid)).mean()
print(f"one to one: {right_points:.1%} of the square is on the right side")

figure = Figure(figsize=(3.6, 3.4), layout="constrained")
axes = figure.add_subplot()
axes.imshow(
    (scores > 0).reshape(60, 60), extent=(-1, 1, -1, 1), origin="lower", cmap="Blues", alpha=0.6
)
angle = np.linspace(0, 2 * np.pi, 200)
for radius in (0.4, 0.8):
    axes.plot(radius * np.cos(angle), radius * np.sin(angle), color="tab:red")
axes.set(title="one to one: in the ring?", xticks=[-1, 0, 1], yticks=[-1, 0, 1])
figure.savefig(PICTURES / "2_3_one_to_one.png", dpi=120)
figure

# %% [markdown]
# ## One to many
#
# A number comes in, its name goes out, letter by letter. `SequenceGenerator` turns the number into
# the first state; from then on it reads what it said itself. Training gives it the right letters to
# read (teacher forcing); afterwards greedy or beam search drive it.
#
# Ids 0 to 3 mean padding, unknown, start and end; letters follow.

# %%
NAMES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
NAMES = [*NAMES.split(), "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
LETTERS = sorted(set("".join(NAMES)))
FIRST = 4  # the id of the first letter


def ids_of(words):
    """Letters as ids, (words, letters), padded with 0."""
    ids = np.zeros((len(words), max(map(len, words))), "int32")
    for row, word in zip(ids, words, strict=True):
        row[: len(word)] = [FIRST + LETTERS.index(letter) for letter in word]
    return ids


def word_of(ids):
    """Ids as letters, up to the end."""
    return "".join(LETTERS[k - FIRST] for k in ids if k >= FIRST)


def ended(ids):
    """The same with the end behind each row: what a generator is to say."""
    ids = np.pad(ids, [(0, 0), (0, 1)])
    ids[np.arange(len(ids)), (ids > 0).sum(axis=1)] = tokens.END
    return ids


def begun(ids):
    """The start before each row, and the last column off: what it reads as it says that."""
    return np.pad(ids, [(0, 0), (1, 0)], constant_values=tokens.START)[:, :-1]


numbers = np.arange(len(NAMES))[:, None]  # (numbers, 1)
names = ended(ids_of(NAMES))  # (numbers, letters)
one_to_many = SequenceGenerator(
    FIRST + len(LETTERS), 48, 16, condition="token", condition_size=len(NAMES)
)
ready(one_to_many, keras.optimizers.Adam(0.02), MaskedCrossentropy())
known = {"condition": numbers, "target": begun(names)}
all_names = {"batch_size": len(NAMES), "shuffle": False}  # in each step
again = np.tile(np.arange(len(NAMES)), 25)  # 25 steps an epoch: there is much to do between epochs
many = {name: value[again] for name, value in known.items()}
one_to_many.fit(many, names[again], epochs=10, **all_names, verbose=0)

decoded = one_to_many.generate(numbers, max_length=12, beam_width=3)
spelled = [word_of(row) for row in ops.convert_to_numpy(decoded.tokens)[:, 0]]
print("one to many:", " ".join(spelled))

# %% [markdown]
# Each column is what the network expects after the letter below it. *seven* and *seventeen* begin
# alike; after `n` only the state still knows whether the end comes or a `t`:

# %%
shown = [7, 17]
probabilities = ops.convert_to_numpy(
    ops.softmax(one_to_many({name: value[shown] for name, value in known.items()}))
)  # (2, letters, ids)
figure = Figure(figsize=(8, 3.6), layout="constrained")
panels = figure.subplots(1, 2, sharey=True)
for axes, number, p in zip(panels, shown, probabilities, strict=True):
    word = NAMES[number]
    axes.imshow(p[: len(word) + 1, tokens.END :].T, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(word) + 1), ["start", *word])
    axes.set_yticks(range(len(LETTERS) + 1), ["end", *LETTERS])
    axes.set(xlabel="the letter before", title=f"{number}: p(next letter)")
figure.savefig(PICTURES / "2_3_one_to_many.png", dpi=120)
figure

# %% [markdown]
# ## Many to one
#
# A sequence of the letters a and b comes in; the question at its end is which came more often. The
# state has to count. `SequenceClassifier` reads ids padded with 0: the padding is passed over, so
# that the last state is that of each sequence's own last letter.

# %%
LONGEST = 11 if QUICK else 21


def votes(number, rng, longest):
    """Ids 1 and 2 (number, longest) padded with 0, of odd lengths, so that one of them wins."""
    lengths = 2 * rng.integers(0, (longest + 1) // 2, number) + 1
    bias = rng.uniform(0.2, 0.8, (number, 1))
    ids = 1 + (rng.random((number, longest)) < bias)
    return (ids * (np.arange(longest) < lengths[:, None])).astype("int32")


def winner(ids):
    return ((ids == 2).sum(axis=1) > (ids == 1).sum(axis=1)).astype("int32")


ballots = votes(2000, np.random.default_rng(1), LONGEST)
many_to_one = SequenceClassifier(3, 2, units=16, embedding_dim=4)
ready(
    many_to_one,
    keras.optimizers.Adam(0.02),
    keras.losses.SparseCategoricalCrossentropy(from_logits=True),
)
many_to_one.fit(ballots, winner(ballots), batch_size=50, epochs=6, verbose=0)


def share_right(ids):
    return (ops.convert_to_numpy(many_to_one(ids)).argmax(-1) == winner(ids)).mean()


right_votes = share_right(votes(1000, np.random.default_rng(2), LONGEST))
longer_votes = share_right(votes(1000, np.random.default_rng(3), 2 * LONGEST + 1))
print(f"many to one: {right_votes:.1%} right; {longer_votes:.1%} on sequences up to twice as long")

# %% [markdown]
# It may be asked after each letter, too, by giving it the beginning of the sequence alone. Its
# opinion follows the count:

# %%
vote = votes(200, np.random.default_rng(4), LONGEST)
vote = vote[np.abs(np.diff(np.where(vote == 2, 1, -1).cumsum(1) > 0, axis=1)).sum(1).argmax()]
vote = vote[vote > 0]
beginnings = np.tril(np.tile(vote, (len(vote), 1)))  # (letters, letters)
opinion = ops.convert_to_numpy(ops.softmax(many_to_one(beginnings)))[:, 1]
count = np.where(vote == 2, 1, -1).cumsum()

figure = Figure(figsize=(6.5, 3), layout="constrained")
axes = figure.add_subplot()
axes.bar(range(len(vote)), count, color="0.8", label="b minus a")
axes.set_xticks(range(len(vote)), ["ab"[k - 1] for k in vote])
axes.set(ylabel="b minus a", title="many to one: does b win?")
right_axes = axes.twinx()
right_axes.plot(range(len(vote)), opinion, "o-", color="tab:blue")
right_axes.set(ylabel="p(b wins)", ylim=(-0.05, 1.05))
figure.savefig(PICTURES / "2_3_many_to_one.png", dpi=120)
figure

# %% [markdown]
# ## Many to many
#
# Letters come in, the same letters go out, sorted. Nothing can be said before all is read: the
# first letter out may be the last one in. So there are two networks: an encoder reads, a decoder
# begins with what the encoder has kept, and speaks. It is the shape of all translators;
# `BahdanauTranslator` also lets the decoder look back at the encoder's states (more in
# [3.1](3_1_attention_and_translation.py)).

# %%
MOST, KINDS, ROUNDS = (4, 5, 12) if QUICK else (6, 8, 8)


def shuffled(number, rng):
    """Ids (number, letters), padded with 0, and the same sorted."""
    lengths = rng.integers(2, MOST + 1, (number, 1))
    real = np.arange(MOST) < lengths
    ids = rng.integers(FIRST, FIRST + KINDS, (number, MOST)) * real
    in_order = np.sort(np.where(real, ids, 99), axis=1) * real
    return ids.astype("int32"), ended(in_order.astype("int32"))


letters, in_order = shuffled(1500 if QUICK else 4000, np.random.default_rng(5))
many_to_many = BahdanauTranslator(
    FIRST + KINDS, FIRST + KINDS, embedding_dim=16, units=32, cell="lstm"
)
optimizer = GlobalNormClipping(keras.optimizers.Adam(0.01), 1.0)
ready(many_to_many, optimizer, MaskedCrossentropy())
many_to_many.fit(
    {"source": letters, "target": begun(in_order)},
    in_order,
    batch_size=50,
    epochs=ROUNDS,
    verbose=0,
)

letters, in_order = shuffled(200, np.random.default_rng(6))
decoded = many_to_many.translate(letters, max_length=MOST + 1, beam_width=1)
said = ops.convert_to_numpy(decoded.tokens)[:, 0]
right_sorted = (said == in_order).all(axis=1).mean()
print(f"many to many: {right_sorted:.1%} of new sequences sorted without a mistake")

# %%
ABC = "abcdefgh"
row = int(np.flatnonzero((letters > 0).all(1) & (said == in_order).all(1))[0])
source, target = ([ABC[k - FIRST] for k in ids if k >= FIRST] for ids in (letters[row], said[row]))
plot_attention(
    ops.convert_to_numpy(decoded.alignment)[row, 0, : len(target), : len(source)],
    source,
    target,
    title="many to many: where each letter comes from",
    path=PICTURES / "2_3_many_to_many.png",
)

# %% [markdown]
# ## Tagging
#
# Every letter gets a label: does the same letter come again later on? A network that reads from
# left to right cannot know. One that reads in both directions can: at each letter the state of the
# backward network has seen all that follows.

# %%
TAGGED, EPOCHS = (6, 8) if QUICK else (10, 12)


def sequences(number, rng):
    """Ids from 1 (number, letters), padded with 0, and the labels 0, 1 and -1 for padding."""
    lengths = rng.integers(2, TAGGED + 1, (number, 1))
    ids = rng.integers(1, 7, (number, TAGGED)) * (np.arange(TAGGED) < lengths)
    again = (ids[:, :, None] == ids[:, None, :]) & np.triu(np.ones((TAGGED, TAGGED), bool), 1)
    return ids.astype("int32"), np.where(ids > 0, again.any(axis=2), -1)


train_ids, train_labels = sequences(2000, np.random.default_rng(7))
test_ids, test_labels = sequences(500, np.random.default_rng(8))
right_tags, guesses = {}, {}
for name, bidirectional in (("forward", False), ("both directions", True)):
    keras.utils.set_random_seed(0)
    tagger = SequenceTagger(7, 2, units=16, embedding_dim=8, bidirectional=bidirectional)
    ready(tagger, keras.optimizers.Adam(0.02), LabelledCrossentropy(), metrics=[LabelledAccuracy()])
    tagger.fit(train_ids, train_labels, batch_size=50, epochs=EPOCHS, verbose=0)
    guesses[name] = ops.convert_to_numpy(ops.softmax(tagger(test_ids)))[..., 1]
    hits = (guesses[name] > 0.5) == test_labels
    right_tags[name] = hits[test_ids > 0].mean()
    print(f"tagging, {name}: {right_tags[name]:.1%} of the labels right")

# %%
row = int(np.flatnonzero((test_ids > 0).all(1) & (test_labels.sum(1) >= TAGGED // 2))[0])
table = np.stack([test_labels[row], *(guess[row] for guess in guesses.values())])
figure = Figure(figsize=(0.45 * TAGGED + 2, 2), layout="constrained")
axes = figure.add_subplot()
axes.imshow(table, cmap="Blues", vmin=0, vmax=1, aspect="auto")
axes.set_xticks(range(TAGGED), [ABC[k - 1] for k in test_ids[row]])
axes.set_yticks(range(3), ["truth", *guesses])
axes.set_title("tagging: does it come again?")
figure.savefig(PICTURES / "2_3_tagging.png", dpi=120)
figure

# %% [markdown]
# The forward network is not worthless: it has learned that a letter with much still to come is
# likely to come again; but it sees neither the end nor the letters.
#
# ## Exercise
#
# Turn the second task around: a name comes in, letter by letter, and the number goes out. Which of
# the five shapes is that? Train it, give it `seve`, `seven` and `seventeen`, and say when it knows.
#
# ## Solution
#
# Many to one. It was trained on whole names, so what it makes of beginnings is its own affair; but
# the names end in the number, and `seven` is told from `seventeen` by whether more comes.

# %%
reader = SequenceClassifier(FIRST + len(LETTERS), len(NAMES), units=32, embedding_dim=16)
ready(
    reader,
    keras.optimizers.Adam(0.02),
    keras.losses.SparseCategoricalCrossentropy(from_logits=True),
)
reader.fit(ids_of(NAMES)[again], again, epochs=6, **all_names, verbose=0)
understood = ops.convert_to_numpy(reader(ids_of(NAMES))).argmax(-1)
for word in ("seve", "seven", "seventeen"):
    p = ops.convert_to_numpy(ops.softmax(reader(ids_of([word]))))[0]
    best = p.argsort()[::-1][:2]
    print(f"{word:9}", ", ".join(f"{NAMES[k]} {p[k]:.0%}" for k in best))

# %% [markdown]
# ## What was learned
#
# The same cell solves all five; what makes the difference is which states are read, and what comes
# in.

# %%
assert right_points > 0.9
assert spelled == NAMES
assert right_votes > 0.93
assert longer_votes > 0.8
assert right_sorted > 0.8
assert right_tags["both directions"] > 0.88
assert right_tags["forward"] < 0.85
assert (understood == numbers[:, 0]).all()
print("All as expected.")
