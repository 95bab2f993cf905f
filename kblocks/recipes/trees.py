"""What the recipes on trees share: a Tree-LSTM that labels every node, trained on all labels."""

import dataclasses
from pathlib import Path
from typing import Any, Literal, NamedTuple

import keras
import numpy as np

from kblocks import data
from kblocks.data.tree_batches import UNLABELLED, LabelOf
from kblocks.export import TreeLabeller
from kblocks.files import find_file, need_file
from kblocks.models import TreeLSTMClassifier
from kblocks.plotting import plot_tree
from kblocks.recipes.recipe import Recipe, TrainingConfig
from kblocks.recipes.run import RunDirectory
from kblocks.text import WordVocabulary
from kblocks.training import LabelledAccuracy, LabelledCrossentropy

Trees = list[data.Tree]
Classes = list[np.ndarray]  # of the nodes of each tree, in post-order


@dataclasses.dataclass
class TreeConfig(TrainingConfig):
    """The settings that all recipes on trees have."""

    tree: Literal["nary", "child_sum"] = "nary"
    max_children: int = 2  # of the N-ary tree
    tied_forget: bool = False  # of the N-ary tree: each forget gate sees its own child alone
    units: int = 150
    embedding: int = 300
    min_count: int = 2  # rarer words are unknown
    lowercase: bool = False  # words are lower-cased, also by the export
    vectors: str | None = None  # a file of word vectors to begin with, as GloVe's, in text
    tune_vectors: bool = True  # otherwise word vectors stay as they begin
    dropout: float = 0.5

    batch_size: int = 25
    epochs: int = 8


class TreeSplits(NamedTuple):
    """Trees to train on, to validate on while training, and to test on at the end."""

    train: Trees
    validation: Trees
    test: Trees


class TreeRecipe(Recipe):
    """A recipe on trees; a subclass says which trees, and what their labels are.

    Its part is the vocabulary of the words in the trees.
    """

    metric = "val_root_accuracy"
    examples = "trees"
    part_files = ("words.txt",)

    # A subclass gives these.

    def read(self, config: Any) -> TreeSplits:
        """The training, validation and test trees."""
        raise NotImplementedError

    def classes(self, config: Any) -> tuple[LabelOf, list[str]]:
        """From a node's label to its class, and the classes' names."""
        raise NotImplementedError

    # What they share.

    def learn_parts(self, config: Any, splits: TreeSplits) -> WordVocabulary:
        """The words of the training trees."""
        nodes = (node for tree in splits.train for node in data.postorder(tree))
        words = (node.word for node in nodes if node.word)
        return WordVocabulary.count(words, config.min_count, config.lowercase)

    def save_parts(self, parts: WordVocabulary, run: RunDirectory) -> None:
        """A word a line."""
        parts.save(run.path / "words.txt")

    def load_parts(self, config: Any, run: RunDirectory) -> WordVocabulary:
        """The words of a run."""
        return WordVocabulary.load(run.path / "words.txt", config.lowercase)

    def batches(
        self,
        config: Any,
        parts: WordVocabulary,
        split: Trees,
        training: bool = False,
        **options: Any,
    ) -> data.Batches:
        """Trees of about equal sizes, or as they come while not training."""
        return data.tree_batches(
            split,
            parts,
            self.classes(config)[0],
            config.batch_size,
            max_children=config.max_children if config.tree == "nary" else None,
            labelled_roots=True,
            shuffle=training,
            seed=config.seed,
            **options,
        )

    def make_model(self, config: Any, parts: WordVocabulary) -> TreeLSTMClassifier:
        """The classifier that the settings describe, built."""
        model = TreeLSTMClassifier(
            parts.size,
            len(self.classes(config)[1]),
            units=config.units,
            embedding=config.embedding,
            kind=config.tree,
            max_children=config.max_children,
            tied_forget=config.tied_forget,
            dropout=config.dropout,
            embeddings_trainable=config.tune_vectors,
        )
        model.build()
        return model

    def begin(self, config: Any, parts: WordVocabulary, model: TreeLSTMClassifier) -> None:
        """Give it the word vectors of a file, if there is one."""
        if config.vectors is not None:
            put_word_vectors(model, config.vectors, parts)

    def objective(self, config: Any, parts: WordVocabulary) -> dict[str, Any]:
        """The cross-entropy of each labelled node; the accuracy of all, and of the roots."""
        return {
            "loss": LabelledCrossentropy(),
            "metrics": [LabelledAccuracy(), LabelledAccuracy("root", name="root_accuracy")],
        }

    def measure(
        self,
        config: Any,
        parts: WordVocabulary,
        model: TreeLSTMClassifier,
        split: Trees,
        splits: TreeSplits,
    ) -> dict[str, float]:
        """The accuracy, by hand."""
        return self.accuracies(config, split, *self._predicted(config, parts, model, split))

    def accuracies(
        self, config: Any, trees: Trees, labels: Classes, predictions: Classes
    ) -> dict[str, float]:
        """The share of roots, and of all labelled nodes, whose class was found."""
        pairs = zip(labels, predictions, strict=True)
        roots = [(y[-1], p[-1]) for y, p in pairs if y[-1] != UNLABELLED]
        every = np.concatenate(labels)
        hits = (every == np.concatenate(predictions))[every != UNLABELLED]
        return {
            "root_accuracy": float(np.mean([y == p for y, p in roots])),
            "accuracy": float(hits.mean()),
        }

    def pictures(
        self, config: Any, parts: WordVocabulary, model: TreeLSTMClassifier, folder: Path
    ) -> list[Path]:
        """A held-out tree with what was predicted for its nodes."""
        label_of, classes = self.classes(config)
        trees = [
            tree
            for tree in self.read(config).validation
            if tree.label is not None and label_of(tree.label) != UNLABELLED
        ]
        tree = next((t for t in trees if 8 <= len(data.leaves(t)) <= 14), trees[0])
        [labels], [predictions] = self._predicted(config, parts, model, [tree])
        picture = folder / "tree.png"
        plot_tree(tree, labels, predictions, classes=classes, path=picture)
        return [picture]

    def servable(
        self, config: Any, parts: WordVocabulary, model: TreeLSTMClassifier
    ) -> TreeLabeller:
        """From bracketed strings to labels."""
        classes = [name.replace(" ", "-") for name in self.classes(config)[1]]
        return TreeLabeller(model, parts, classes)

    def _predicted(
        self, config: Any, parts: WordVocabulary, model: TreeLSTMClassifier, trees: Trees
    ) -> tuple[Classes, Classes]:
        """The classes of each tree's nodes, in post-order: those it has, and those found."""
        batches = self.batches(config, parts, trees)
        labels: Classes = []
        predictions: Classes = []
        for inputs, y in batches.dataset.take(batches.steps):
            found = np.argmax(model.predict_on_batch(inputs), axis=-1)
            for nodes, *rows in zip(inputs["nodes"].numpy(), y.numpy(), found, strict=True):
                labels.append(rows[0][nodes])
                predictions.append(rows[1][nodes])
        return labels, predictions


def read_split(folder: str, name: str, ending: str = "txt") -> Trees:
    """The trees of `name.txt` or `name.txt.gz`; none where only a test set is missing."""
    file = f"{name}.{ending}"
    if name == "test" and find_file(folder, file) is None:
        return []
    return data.read_trees(need_file(folder, file))


def put_word_vectors(model: TreeLSTMClassifier, path: str, vocabulary: WordVocabulary) -> None:
    """Begin with the vectors of a file; words that it lacks keep their random ones.

    A word that the file has only in lower case gets that one's vector.
    """
    words = vocabulary.words
    found = data.read_word_vectors(path, [*words, *(word.lower() for word in words)])
    size = found.matrix.shape[1]
    if size != model.embedding:
        raise ValueError(
            f"{path} has vectors of {size} values, the model of {model.embedding}: set "
            f"embedding={size}."
        )
    if not found.found.any():
        raise ValueError(f"{path} has none of the {len(words)} words of the training trees.")
    exact, lower = np.split(found.matrix, 2)
    has_exact, has_lower = np.split(found.found[:, None], 2)
    vectors = keras.ops.convert_to_numpy(model.word_embedding.embeddings).copy()
    last = vectors[-len(words) :]  # before them are padding and unknown words
    last[:] = np.where(has_exact, exact, np.where(has_lower, lower, last))
    model.set_word_vectors(vectors)
