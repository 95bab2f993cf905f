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
# # 4.1 The Transformer
#
# A recurrent network reads a sentence word by word. The Transformer reads all words at once: each
# looks at all the others, and nothing but attention moves anything from one place to another. Here
# we build it up from one attention score, see what the heads, the positions and the masks are for,
# train one to put letters in order, and look at all of its heads.
#
# It runs as a script (`python tutorials/4_1_transformer.py`, pictures in `runs/tutorials`) and as a
# notebook. `KBLOCKS_QUICK=1` makes it a short run: fewer letters, fewer steps.

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
from kblocks.metrics import head_statistics
from kblocks.models import TransformerTranslator
from kblocks.plotting import plot_head_lines, plot_head_statistics, plot_heads
from kblocks.training import MaskedAccuracy, MaskedCrossentropy, NoamSchedule

QUICK = os.environ.get("KBLOCKS_QUICK") == "1"
PICTURES = Path("runs/tutorials")
PICTURES.mkdir(parents=True, exist_ok=True)
keras.utils.set_random_seed(0)


def array(x):
    return ops.convert_to_numpy(x)


# %% [markdown]
# ## What the lecture says
#
# - The Transformer has no recurrence: it is composed of self-attention alone, so that what is far
#   apart is as near as what is close, and all positions of a sentence are computed at once.
# - Several attentions, the *heads*, run side by side, and can look at different things.
# - Pictures of the heads' weights show that each learns something else.
#
# ## The equations
#
# Vaswani et al. (2017), with queries $Q$, keys $K$ and values $V$, a row a position:
#
# $$ \mathrm{Attention}(Q, K, V) = \mathrm{softmax}\Big(\frac{Q K^\top}{\sqrt{d_k}}\Big)\, V $$
# $$ \mathrm{head}_i = \mathrm{Attention}(Q W_i^Q, K W_i^K, V W_i^V) \qquad
# \mathrm{MultiHead}(Q, K, V) = \mathrm{Concat}(\mathrm{head}_1, \ldots, \mathrm{head}_h)\, W^O $$
#
# ## One score
#
# A query asks every key how much it has to do with it: a product, which is large where both point
# the same way. The softmax makes weights of the scores, and the values are summed by these.

# %%
rng = np.random.default_rng(0)


def softmax(scores):
    e = np.exp(scores - scores.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def attention(Q, K, V):
    """The context of each query and the weights, (target, d_v) and (target, source)."""
    a = softmax(Q @ K.T / np.sqrt(Q.shape[-1]))
    return a @ V, a


keys = np.eye(3)  # three directions
values = np.array([[10.0], [20.0], [30.0]])
for sharpness in (0, 2, 20):
    context, a = attention(sharpness * keys[1:2], keys, values)
    print(
        f"a query {sharpness:2} times the second key: weights {a[0].round(2)}, {context[0, 0]:.1f}"
    )

# %% [markdown]
# Why divide by $\sqrt{d_k}$? The product of two random vectors has a standard deviation of
# $\sqrt{d_k}$. Without the division the scores grow with the width, the softmax puts all on one
# key, and its gradient vanishes. In bits, how widely one looks at 16 random keys:

# %%
widely = {}
for d_k in (4, 64, 1024):
    Q, K = rng.normal(size=(2, 16, d_k))
    plain, scaled = softmax(Q @ K.T), softmax(Q @ K.T / np.sqrt(d_k))
    widely[d_k] = [
        head_statistics(a[None, None, None]).entropy.item() for a in (plain, scaled)
    ]  # bits
    print(f"d_k {d_k:4}: {widely[d_k][0]:.1f} bits without, {widely[d_k][1]:.1f} with the division")

# %% [markdown]
# ## Heads
#
# One softmax gives one average. Heads have a projection each, into $d_k = d / h$ features, so that
# together they cost what one of full width would, and each can look elsewhere. By hand, with the
# weights of the layer:

# %%
WIDTH, HEADS = 16, 4
x = rng.normal(size=(1, 6, WIDTH)).astype("float32")  # (batch, time, features)
layer = kblocks.layers.MultiHeadAttention(num_heads=HEADS, key_dim=WIDTH // HEADS)
output, weights = layer(x, x, return_attention_scores=True)
W_Q, W_K, W_V, W_O = (array(w) for w in (layer.W_Q, layer.W_K, layer.W_V, layer.W_O))

heads = [
    attention(x[0] @ W_Q[:, i], x[0] @ W_K[:, i], x[0] @ W_V[:, i])  # biases are 0 at first
    for i in range(HEADS)
]
by_hand = np.concatenate([context for context, _ in heads], -1) @ W_O.reshape(WIDTH, WIDTH)
np.testing.assert_allclose(array(output)[0], by_hand, rtol=1e-4, atol=1e-5)
np.testing.assert_allclose(array(weights)[0], [a for _, a in heads], rtol=1e-4, atol=1e-6)
print("weights (batch, heads, target, source):", tuple(weights.shape))

# %% [markdown]
# ## Positions
#
# Attention does not know order. Shuffle the words, and the outputs are the same ones, shuffled:

# %%
order = rng.permutation(6)
np.testing.assert_allclose(
    array(layer(x[:, order], x[:, order])), array(output)[:, order], rtol=1e-4, atol=1e-5
)

# %% [markdown]
# So the words have to say where they stand. The paper adds waves to the embeddings, short ones in
# the first features and long ones in the last:
#
# $$ PE_{(pos, 2i)} = \sin(pos / 10000^{2i/d}) \qquad PE_{(pos, 2i+1)} = \cos(pos / 10000^{2i/d}) $$
#
# The product of two encodings depends on how far apart they are, and not on where: a head can look
# "three to the left" wherever it stands.

# %%
LENGTH, D = 60, 64
encoding = array(kblocks.layers.SinusoidalPositionEncoding()(np.zeros((1, LENGTH, D), "float32")))
encoding = encoding[0]  # (time, features)
products = encoding @ encoding.T
for apart in (0, 1, 5, 20):
    along = np.diagonal(products, apart)
    np.testing.assert_allclose(along, along[0], rtol=1e-3)
    print(f"{apart:2} apart: {along[0]:.1f}")

figure = Figure(figsize=(9, 3.4), layout="constrained")
left_axes, right_axes = figure.subplots(1, 2)
image = left_axes.imshow(encoding, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
left_axes.set(xlabel="feature", ylabel="position", title="the encoding")
figure.colorbar(image, ax=left_axes)
for position in (10, 30, 50):
    right_axes.plot(products[position], label=str(position))
right_axes.set(xlabel="position", title="the product of two encodings")
right_axes.set_ylim(top=40)
right_axes.grid(alpha=0.3)
right_axes.legend(title="with that of position", loc="upper center", ncols=3)
figure.savefig(PICTURES / "4_1_positions.png", dpi=120)
figure

# %% [markdown]
# ## A layer of the encoder
#
# Attention mixes the positions, a small network of two dense maps works on each of them, and each
# of the two stands in a residual connection with a layer normalisation behind it:
#
# $$ x \leftarrow \mathrm{LayerNorm}(x + \mathrm{MultiHead}(x, x, x)) \qquad
# y = \mathrm{LayerNorm}(x + \mathrm{FFN}(x)) $$
# $$ \mathrm{FFN}(x) = \max(0, x W_1 + b_1) W_2 + b_2 $$

# %%
encoder = kblocks.layers.TransformerEncoderLayer(num_heads=HEADS, intermediate_dim=32)
y = encoder(x)


def layer_norm(x):  # its scale is 1 and its shift 0 at first
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + encoder.epsilon)


middle = layer_norm(x + array(encoder.self_attention(x, x)))
W_1, W_2 = (array(d.kernel) for d in (encoder.feed_forward.inner, encoder.feed_forward.outer))
np.testing.assert_allclose(
    array(y), layer_norm(middle + np.maximum(0, middle @ W_1) @ W_2), rtol=1e-3, atol=1e-4
)

# %% [markdown]
# ## A layer of the decoder
#
# It has one attention more, to the encoder's output; and in its self-attention a position sees only
# itself and those before it. So all positions can be trained at once, and none sees the word that
# it is to say. Change the last word, and nothing before it changes:

# %%
decoder = kblocks.layers.TransformerDecoderLayer(num_heads=HEADS, intermediate_dim=32)
changed = x.copy()
changed[:, -1] += 1.0
before, to_past, to_source = decoder(x, y, return_attention_scores=True)
after = decoder(changed, y)
np.testing.assert_allclose(array(after)[:, :-1], array(before)[:, :-1], atol=1e-6)
assert np.abs(array(after)[:, -1] - array(before)[:, -1]).max() > 0.1
assert not np.triu(array(to_past), 1).any()  # (batch, heads, target, target)

# %% [markdown]
# ## A Transformer that puts letters in order
#
# `TransformerTranslator` stacks these layers between an embedding and a softmax. The task: read
# different letters in any order, and say them in that of the alphabet. To say the next one, it has
# to find the smallest letter that is larger than the last.

# %%
LETTERS = "abcdefghijklmnopqrstuvwxyz"[: 12 if QUICK else 26]
SHORTEST, LONGEST = 4, 6 if QUICK else 10
STEPS, BATCH = (100, 64) if QUICK else (800, 128)
FIRST = tokens.END + 1  # the id of "a"
VOCABULARY = FIRST + len(LETTERS)


def examples(number, arranged, rng):
    """Ids of different letters, and of the same arranged, as decoder inputs and as labels."""
    arrays = np.zeros((3, number, LONGEST + 1), "int32")  # source, target, labels
    for row, length in enumerate(rng.integers(SHORTEST, LONGEST + 1, number)):
        drawn = FIRST + rng.permutation(len(LETTERS))[:length]
        wanted = arranged(drawn)
        arrays[0, row, : length + 1] = [*drawn, tokens.END]
        arrays[1, row, : length + 1] = [tokens.START, *wanted]
        arrays[2, row, : length + 1] = [*wanted, tokens.END]
    return {"source": arrays[0], "target": arrays[1]}, arrays[2]


def train(model_class, arranged, steps=STEPS):
    """A trained model, and the share of whole sequences that it says right."""
    keras.utils.set_random_seed(0)
    model = model_class(
        VOCABULARY,
        VOCABULARY,
        layers=2,
        embedding_dim=64,
        num_heads=4,
        intermediate_dim=128,
        dropout=0.0,
    )
    # The paper's: up for the warm-up, then down with the square root of the step; 0.004 at most.
    warm_up = steps // 4
    rate = NoamSchedule(1, warm_up, scale=0.004 * warm_up**0.5)
    model.compile(
        keras.optimizers.Adam(rate, beta_2=0.98, epsilon=1e-9),
        MaskedCrossentropy(),
        metrics=[MaskedAccuracy()],
        jit_compile=False,
    )
    model.build()
    model.optimizer.build(model.trainable_variables)  # or `fit` makes them, and traces twice
    inputs, labels = examples(steps * BATCH, arranged, np.random.default_rng(1))
    model.fit(inputs, labels, batch_size=BATCH, epochs=1, verbose=0)
    test, wanted = examples(200 if QUICK else 500, arranged, np.random.default_rng(2))
    said = array(model.translate(test["source"], max_length=LONGEST + 1, beam_width=1).tokens)
    return model, float((said[:, 0] == wanted).all(axis=1).mean())


model, sorted_right = train(TransformerTranslator, np.sort)
print(f"{sorted_right:.1%} of new sequences in order, {model.count_params():,} weights")

# %% [markdown]
# ## All heads of one sequence
#
# `heads` gives the weights of all layers and heads: those of the encoder and of the decoder to
# themselves, and those of the decoder to the encoder, "cross". A row of pictures is a layer, a
# column a head; in a picture a row looks and a column is looked at.


# %%
def words(ids):
    named = {tokens.START: "<s>", tokens.END: "</s>"}
    return [named.get(i, LETTERS[i - FIRST]) for i in map(int, ids) if i != tokens.PADDING]


inputs, labels = examples(300, np.sort, np.random.default_rng(3))
shown = int(np.argmax((labels != 0).sum(1)))  # a longest one
one = {name: ids[shown : shown + 1] for name, ids in inputs.items()}
source, read, said = words(one["source"][0]), words(one["target"][0]), words(labels[shown])
of_one = model.heads(one)
plot_heads(array(of_one.encoder)[0], source, title="encoder", path=PICTURES / "4_1_encoder.png")

# %%
plot_heads(array(of_one.decoder)[0], read, title="decoder", path=PICTURES / "4_1_decoder.png")

# %%
plot_heads(array(of_one.cross)[0], source, said, title="cross", path=PICTURES / "4_1_cross.png")

# %% [markdown]
# ## What the heads look at
#
# The entropy says how widely a head looks, in bits, and the distance how far. Which head finds the
# letter that is said next? We measure the weight that each puts on it.

# %%
everything = model.heads(inputs)
masks = {
    "encoder": inputs["source"] != 0,
    "decoder": inputs["target"] != 0,
    "cross": inputs["target"] != 0,
}
statistics = {
    name: head_statistics(array(weights), masks[name])
    for name, weights in everything._asdict().items()
}
plot_head_statistics(statistics, path=PICTURES / "4_1_statistics.png")

# %%
cross = array(everything.cross)  # (batch, layers, heads, target, source)
is_said = labels[:, :, None] == inputs["source"][:, None, :]  # (batch, target, source)
real = labels != tokens.PADDING
on_it = (cross * is_said[:, None, None]).sum(-1)  # (batch, layers, heads, target)
on_it = (on_it * real[:, None, None]).sum((0, 3)) / real.sum()  # (layers, heads)
best = np.unravel_index(on_it.argmax(), on_it.shape)
evenly = np.mean([1 / (row != 0).sum() for row in inputs["source"]])
print("weight on the letter that is said, by layer and head:", on_it.round(2), sep="\n")
print(f"a head that looks evenly would have {evenly:.2f}")
plot_head_lines(
    array(of_one.cross)[0, best[0], best[1]],
    source,
    said,
    labels=("says", "looks at"),
    title=f"cross, layer {best[0] + 1}, head {best[1] + 1}",
    path=PICTURES / "4_1_lines.png",
)

# %% [markdown]
# ## Saying it, step by step
#
# In training all positions are computed at once. When it speaks, each letter has to wait for the
# one before. The keys and values of what was said are kept in caches, so that a step computes one
# position only; what comes out is what the whole would have given:

# %%
whole = array(model(one))[0]  # (target, vocabulary)
memory, carry = model.start(one["source"], length=len(said))
for t in range(len(said)):
    logits, carry, _ = model.step(ops.convert_to_tensor(one["target"][:, t]), carry, memory)
    np.testing.assert_allclose(array(logits)[0], whole[t], rtol=1e-3, atol=1e-3)
print("as read:", " ".join(source), "\nas said:", " ".join(said))

# %% [markdown]
# ## Exercise
#
# Take the positions of the source away: the encoder then sees a bag of letters. Can it still learn
# to put them in order? Can it learn to say them backwards?
#
# ## Solution
#
# In order, yes: where a letter stood does not matter to the answer. Backwards, no: all orders of
# the same letters look alike, so it can only guess which one it was.


# %%
class WithoutPositions(TransformerTranslator):
    """Nobody tells the encoder where a letter stands."""

    def embed(self, name, ids, start=0, training=False):
        if name == "target":
            return super().embed(name, ids, start, training)
        return self.source_embedding(ids) * self.embedding_dim**0.5


def backwards(ids):
    return ids[::-1]


bag = {}
if not QUICK:
    for task, arranged in (("in order", np.sort), ("backwards", backwards)):
        _, bag[task] = train(WithoutPositions, arranged)
        print(f"without positions, {task}: {bag[task]:.1%} right")
    _, reversed_right = train(TransformerTranslator, backwards)
    print(f"with positions, backwards: {reversed_right:.1%} right")

# %% [markdown]
# ## What was learned
#
# The blocks are their equations; the division keeps the softmax wide; the trained model puts
# letters in order, and one of its heads looks at the letter that it is about to say; and order it
# knows from the positions alone.

# %%
assert widely[1024][0] < 1 < 3 < widely[1024][1]
assert sorted_right > (0.3 if QUICK else 0.9)
assert on_it.max() > (1.5 * evenly if QUICK else 0.5)
if not QUICK:
    assert bag["in order"] > 0.9
    assert bag["backwards"] < 0.1
    assert reversed_right > 0.9
print("All as expected.")
