"""Batches of sentences and their trees as sequences of brackets, the same for a seed and epoch."""

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from kblocks import tokens
from kblocks.data.linearise import linearise
from kblocks.data.pipelines import Batches, prefetched
from kblocks.data.substitute import Substitution
from kblocks.data.trees import Tree, leaves
from kblocks.text import BracketVocabulary, WordsOrEndings

Batch = tuple[dict[str, np.ndarray], np.ndarray]

_NEARLY = 3.0  # sentences whose lengths differ by about so many words may share a batch


def parsing_batches(
    trees: Sequence[Tree],
    words: WordsOrEndings,
    brackets: BracketVocabulary,
    batch_size: int,
    max_words: int = 60,
    shuffle: bool = True,
    word_dropout: float = 0.0,
    substitution: float = 0.0,
    seed: int = 0,
    first_epoch: int = 0,
    drop_remainder: bool = False,
) -> Batches:
    """Turn constituency trees into batches of about equal lengths, made anew in each epoch.

    What happens in an epoch depends on `seed` and the epoch's number alone, so that a run resumed
    with `first_epoch` sees what it would have seen.

    Args:
        trees: Cleaned trees (`kblocks.data.clean_tree`).
        words: Makes the source's ids.
        brackets: Makes the target's ids, with parts of speech where it has them.
        batch_size: Trees in a batch; the last may have fewer.
        max_words: Leave out trees with more words than this.
        shuffle: Whether to mix the trees. Without it the batches follow their order.
        word_dropout: alpha of alpha / (alpha + n), the probability with which a word that comes n
            times in `trees` is given by its ending (Kiperwasser and Goldberg 2016,
            arXiv:1603.04351, section 4), so that endings are learnt of frequent words, too.
        substitution: The share of the trees of an epoch in which one subtree gives way to another
            (`kblocks.data.Substitution`).
        seed: Of all that is drawn.
        first_epoch: Epochs already done.
        drop_remainder: Leave out the batch that is not full, other trees in each epoch.

    Returns:
        `Batches(dataset, steps, left_out)`. The dataset yields `({"source": ids, "target": ids},
        labels)`, each (batch, time) int32 and padded with 0: the target begins with the start id,
        source and labels end with the end. Labels of trees that the vocabulary lacks are unknown.

    Raises:
        ValueError: An argument is out of its range, no tree is left, or no batch is full.
    """
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"`batch_size` must be a positive integer, got {batch_size!r}.")
    if word_dropout < 0:
        raise ValueError(f"`word_dropout` must not be negative, got {word_dropout!r}.")
    if not 0 <= substitution <= 1:
        raise ValueError(f"`substitution` must be from 0 to 1, got {substitution!r}.")
    kept = [tree for tree in trees if len(leaves(tree)) <= max_words]
    if not kept:
        raise ValueError(f"None of the {len(trees)} trees has at most {max_words} words.")
    steps = len(kept) // batch_size if drop_remainder else -(-len(kept) // batch_size)
    if not steps:
        raise ValueError(
            f"The {len(kept)} trees do not fill a batch of {batch_size} (`batch_size`, "
            "`drop_remainder`)."
        )
    numbered = _Numbered(kept, words, brackets, word_dropout)
    substitute = Substitution(kept) if substitution else None

    def changed(tree: Tree, rng: np.random.Generator) -> Tree:
        if substitute is None or rng.random() >= substitution:
            return tree
        new = substitute(tree, rng)
        return new if len(leaves(new)) <= max_words else tree

    def batches() -> Iterator[Batch]:
        for epoch in itertools.count(first_epoch):
            rng = np.random.default_rng([seed, epoch])
            rows = [numbered(changed(tree, rng), rng) for tree in kept]
            order, turns = np.arange(len(rows)), np.arange(steps)
            if shuffle:
                order = rng.permutation(len(rows))
                lengths = np.array([len(rows[i][0]) for i in order])
                order = order[np.argsort(lengths + _NEARLY * rng.random(len(rows)))]
                if drop_remainder:
                    order = np.delete(order, rng.permutation(len(rows))[steps * batch_size :])
                turns = rng.permutation(steps)
            for turn in turns:
                yield _padded([rows[i] for i in order[turn * batch_size :][:batch_size]])

    ids = tf.TensorSpec((None, None), tf.int32)
    dataset = tf.data.Dataset.from_generator(
        batches, output_signature=({"source": ids, "target": ids}, ids)
    )
    return Batches(prefetched(dataset), steps, len(trees) - len(kept))


class _Numbered:
    """From a tree to the ids of its words and of its brackets."""

    def __init__(
        self,
        trees: Sequence[Tree],
        words: WordsOrEndings,
        brackets: BracketVocabulary,
        word_dropout: float,
    ) -> None:
        counts = Counter(leaf.word for tree in trees for leaf in leaves(tree))
        distinct = list(counts)
        n = np.array([counts[word] for word in distinct])
        self._place = {word: number for number, word in enumerate(distinct)}
        self._ids = words.ids(distinct).numpy()
        self._endings = words.ending_ids(distinct).numpy()
        self._dropped = word_dropout / (word_dropout + n)
        self._brackets = brackets

    def __call__(self, tree: Tree, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        places = np.array([self._place[leaf.word] for leaf in leaves(tree)])
        drop = rng.random(len(places)) < self._dropped[places]
        source = np.where(drop, self._endings[places], self._ids[places])
        target = self._brackets.ids(linearise(tree, tags=bool(self._brackets.tags)))
        return source, target


def _padded(rows: Sequence[tuple[np.ndarray, np.ndarray]]) -> Batch:
    source, labels = (_matrix([[*row[side], tokens.END] for row in rows]) for side in (0, 1))
    target = _matrix([[tokens.START, *row[1]] for row in rows])
    return {"source": source, "target": target}, labels


def _matrix(rows: Sequence[Sequence[Any]]) -> np.ndarray:
    longest = max(map(len, rows))
    return np.array([[*row, *[tokens.PADDING] * (longest - len(row))] for row in rows], "int32")
