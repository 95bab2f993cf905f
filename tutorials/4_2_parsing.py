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
# # 4.2 Constituency parsing
#
# The tree of a sentence says which words belong together. Whoever reads it depth first reads a
# sequence of brackets, so a network that translates can parse: from words into brackets. Here we
# write trees as sequences and back, hold a decoder to sequences that are trees, train a Transformer
# on few trees of a small grammar, and see how much it gains from what need not be learnt at all.
#
# It runs as a script (`python tutorials/4_2_parsing.py`, pictures in `runs/tutorials`) and as a
# notebook. `KBLOCKS_QUICK=1` makes it a short run.

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

from kblocks import data
from kblocks.decoding import TreeConstraint
from kblocks.metrics import bracket_f1
from kblocks.models import TransformerParser, TransformerTranslator
from kblocks.parsing import right_branching
from kblocks.plotting import plot_attention, plot_tree
from kblocks.text import BracketVocabulary, WordsOrEndings
from kblocks.training import MaskedAccuracy, MaskedCrossentropy

QUICK = os.environ.get("KBLOCKS_QUICK") == "1"
PICTURES = Path("runs/tutorials")
PICTURES.mkdir(parents=True, exist_ok=True)
keras.utils.set_random_seed(0)

# %% [markdown]
# ## What the lecture says
#
# - Beside translation, Vaswani et al. (2017) demonstrate the Transformer's ability to learn
#   *structured* outputs for English constituency parsing, where it beats all other discriminative
#   recurrent sequence-to-sequence methods. (Nearly so: see erratum 10 in `docs/lecture.md`.)
#
# ## A tree is a sequence
#
# Read depth first, a tree is a row of brackets that open with a label, of words, and of brackets
# that close (Vinyals et al. 2015, [arXiv:1412.7449](https://arxiv.org/abs/1412.7449)). The words
# are known, so a token says no more of one than its part of speech:

# %%
tree = data.parse_tree("(S (NP (DT The) (NN dog)) (VP (VBZ barks)) (. .))")
sequence = data.linearise(tree, tags=True)
print(" ".join(sequence))
words = ["The", "dog", "barks", "."]
assert data.tree_of(sequence, words) == tree  # and back

# %% [markdown]
# So the probability of a tree $y$ over a sentence $x$ is that of its tokens, one after the other,
# and an encoder-decoder is trained on it as on any translation:
#
# $$ p(y \mid x) = \textstyle\prod_t p(y_t \mid y_1 \ldots y_{t-1}, x) $$
#
# ## A small grammar
#
# Sentences grow by rules that may nest: *who*, *of*, *says that*. Where a phrase with *with*
# belongs depends on a word in it: one sees *with a telescope*, but a man *with a hat* wears it.

# %%
rng = np.random.default_rng(0)
NOUNS = ["dog", "cat", "man", "woman", "child", "king", "queen", "bird"]
VERBS = ["sees", "likes", "hears", "follows"]
TOOLS, TRAITS = ["telescope", "camera", "mirror"], ["hat", "beard", "smile"]


def leaf(tag, words):
    return f"({tag} {rng.choice(words)})"


def noun_phrase(depth):
    core = f"(NP {leaf('DT', ['the', 'a'])} {leaf('NN', NOUNS)})"
    kind = rng.random() if depth else 1.0
    if kind < 0.25:
        return f"(NP {core} (PP (IN of) {noun_phrase(depth - 1)}))"
    if kind < 0.45:
        return f"(NP {core} (SBAR (WP who) {verb_phrase(depth - 1)}))"
    return core


def verb_phrase(depth):
    kind = rng.random() if depth else 1.0
    if kind < 0.2:
        return f"(VP (VBZ says) (SBAR (IN that) {clause(depth - 1)}))"
    if kind < 0.5:
        seen = noun_phrase(0)
        return f"(VP {leaf('VBZ', VERBS)} {seen} (PP (IN with) (NP (DT a) {leaf('NN', TOOLS)})))"
    if kind < 0.8:
        worn = f"(PP (IN with) (NP (DT a) {leaf('NN', TRAITS)}))"
        return f"(VP {leaf('VBZ', VERBS)} (NP {noun_phrase(0)} {worn}))"
    return f"(VP {leaf('VBZ', VERBS)} {noun_phrase(max(0, depth - 1))})"


def clause(depth):
    return f"(S {noun_phrase(depth)} {verb_phrase(depth)})"


def grow(count, depth):
    """So many different trees."""
    found = {}
    while len(found) < count:
        text = f"(S {noun_phrase(depth)} {verb_phrase(depth)} (. .))"
        found[text] = data.parse_tree(text)
    return list(found.values())


def words_of(tree):
    return [leaf.word for leaf in data.leaves(tree)]


DEPTH, NUMBER, EPOCHS = (2, 200, 6) if QUICK else (3, 400, 30)
trees = grow(NUMBER + 60, DEPTH)
train_trees, test_trees = trees[:NUMBER], trees[NUMBER:]
WORDS = WordsOrEndings.count([word for tree in train_trees for word in words_of(tree)])
BRACKETS = BracketVocabulary.count(data.linearise(tree, tags=True) for tree in train_trees)
print(data.bracket_string(train_trees[0]))
print(f"{WORDS.size} ids of words, {BRACKETS.size} of brackets and parts of speech")

# %% [markdown]
# ## Nothing but trees
#
# A network may forget a bracket, and two words with it. But which tokens can follow is simple: with
# $d$ brackets open and $w$ words to come, a word needs $w > 0$, a bracket closes only what is not
# empty, the outermost one only when $w = 0$, and a bracket opens only if there is room for all that
# must still come. `TreeConstraint` takes all other tokens out of each softmax. Then even a network
# that has learnt nothing writes trees:

# %%
ROOM = 3 * max(len(words_of(tree)) for tree in trees)
GRAMMAR = TreeConstraint(BRACKETS.size, BRACKETS.word, BRACKETS.close, first_tag=BRACKETS.first_tag)


def as_source(trees):
    batches = data.parsing_batches(trees, WORDS, BRACKETS, batch_size=len(trees), shuffle=False)
    inputs, _ = next(iter(batches.dataset))
    return inputs["source"]


def parse(model, trees, constraint=GRAMMAR):
    """A tree for each sentence, `None` where the network wrote none; and the attention."""
    decoded = model.translate(as_source(trees), ROOM, beam_width=1, constraint=constraint)
    found = []
    for tree, ids in zip(trees, ops.convert_to_numpy(decoded.tokens)[:, 0], strict=True):
        try:
            found.append(data.tree_of(BRACKETS.tokens(ids), words_of(tree)))
        except ValueError:
            found.append(None)
    return found, ops.convert_to_numpy(decoded.alignment)[:, 0]


SIZES = {
    "layers": 1 if QUICK else 2,
    "embedding_dim": 48,
    "num_heads": 4,
    "intermediate_dim": 96,
    "norm": "pre",
}
new = TransformerTranslator(WORDS.size, BRACKETS.size, tie_embeddings="target", **SIZES)
freely, held = (parse(new, test_trees[:20], grammar)[0] for grammar in (None, GRAMMAR))
print(f"untrained, freely: {20 - freely.count(None)} trees of 20")
print(f"untrained, held to the grammar: {20 - held.count(None)} trees of 20, such as")
print(data.bracket_string(held[0]))

# %% [markdown]
# ## What need not be learnt
#
# The decoder reads the tokens that it has written. What they mean it must find out from the data:
# that the third word is next after two words, that a bracket closes the last one still open. A
# large Transformer learns it of 40,000 trees. But it can be counted. Let
#
# - $b_t$ be the number of words in $y_1 \ldots y_t$, so the place of the next word,
# - $o_t$ the innermost bracket that is open, and $a_t$ the place of its first word.
#
# `TransformerParser` puts these into the decoder's input, with the encoder's output $m$; all else
# is section 3 of the paper:
#
# $$ x_t = \sqrt{d}\,(E\, y_t + F\, o_t + G\, o_{t-1}) + \mathrm{PE}_t + W\, [m_{a_t} ; m_{b_t}] $$
#
# ($o_{t-1}$ is there because a closing bracket has no label: it tells which one was closed.)
# It is what a parser with a stack and a buffer looks at (Dyer et al. 2015,
# [arXiv:1505.08075](https://arxiv.org/abs/1505.08075)). With a stack, by hand:

# %%
parser = TransformerParser(WORDS.size, BRACKETS.size, first_tag=BRACKETS.first_tag, **SIZES)
example = train_trees[0]
tokens = data.linearise(example, tags=True)
stack, b, by_hand = [("start", 0)], 0, []
for token in ["start", *tokens]:
    if token.startswith("("):
        stack.append((token, b))
    elif token == ")":
        stack.pop()
    elif token != "start":
        b += 1
    by_hand.append((*stack[-1], b))
for token, (o, a, b) in list(zip(["start", *tokens], by_hand, strict=True))[:8]:
    print(f"{token:8} open: {o:6} from word {a}; next: word {b}")

target = np.array([[2, *BRACKETS.ids(tokens)]])
seen = parser.surroundings(target)
seen = type(seen)(*(ops.convert_to_numpy(x)[0] for x in seen))
assert [a for _, a, _ in by_hand] == seen.first_word.tolist()
assert [b for _, _, b in by_hand] == seen.next_word.tolist()
assert [o for o, _, _ in by_hand[1:-1]] == BRACKETS.tokens(seen.opened[1:-1])

# %% [markdown]
# ## Training
#
# Both networks on the same few trees, for the same time. Labelled bracket F1 counts a bracket as
# right if a bracket of the treebank has its label and its words.


# %%
def train(model):
    """The trained model, and its share of right tokens after each epoch."""
    keras.utils.set_random_seed(0)
    batches = data.parsing_batches(train_trees, WORDS, BRACKETS, batch_size=16)
    model.compile(
        keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(0.004, EPOCHS * batches.steps)
        ),
        MaskedCrossentropy(),
        metrics=[MaskedAccuracy()],
        jit_compile=False,
    )
    fitted = model.fit(
        batches.dataset, steps_per_epoch=batches.steps, epochs=EPOCHS, shuffle=False, verbose=0
    )
    return model, fitted.history["accuracy"]


found, curves, looks = {}, {}, {}
found["right-branching"] = [right_branching(words_of(tree)) for tree in test_trees]
for name, model in (("Transformer", new), ("TransformerParser", parser)):
    model, curves[name] = train(model)
    found[name], looks[name] = parse(model, test_trees)
f1 = {name: bracket_f1(guesses, test_trees).f1 for name, guesses in found.items()}
for name, value in f1.items():
    print(f"{name:18} F1 {value:5.1f}")

# %%
figure = Figure(figsize=(5.2, 3.2), layout="constrained")
axes = figure.subplots()
for name, marker in (("Transformer", "s"), ("TransformerParser", "o")):
    axes.plot(np.arange(1, EPOCHS + 1), curves[name], marker=marker, markersize=3, label=name)
axes.set(xlabel="epoch", ylabel="right tokens", title=f"{NUMBER} trees to learn from")
axes.set_ylim(0, 1.02)
axes.grid(alpha=0.3)
axes.legend(loc="lower right")
figure.savefig(PICTURES / "4_2_curves.png", dpi=120)
figure

# %% [markdown]
# ## A tree, seen
#
# A new sentence: its tree, and what either network makes of it.

# %%
shown = min(
    (i for i, tree in enumerate(test_trees) if len(words_of(tree)) >= 8),
    key=lambda i: len(words_of(test_trees[i])),
)
plot_tree(test_trees[shown], title="as it was grown", path=PICTURES / "4_2_gold.png")

# %%
plot_tree(
    found["Transformer"][shown],
    title="The Transformer, on few trees",
    path=PICTURES / "4_2_transformer.png",
)

# %%
plot_tree(
    found["TransformerParser"][shown],
    title="With the next word and the open bracket in sight",
    path=PICTURES / "4_2_parser.png",
)

# %% [markdown]
# Where the decoder looks, token by token (the mean of the heads of one layer). There is no diagonal
# as in a translation: the next word is handed to it, so that attention is free for other words.

# %%
written = data.linearise(found["TransformerParser"][shown], tags=True)
read = words_of(test_trees[shown])
plot_attention(
    looks["TransformerParser"][shown][: len(written), : len(read) + 1],
    [*read, "(end)"],
    [token.removeprefix("XX/") for token in written],
    path=PICTURES / "4_2_attention.png",
)

# %% [markdown]
# ## Exercise
#
# How many tokens must a decoder have room for? Let no node have a single child that is a node
# itself or a word. How long is the sequence of a tree over $n$ words at most, without its end?
#
# ## Solution
#
# Each inner node joins at least two, so $n$ words are joined by at most $n - 1$ inner nodes; then
# the tree is binary. Each has a bracket that opens and one that closes: $n + 2(n - 1) = 3n - 2$.
# Chains of single children would have no such bound, which is why `TreeConstraint` has `max_opens`.

# %%
lengths = np.array([(len(words_of(t)), len(data.linearise(t))) for t in trees])
binary = data.parse_tree("(S (S (S (A a) (B b)) (C c)) (D d))")
assert len(data.linearise(binary)) == 3 * 4 - 2
assert (lengths[:, 1] <= 3 * lengths[:, 0] - 2).all()
print(f"here: at most {(lengths[:, 1] / lengths[:, 0]).max():.2f} tokens a word")

# %% [markdown]
# ## What was learned
#
# Held to the grammar, every output is a tree over the words, trained or not. The decoder that is
# told what can be counted learns of a few hundred trees what the other one does not.

# %%
assert freely.count(None) > 15
assert held.count(None) == 0
assert all(found[name].count(None) == 0 for name in found)
assert f1["TransformerParser"] > (60 if QUICK else 90), f1
assert f1["TransformerParser"] > f1["Transformer"] + 5, f1
assert f1["TransformerParser"] > f1["right-branching"] + 20, f1
print("All as expected.")
