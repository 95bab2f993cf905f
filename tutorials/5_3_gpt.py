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
# # 5.3 GPT
#
# A language model says how probable a text is, a token after the other. To do that well it has to
# learn what is in texts, and for that nobody has to label anything. GPT is such a model: the
# Transformer's decoder, without anything to translate from. Here one learns Shakespeare a character
# at a time; we look at what it is before it has learnt anything, at what the context is good for,
# at where it looks, and let it speak.
#
# It runs as a script (`python tutorials/5_3_gpt.py`, pictures in `runs/tutorials`) and as a
# notebook. `KBLOCKS_QUICK=1` makes it a short run: a smaller model, and two poems as the text.

# %%
# On Colab, or wherever kblocks is missing:
import importlib.util
import subprocess
import sys

if importlib.util.find_spec("kblocks") is None:
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "kblocks"], check=True)

# %%
# %matplotlib inline
import gzip
import os
from pathlib import Path

import keras
import numpy as np
from keras import ops
from matplotlib.figure import Figure

from kblocks import data
from kblocks.decoding import greedy
from kblocks.models import GPT2
from kblocks.models.language import SlidingWindow
from kblocks.plotting import plot_curves, plot_heads
from kblocks.text import CharacterVocabulary
from kblocks.training import GlobalNormClipping

QUICK = os.environ.get("KBLOCKS_QUICK") == "1"
PICTURES = Path("runs/tutorials")
PICTURES.mkdir(parents=True, exist_ok=True)
keras.utils.set_random_seed(0)


def array(x):
    return ops.convert_to_numpy(x)


# %% [markdown]
# ## What the lecture says
#
# - Pre-training on large amounts of text without labels, then transfer: the language model comes
#   first, and the tasks are learnt from what it knows.
# - GPT does so with a Transformer, in place of the LSTMs of ELMo and ULMFiT. Fine-tuned, it keeps
#   the language model as a second objective ([erratum 11](../docs/lecture.md#errata)).
# - GPT-2 is the same, larger: 1.5 billion weights, trained on eight million documents.
#
# ## The equations
#
# Radford et al. (2018), section 3.1. The text $\mathcal{U} = u_1, \ldots, u_n$ is to be made
# probable, each token by the $k$ before it:
#
# $$ L_1(\mathcal{U}) = \sum_i \log P(u_i \mid u_{i-k}, \ldots, u_{i-1}; \Theta) \qquad (1) $$
#
# by a stack of $n$ layers, in which a position sees itself and those before it, between an
# embedding and the same matrix transposed:
#
# $$ h_0 = U W_e + W_p \qquad h_l = \mathrm{transformer\_block}(h_{l-1}) \qquad
# P(u) = \mathrm{softmax}(h_n W_e^\top) \qquad (2) $$
#
# In GPT-2 the layer normalisation stands before each sub-layer, and once more behind the last layer
# (Radford et al. 2019, section 2.3).
#
# ## A text
#
# Shakespeare's plays (1.1 MB), where they are: `KBLOCKS_DATA` names a folder with
# `tinyshakespeare/input.txt.gz`. Else the English half of LibreOffice's help, which comes with
# kblocks; and for a short run the two poems below. The last tenth is held out.

# %%
POEMS = """Shall I compare thee to a summer's day?
Thou art more lovely and more temperate:
Rough winds do shake the darling buds of May,
And summer's lease hath all too short a date:
Sometime too hot the eye of heaven shines,
And often is his gold complexion dimm'd;
And every fair from fair sometime declines,
By chance, or nature's changing course, untrimm'd;
But thy eternal summer shall not fade
Nor lose possession of that fair thou ow'st;
Nor shall Death brag thou wander'st in his shade,
When in eternal lines to time thou grow'st;
So long as men can breathe or eyes can see,
So long lives this, and this gives life to thee.

Let me not to the marriage of true minds
Admit impediments. Love is not love
Which alters when it alteration finds,
Or bends with the remover to remove:
O, no! it is an ever-fixed mark,
That looks on tempests and is never shaken;
It is the star to every wandering bark,
Whose worth's unknown, although his height be taken.
Love's not Time's fool, though rosy lips and cheeks
Within his bending sickle's compass come;
Love alters not with his brief hours and weeks,
But bears it out even to the edge of doom.
If this be error and upon me proved,
I never writ, nor no man ever loved.
"""


def read_text():
    """The text, and what it is called."""
    plays = Path(os.environ.get("KBLOCKS_DATA", "../shared/data"), "tinyshakespeare/input.txt.gz")
    if QUICK:
        return POEMS, "two sonnets"
    if plays.is_file():
        return gzip.decompress(plays.read_bytes()).decode(), "Shakespeare's plays"
    print(f"No {plays}: LibreOffice's help instead.")
    return "\n".join(english for english, _ in data.libreoffice_help().train), "LibreOffice's help"


text, title = read_text()
cut = int(0.9 * len(text))
vocabulary = CharacterVocabulary(text)
train_ids, test_ids = vocabulary.ids(text[:cut]), vocabulary.ids(text[cut:])
V = vocabulary.size
print(f"{title}: {len(text):,} characters, {V} different ones")

# %% [markdown]
# ## From one-hot characters to vectors
#
# $U$ in equation 2 has a row for each token, all zeros but for a 1 at the token's number. Its
# product with $W_e$ picks a row of $W_e$. So an embedding is a dense map of one-hot vectors, and
# what a computer does is look the row up:

# %%
LAYERS, WIDTH, HEADS, CONTEXT = (2, 32, 4, 24) if QUICK else (4, 128, 4, 64)
model = GPT2(V, LAYERS, WIDTH, HEADS, max_length=CONTEXT, dropout=0.0, attention_dropout=0.0)
model.build()
W_e, W_p = array(model.token_embedding.embeddings), array(model.position_embedding.embeddings)
line = text[: CONTEXT - 1]
u = vocabulary.ids(line)[None]  # (1, time)
U = np.eye(V, dtype="float32")[u[0]]  # (time, V), one-hot
h_0 = U @ W_e + W_p[: len(line)]
np.testing.assert_allclose(array(model.embed(u))[0], h_0, atol=1e-6)
h = array(model.hidden_states(u))[0]  # (layers + 1, time, width), the last one normalised
np.testing.assert_allclose(array(model(u))[0], h[-1] @ W_e.T, atol=1e-4)
print(f"{model.count_params():,} weights, {W_e.size:,} of them for both ends together")

# %% [markdown]
# ## What it is to beat
#
# The measure is the mean of $-\log P(u_i \mid \ldots)$, in *nats* a character. Who knows nothing
# pays $\log V$; who has counted how frequent each character is, less; who has counted which follows
# which, still less. (One is added to each count, for what never occurred.)

# %%


def nats_of(probability, ids):
    """The mean over a text of -log p(b | a), of a table (V, V) with a row a."""
    return float(-np.log(probability[ids[:-1], ids[1:]]).mean())


counts = np.ones((V, V))
np.add.at(counts, (train_ids[:-1], train_ids[1:]), 1)
often = counts.sum(0) / counts.sum()
baselines = {
    "knows nothing": np.log(V),
    "how frequent": nats_of(np.tile(often, (V, 1)), test_ids),
    "which follows which": nats_of(counts / counts.sum(1, keepdims=True), test_ids),
}
for name, nats in baselines.items():
    print(f"{name:20} {nats:.2f} nats a character")

# %% [markdown]
# The model's weights are drawn so small that it begins as one who knows nothing:

# %%
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def windows(ids, number, rng):
    """Windows from anywhere in a text, and the same one character on: (number, context) each."""
    first = rng.integers(0, len(ids) - CONTEXT, (number, 1))
    drawn = ids[first + np.arange(CONTEXT + 1)]
    return drawn[:, :-1], drawn[:, 1:]


TEST = windows(test_ids, 32 if QUICK else 512, np.random.default_rng(1))
at_first = float(loss(TEST[1], model(TEST[0])))
print(f"before it has learnt: {at_first:.2f} nats a character, log V is {np.log(V):.2f}")

# %% [markdown]
# ## No position sees a later one
#
# Each of the logits is to foretell the next character, so none may see it. Change the last
# character, and nothing before it changes. That is why a window of 64 characters is 64 examples,
# all of them learnt in one pass.

# %%
changed = u.copy()
changed[0, -1] = (changed[0, -1] + 1) % V
np.testing.assert_allclose(array(model(changed))[0, :-1], array(model(u))[0, :-1], atol=1e-5)

# %% [markdown]
# ## Training
#
# Random windows, AdamW, the gradient clipped to a length of 1, a rate that rises and then falls
# along a cosine: the setting of [nanoGPT](https://github.com/karpathy/nanoGPT) for a CPU, whose
# author reports 1.88 nats a character on Shakespeare's plays. The recipe `kblocks train characters`
# does the same with checkpoints, logs and an export.

# %%
STEPS, BATCH, EPOCHS = (120, 16, 4) if QUICK else (2000, 12, 10)
rate = keras.optimizers.schedules.CosineDecay(
    0.0, STEPS, alpha=0.1, warmup_target=4e-3 if QUICK else 1e-3, warmup_steps=STEPS // 20
)
model.compile(
    GlobalNormClipping(keras.optimizers.AdamW(rate, weight_decay=0.1, beta_2=0.99), 1.0),
    loss,
    jit_compile=False,
)
model.optimizer.build(model.trainable_variables)  # or `fit` makes them, and traces twice
inputs, labels = windows(train_ids, STEPS * BATCH, np.random.default_rng(0))
share = len(inputs) // EPOCHS
history = {"loss": [], "val_loss": []}
for epoch in range(EPOCHS):
    part = slice(epoch * share, (epoch + 1) * share)
    log = model.fit(inputs[part], labels[part], batch_size=BATCH, verbose=0).history
    history["loss"].append(log["loss"][0])
    history["val_loss"].append(float(loss(TEST[1], model(TEST[0]))))
    print(
        f"{epoch + 1:2}: {log['loss'][0]:.2f} in training, {history['val_loss'][-1]:.2f} held out"
    )
learnt = history["loss"][-1] if QUICK else history["val_loss"][-1]
plot_curves(history, title=f"{title}: nats a character", path=PICTURES / "5_3_curves.png")

# %% [markdown]
# ## What the context is good for
#
# At the first position of a window the model knows one character, at the last as many as it has
# positions. So the loss by position says what more context is worth. It falls at once below that of
# the table of pairs, and then slowly: the next letter is mostly decided by the word it is in.

# %%
shown = windows(train_ids, 64, np.random.default_rng(2)) if QUICK else TEST
logits = array(model(shown[0]))
logits -= logits.max(-1, keepdims=True)
log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
by_position = -np.take_along_axis(log_p, shown[1][..., None], -1)[..., 0].mean(0)  # (context,)
early, late = by_position[:2].mean(), by_position[CONTEXT // 2 :].mean()
print(f"{early:.2f} nats with one or two characters to go by, {late:.2f} with many")

figure = Figure(figsize=(6.5, 3.4), layout="constrained")
axes = figure.add_subplot()
axes.plot(np.arange(1, CONTEXT + 1), by_position)
axes.axhline(
    baselines["which follows which"], color="0.4", linestyle="--", label="which follows which"
)
axes.set(xlabel="characters that it has seen", ylabel="nats a character", ylim=(0, None))
axes.grid(alpha=0.3)
axes.legend(loc="lower right")
figure.savefig(PICTURES / "5_3_positions.png", dpi=120)
figure

# %% [markdown]
# ## Where it looks
#
# All layers and heads over a line; a row looks, a column is looked at. Nothing lies over the
# diagonal. Some heads look at the character before, others back to the last space: at what word
# they are in.

# %%
piece = text[:24].split("\n")[0]
weights = array(model.heads(vocabulary.ids(piece)[None]))[0]  # (layers, heads, time, time)
assert not np.triu(weights, 1).any()
plot_heads(
    weights,
    [{" ": "_"}.get(character, character) for character in piece],
    title="a row looks at those before it",
    path=PICTURES / "5_3_heads.png",
)

# %% [markdown]
# ## Speaking, with a cache
#
# To speak, the model is asked for the next character, and then again with it, and so on. What it
# has computed of the characters before, their keys and values in each layer, does not change any
# more, and is kept: a step computes one position alone. What comes out is what the whole would have
# given:

# %%
prompt = vocabulary.ids(text[:12])[None]
said = np.concatenate([prompt, array(model.generate(prompt, CONTEXT - 12).tokens)[:, 0]], axis=1)
whole = array(model(said))[0]  # (time, V): all positions at once
memory, carry = model.start(said[:, :1], length=said.shape[1])
for t in range(said.shape[1]):
    logits, carry, _ = model.step(ops.convert_to_tensor(said[:, t]), carry, memory)
    np.testing.assert_allclose(array(logits)[0], whole[t], rtol=1e-3, atol=1e-3)
assert (whole[11:-1].argmax(-1) == said[0, 12:]).all()  # greedy: always the most probable one

# %% [markdown]
# Beyond its last position it must read anew: `SlidingWindow` shows it the last characters at each
# step, at the price of the cache.
#
# Always the most probable one, and a model soon goes in circles. By chance, in proportion to
# $p^{1/T}$, it does not: the temperature $T$ says how bold it is.

# %%


def written(ids):
    return "".join(vocabulary.characters[i] for i in ids if i >= 0)


long = array(greedy(SlidingWindow(model), prompt, 24 if QUICK else 200).tokens)[0, 0]
print("greedy:", written(said[0][:12]) + written(long), "", sep="\n")
variety = {}
for temperature in (0.2, 0.8, 1.5):
    drawn = model.sample(
        prompt, CONTEXT - 12, temperature=temperature, samples=8 if QUICK else 32, seed=0
    )
    tokens = array(drawn.tokens)[0]  # (samples, time)
    variety[temperature] = len({tuple(row[:8]) for row in tokens.tolist()}) / len(tokens)
    print(f"temperature {temperature}: {written(said[0][:12]) + written(tokens[0])!r}")
print("share of different beginnings:", {t: round(v, 2) for t, v in variety.items()})

# %% [markdown]
# ## Exercise
#
# Is it the order of the characters that the context tells, or only which ones occurred? Take the
# position embeddings away, and train again.
#
# ## Solution
#
# Without $W_p$ it still learns, and not much worse: that no position sees a later one gives away
# where it stands, since the first one can look at one position only, the second at two, and so on.
# In an encoder, where all see all, nothing would be left of the order (tutorial 4.1).


# %%
class WithoutPositions(GPT2):
    """A GPT-2 that nobody tells where a token stands."""

    def embed(self, tokens, start=0, training=False):
        return self.token_embedding(ops.maximum(tokens, 0))


without = None
if not QUICK:
    other = WithoutPositions(
        V, LAYERS, WIDTH, HEADS, max_length=CONTEXT, dropout=0.0, attention_dropout=0.0
    )
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, STEPS, alpha=0.1, warmup_target=1e-3, warmup_steps=STEPS // 20
    )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=0.1, beta_2=0.99)
    other.compile(GlobalNormClipping(optimizer, 1.0), loss, jit_compile=False)
    other.fit(inputs, labels, batch_size=BATCH, verbose=0)
    without = float(loss(TEST[1], other(TEST[0])))
    print(f"without positions: {without:.2f} nats a character, with them {learnt:.2f}")

# %% [markdown]
# ## What was learned
#
# An embedding is a product with a one-hot vector; a GPT begins as one who knows nothing, and soon
# beats who has counted pairs; more context helps; and with a cache it says what it would have said
# without.

# %%
assert abs(at_first - np.log(V)) < 0.1
assert baselines["which follows which"] < baselines["how frequent"] < baselines["knows nothing"]
assert learnt < baselines["which follows which"]
assert late < early
assert variety[0.2] <= variety[1.5]
if not QUICK:
    assert learnt < 0.9 * baselines["which follows which"]
    assert learnt - 0.05 < without < baselines["which follows which"]
print("All as expected.")
