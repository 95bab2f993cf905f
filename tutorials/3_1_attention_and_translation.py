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
# # 3.1 Attention and translation
#
# An encoder-decoder without attention squeezes a whole sentence into one vector and writes the
# translation from that. Attention lets it look back at the sentence, word by word, as it writes.
# Here we take the procedure apart, measure what it is worth at each sentence length, and train a
# small translator from English to German.
#
# It runs as a script (`python tutorials/3_1_attention_and_translation.py`, pictures in
# `runs/tutorials`) and as a notebook. `KBLOCKS_QUICK=1` makes it a short run: shorter sequences,
# and only a glance at the real text.

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
from kblocks import data, tokens
from kblocks.metrics import bleu
from kblocks.models import BahdanauTranslator, LuongTranslator
from kblocks.plotting import plot_attention
from kblocks.text import SubwordVocabulary
from kblocks.training import GlobalNormClipping, MaskedAccuracy, MaskedCrossentropy

QUICK = os.environ.get("KBLOCKS_QUICK") == "1"
PICTURES = Path("runs/tutorials")
PICTURES.mkdir(parents=True, exist_ok=True)
keras.utils.set_random_seed(0)

# %% [markdown]
# ## What the lecture says
#
# For a translation, attention takes five steps:
#
# 1. Encode each token of the source into a key vector.
# 2. While decoding, compare a query with all keys: the alignment scores.
# 3. Normalise the scores: the attention weights.
# 4. Sum the values (again the encoder's states) by these weights: the context.
# 5. Use the context to produce the next token.
#
# ## The equations
#
# With queries $q_t$, keys $k_s$ and values $v_s$:
#
# $$ e_{ts} = \mathrm{score}(q_t, k_s) \qquad a_{ts} = \frac{\exp e_{ts}}{\sum_{s'} \exp e_{ts'}}
# \qquad c_t = \sum_s a_{ts} v_s $$
#
# The scores of the lecture's table, one layer each in `kblocks.layers`:
#
# | score | $\mathrm{score}(q, k)$ | layer | paper |
# |---|---|---|---|
# | content | $\beta \cos(q, k)$ | `ContentScore` | Graves et al. 2014 |
# | additive | $v^\top \tanh(W_q q + W_k k)$ | `AdditiveScore` | Bahdanau et al. 2015 |
# | location | $(W q)_s$ | `LocationScore` | Luong et al. 2015 |
# | general | $q^\top W k$ | `GeneralScore` | Luong et al. 2015 |
# | dot | $q^\top k$ | `DotScore` | Luong et al. 2015 |
# | scaled dot | $q^\top k / \sqrt{d_k}$ | `ScaledDotScore` | Vaswani et al. 2017 |
#
# The location score never looks at the keys: it knows positions only. A bare cosine lies between -1
# and 1 and its softmax cannot concentrate, hence the learned sharpness $\beta$.
#
# ## The block
#
# The additive score by hand in NumPy, then by `BahdanauAttention`:

# %%
rng = np.random.default_rng(0)
batch, target, source, features, units = 2, 3, 5, 4, 6
query = rng.normal(size=(batch, target, features)).astype("float32")
states = rng.normal(size=(batch, source, features)).astype("float32")  # keys and values

layer = kblocks.layers.BahdanauAttention(units)
context, weights = layer(query, value=states, return_attention_scores=True)

W_q, W_k, v = (
    ops.convert_to_numpy(w) for w in (layer.score.W_q.kernel, layer.score.W_k.kernel, layer.score.v)
)
hidden = np.tanh((query @ W_q)[:, :, None] + (states @ W_k)[:, None])  # (batch, target, source, 6)
scores = hidden @ v  # (batch, target, source)
a = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
c = a @ states  # (batch, target, features)
np.testing.assert_allclose(ops.convert_to_numpy(weights), a, rtol=1e-4, atol=1e-6)
np.testing.assert_allclose(ops.convert_to_numpy(context), c, rtol=1e-4, atol=1e-6)

# %% [markdown]
# `Attention(score)` puts any of the six in the same place. What differs is how much they learn:

# %%
for score in ("content", "additive", "location", "general", "dot", "scaled_dot"):
    layer = kblocks.layers.Attention(score, max_length=source)
    context, weights = layer(query, value=states, return_attention_scores=True)
    print(
        f"{score:10} {layer.count_params():3} weights; context {tuple(context.shape)}, "
        f"attention {tuple(weights.shape)}"
    )

# %% [markdown]
# Padding gets no weight. With a mask the weights of the hidden positions are exactly 0:

# %%
seen = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], dtype=bool)
_, weights = layer(query, value=states, attention_mask=seen, return_attention_scores=True)
assert float(ops.max(weights[0, :, 3:])) == 0.0

# %% [markdown]
# ## Before or after the step
#
# There are two places for it in a decoder.
#
# - Bahdanau asks *before* the step, with the state of the step before:
#   $c_i = \mathrm{attend}(s_{i-1}, h)$, then $s_i = f(s_{i-1}, [y_{i-1}; c_i])$.
#   `BahdanauTranslator`: a bidirectional encoder, additive scores, a maxout readout.
# - Luong asks *after* it, with the new state: $h_t = f(h_{t-1}, y_{t-1})$, then
#   $\tilde h_t = \tanh(W_c [\mathrm{attend}(h_t, \bar h); h_t])$, and $\tilde h_t$ is fed into the
#   next step. `LuongTranslator`: stacked LSTMs, any score.
#
# Both take `attention=None`: then the encoder's last state is all that the decoder gets. Both are
# called with ids, and give the logits of the next token at each target position:

# %%
ids = {"source": np.array([[7, 5, 9, tokens.END]]), "target": np.array([[tokens.START, 8]])}
for Translator in (BahdanauTranslator, LuongTranslator):
    model = Translator(source_vocabulary_size=10, target_vocabulary_size=12, units=16)
    logits, alignment = model(ids, return_attention_scores=True)
    print(
        f"{Translator.__name__}: logits {tuple(logits.shape)}, attention {tuple(alignment.shape)}"
    )

# %% [markdown]
# ## What attention is worth, by length
#
# First a task that needs nothing but memory: say a sequence of words backwards. There is no
# grammar to guess from, so what the fixed vector loses shows.

# %%
NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
WORDS = len(NAMES)
SHORTEST = 4  # BLEU counts runs of four words
LONGEST, STEPS = (8, 90) if QUICK else (15, 150)
BATCH = 128
KINDS = {"with attention": "additive", "without attention": None}
if QUICK:  # a model costs five seconds before its first step
    del KINDS["without attention"]


def reversals(number, rng):
    """Word ids, the same backwards as decoder inputs and as labels, and the lengths."""
    lengths = rng.integers(SHORTEST, LONGEST + 1, number)
    words = rng.integers(tokens.END + 1, tokens.END + 1 + WORDS, (number, LONGEST))
    arrays = np.zeros((3, number, LONGEST + 1), "int32")  # source, target, labels
    for row, (length, sentence) in enumerate(zip(lengths, words, strict=True)):
        forward, backward = sentence[:length], sentence[:length][::-1]
        arrays[0, row, : length + 1] = [*forward, tokens.END]
        arrays[1, row, : length + 1] = [tokens.START, *backward]
        arrays[2, row, : length + 1] = [*backward, tokens.END]
    return {"source": arrays[0], "target": arrays[1]}, arrays[2], lengths


def compiled(model, steps, rate=0.01):
    """Adam under a falling rate, gradients clipped by their norm (see the lecture on RNNs)."""
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    optimizer = GlobalNormClipping(keras.optimizers.Adam(schedule), 5.0)
    model.compile(optimizer, MaskedCrossentropy(), metrics=[MaskedAccuracy()], jit_compile=False)
    return model


def sentences(ids):
    """Ids as lines of words, for BLEU."""
    first = tokens.END + 1
    return [" ".join(NAMES[i - first] for i in row if i >= first) for row in np.asarray(ids)]


inputs, labels, _ = reversals(BATCH * STEPS, np.random.default_rng(1))
test_inputs, test_labels, test_lengths = reversals(400, np.random.default_rng(2))
produced, looked = {}, {}
for name, attention in KINDS.items():
    keras.utils.set_random_seed(0)
    vocabulary_size = tokens.END + 1 + WORDS
    model = compiled(
        BahdanauTranslator(
            vocabulary_size, vocabulary_size, embedding_dim=32, units=64, attention=attention
        ),
        STEPS,
    )
    model.fit(inputs, labels, batch_size=BATCH, epochs=1, verbose=0)
    decoded = model.translate(test_inputs["source"], max_length=LONGEST + 1, beam_width=1)
    produced[name] = sentences(decoded.tokens[:, 0])
    looked[name] = ops.convert_to_numpy(decoded.alignment[:, 0])  # (number, target, source)

# %%
references = sentences(test_labels)
edges = np.arange(SHORTEST, LONGEST + 1, 2)


def by_length(hypotheses, references, lengths, edges):
    """BLEU in each range of lengths; the last one is open."""
    bounds = [*edges[1:], 10**6]
    found = []
    for a, b in zip(edges, bounds, strict=True):
        rows = np.flatnonzero((lengths >= a) & (lengths < b))
        found.append(bleu([hypotheses[r] for r in rows], [references[r] for r in rows]))
    return found


def ranges(edges, last):
    """The ranges as labels."""
    ends = [*(e - 1 for e in edges[1:]), last]
    return [str(a) if a == b else f"{a}-{b}" for a, b in zip(edges, ends, strict=True)]


def draw_by_length(curves, labels, title, path):
    figure = Figure(figsize=(5.6, 3.4), layout="constrained")
    axes = figure.add_subplot()
    for name, values in curves.items():
        axes.plot(labels, values, marker="o", label=name)
    axes.set(xlabel="words in the source", ylabel="BLEU", title=title)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)
    return figure


reversal_bleu = {
    name: by_length(hypotheses, references, test_lengths, edges)
    for name, hypotheses in produced.items()
}
for name, values in reversal_bleu.items():
    print(f"{name:17}", " ".join(f"{value:5.1f}" for value in values))
draw_by_length(
    reversal_bleu,
    ranges(edges, LONGEST),
    "words said backwards",
    PICTURES / "3_1_bleu_by_length.png",
)

# %% [markdown]
# And the attention of one sequence: the last word first.

# %%
longest = int(test_lengths.argmax())
length = int(test_lengths[longest])
source_words = references[longest].split()[::-1]
target_words = produced["with attention"][longest].split()
plot_attention(
    looked["with attention"][longest, : len(target_words), : length + 1],
    [*source_words, "end"],
    target_words,
    path=PICTURES / "3_1_attention_backwards.png",
)

# %%
mirrored = []  # the weight on the word that is being said
for row, length in enumerate(test_lengths):
    at = np.arange(length)
    mirrored.append(looked["with attention"][row, at, length - 1 - at])
mirrored = np.concatenate(mirrored)
print(f"weight on the right word: {mirrored.mean():.2f} on average")

# %% [markdown]
# ## Real text
#
# kblocks brings English-German pairs of LibreOffice's help. We take the short ones, learn subwords
# from them (one vocabulary for both languages), make batches of about equal length, and train a
# small `BahdanauTranslator`.
#
# A minute is very little for a translator: expect the beginnings and the frame of a sentence, and
# words that do not exist. What the full recipe, `kblocks train translation`, reaches in its hour or
# two stands in the README's table and in `results/`.

# %%
MAX_WORDS, PIECES, UNITS, EPOCHS = (4, 500, 32, 0) if QUICK else (6, 700, 64, 10)

pairs = data.libreoffice_help(max_words=MAX_WORDS)
vocabulary = SubwordVocabulary.train((side for pair in pairs.train for side in pair), PIECES)
batches = data.translation_batches(pairs.train, vocabulary, vocabulary, BATCH, max_length=20)
print(len(pairs.train), "pairs,", vocabulary.size, "subwords,", batches.steps, "batches an epoch")
example = vocabulary.pieces(vocabulary.encode(["Opens the Printer dialog."]))
print(" ".join(piece.decode() for piece in example.numpy()[0]))

# %%
keras.utils.set_random_seed(0)
translator = compiled(
    BahdanauTranslator(
        vocabulary.size,
        vocabulary.size,
        embedding_dim=UNITS,
        units=UNITS,
        dropout=0.1,
        tie_embeddings="all",
    ),
    max(1, EPOCHS * batches.steps),
    rate=0.012,
)
if EPOCHS:
    translator.fit(
        batches.dataset,
        steps_per_epoch=batches.steps,
        epochs=EPOCHS,
        shuffle=False,  # the batches already are
        verbose=0,
    )

# %% [markdown]
# The held-out pairs share no sentence with the training pairs, not even one that differs in
# punctuation or numbers only. BLEU is sacrebleu's.

# %%
held_out = (pairs.validation + pairs.test)[: 40 if QUICK else None]
sources, german = zip(*held_out, strict=True)
source_ids = vocabulary.encode(list(sources), end=True).to_tensor()
decoded = translator.translate(source_ids, max_length=20, beam_width=1)
best = decoded.tokens[:, 0]  # (number, 20)
alignment = ops.convert_to_numpy(decoded.alignment[:, 0])  # (number, 20, source)
translations = [line.decode() for line in vocabulary.decode(best).numpy()]
reached = bleu(translations, german)
print(f"{reached:.1f} BLEU on {len(german)} held-out pairs" + ", untrained" * (EPOCHS == 0))
for row in range(0, len(german), len(german) // 6):
    print(f"\n{sources[row]}\n  reference:  {german[row]}\n  translated: {translations[row]}")

# %% [markdown]
# Sentences of up to six words fit into a fixed vector: try `attention=None` here, and little
# changes. With length it does: in Bahdanau et al. (2015, figure 2) the BLEU of the plain
# encoder-decoder falls from about 20 words on, as in the picture above, and with attention it does
# not.
#
# ## The attention, seen
#
# A row is a produced subword and shows where the model looked before it wrote it; `▁` begins a
# word, and `</s>` is the end. We take the longest sentence among the ten best translations. After a
# minute the attention is still broad, but it already walks along the sentence. `kblocks plot` draws
# that of a full run.

# %%
quality = [bleu([mine], [reference]) for mine, reference in zip(translations, german, strict=True)]
row = max(np.argsort(quality)[-10:], key=lambda row: len(sources[row].split()))
source_pieces = [piece.decode() for piece in vocabulary.id_to_piece(source_ids[row]).numpy()]
target_pieces = [piece.decode() for piece in vocabulary.id_to_piece(best[row]).numpy()]
source_length = int(np.count_nonzero(source_ids[row]))
target_length = int(np.count_nonzero(best[row]))
plot_attention(
    alignment[row, :target_length, :source_length],
    source_pieces[:source_length],
    target_pieces[:target_length],
    title=translations[row],
    path=PICTURES / "3_1_attention.png",
)

# %% [markdown]
# ## Exercise
#
# One of the six scores can say a sequence of *fixed* length backwards without ever looking at it.
# Which one? Train an `Attention` layer by itself (the query is the target position, the values are
# the words) and look at its weights. What becomes of shorter sequences?
#
# ## Solution
#
# The location score: a query "I am at position $t$" needs the source position $L + 1 - t$, whatever
# stands there. With another length $L$ it looks at the wrong places.

# %%
FIXED = 6
positions = keras.Input((None,), dtype="int32")
values = keras.Input((None, WORDS))
query = keras.layers.Embedding(FIXED, 24)(positions)
read, weights = kblocks.layers.Attention("location", max_length=FIXED)(
    query, value=values, return_attention_scores=True
)
model = keras.Model([positions, values], [read, weights])
model.compile(
    keras.optimizers.Adam(0.05), loss=["categorical_crossentropy", None], jit_compile=False
)

rng = np.random.default_rng(3)
one_hot = np.eye(WORDS, dtype="float32")[rng.integers(0, WORDS, (3200, FIXED))]
at = np.broadcast_to(np.arange(FIXED), (3200, FIXED))
model.fit([at, one_hot], one_hot[:, ::-1], batch_size=32, epochs=1, verbose=0)


def share_right(length):
    """How often the word read is the word wanted, at another length than the trained one."""
    read, weights = model([at[:500, :length], one_hot[:500, :length]])
    wanted = one_hot[:500, :length][:, ::-1].argmax(-1)
    right = ops.convert_to_numpy(read).argmax(-1) == wanted
    return right.mean(), ops.convert_to_numpy(weights[0])


fixed_right, location_weights = share_right(FIXED)
shorter_right, _ = share_right(FIXED - 1)
print(f"length {FIXED}: {fixed_right:.0%} right; length {FIXED - 1}: {shorter_right:.0%}")
plot_attention(
    location_weights,
    [f"position {k + 1}" for k in range(FIXED)],
    [f"word {k + 1}" for k in range(FIXED)],
    path=PICTURES / "3_1_location.png",
)

# %% [markdown]
# ## What was learned
#
# With attention the length does not matter; without it, it does. The weights fall on the word that
# is being said. A minute of real text gives the beginnings of a translator. Over several seeds the
# values stay well on the right side of these bounds.

# %%
assert reversal_bleu["with attention"][-1] > 90
assert mirrored.mean() > 0.5
if not QUICK:
    assert reversal_bleu["without attention"][-1] < 45
    assert reversal_bleu["without attention"][0] > reversal_bleu["without attention"][-1] + 30
    assert reached > 7
assert fixed_right > 0.99
assert shorter_right < 0.5
print("All as expected.")
