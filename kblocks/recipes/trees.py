"""What the recipes on trees share: a Tree-LSTM that labels every node, trained on all labels."""

import dataclasses
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import keras
import numpy as np

from kblocks import data
from kblocks.data.tree_batches import UNLABELLED, LabelOf
from kblocks.distribute import is_chief, strategy
from kblocks.export import TreeLabeller, save
from kblocks.models import TreeLSTMClassifier
from kblocks.plotting import plot_curves, plot_tree
from kblocks.recipes.fit import fit
from kblocks.recipes.learning_rate import rise_and_fall
from kblocks.recipes.results import result
from kblocks.recipes.run import RunDirectory, best_epoch
from kblocks.text import WordVocabulary
from kblocks.training import GlobalNormClipping, LabelledAccuracy, LabelledCrossentropy

METRIC = "val_root_accuracy"

Trees = list[data.Tree]
Classes = list[np.ndarray]  # of the nodes of each tree, in post-order


@dataclasses.dataclass
class TreeConfig:
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
    patience: int | None = None
    minutes: float | None = None
    keep: Literal["best", "last"] = "best"  # the epoch that is measured and exported
    learning_rate: float = 1e-3  # at its height; it warms up for an epoch and falls to a cosine
    weight_decay: float = 0.0
    clip_norm: float = 5.0
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    strategy: str = "auto"
    seed: int = 0


class TreeSplits(NamedTuple):
    """Trees to train on, to validate on while training, and to test on at the end."""

    train: Trees
    validation: Trees
    test: Trees


class TreeRecipe:
    """A recipe on trees; a subclass says which trees, and what their labels are."""

    name: ClassVar[str]
    summary: ClassVar[str]
    facts: ClassVar[dict[str, str]]
    Config: ClassVar[type[TreeConfig]]

    # A subclass gives these.

    def read(self, config: Any) -> TreeSplits:
        """The training, validation and test trees."""
        raise NotImplementedError

    def classes(self, config: Any) -> tuple[LabelOf, list[str]]:
        """From a node's label to its class, and the classes' names."""
        raise NotImplementedError

    # What they share.

    def train(self, config: Any, run: RunDirectory, quiet: bool = False) -> dict[str, Any]:
        """Train into a run, or go on with it; returns the values of the epoch that is kept."""
        chosen = strategy(config.strategy)  # workers must find each other before any op
        keras.utils.set_random_seed(config.seed)
        keras.config.set_dtype_policy(config.precision)
        trees = self.read(config)
        vocabulary = self._vocabulary(config, run, trees.train)
        classes = self.classes(config)[1]
        train = self._batches(
            config,
            vocabulary,
            trees,
            "train",
            first_epoch=run.epochs_done(),
            drop_remainder=chosen.num_replicas_in_sync > 1,  # replicas take equal shares
        )
        with chosen.scope():
            model = make_model(config, vocabulary, len(classes))
            if config.vectors is not None and not run.epochs_done():
                put_word_vectors(model, config.vectors, vocabulary)
            compile_model(model, config, train.steps)
        history = fit(
            model,
            train,
            self._batches(config, vocabulary, trees, "validation", shuffle=False),
            run,
            epochs=config.epochs,
            metric=METRIC,
            patience=config.patience,
            minutes=config.minutes,
            seed=config.seed,
            quiet=quiet,
        )
        return history[-1 if config.keep == "last" else best_epoch(history, METRIC) - 1]

    def evaluate(self, run: RunDirectory) -> dict[str, Any]:
        """Measure the epoch kept on the validation and test trees; writes `results.json`."""
        config, model, vocabulary = self.load(run)
        trees = self.read(config)
        measured: dict[str, Any] = {}
        for short, name in (("val", "validation"), ("test", "test")):
            if split := getattr(trees, name):
                labels, predictions = self._predicted(config, model, vocabulary, trees, name)
                values = self.measure(config, split, labels, predictions)
                measured |= {f"{short}_{key}": value for key, value in values.items()}
        measured["parameters"] = model.count_params()
        run.write_json("results.json", result(run, measured))
        return measured

    def measure(
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

    def plot(self, run: RunDirectory) -> list[Path]:
        """Draw the learning curves, and a held-out tree with what was predicted for its nodes."""
        config, model, vocabulary = self.load(run)
        curves, picture = run.pictures / "curves.png", run.pictures / "tree.png"
        plot_curves(run.log, metric=METRIC, path=curves)
        label_of, classes = self.classes(config)
        trees = [
            tree
            for tree in self.read(config).validation
            if tree.label is not None and label_of(tree.label) != UNLABELLED
        ]
        tree = next((t for t in trees if 8 <= len(data.leaves(t)) <= 14), trees[0])
        one = TreeSplits([], [tree], [])
        [labels], [predictions] = self._predicted(config, model, vocabulary, one, "validation")
        plot_tree(tree, labels, predictions, classes=classes, path=picture)
        return [curves, picture]

    def export(self, run: RunDirectory, directory: str | Path) -> Path:
        """Export the best epoch, from bracketed strings to labels, under the name of the run."""
        config, model, vocabulary = self.load(run)
        classes = [name.replace(" ", "-") for name in self.classes(config)[1]]
        labeller = TreeLabeller(model, vocabulary, classes)
        return save(labeller, Path(directory) / run.path.resolve().name)

    def load(self, run: RunDirectory) -> tuple[Any, TreeLSTMClassifier, WordVocabulary]:
        """The settings of a run, its best epoch, and the words."""
        config = self.Config(**run.read_json("config.json")["settings"])
        vocabulary = WordVocabulary.load(run.path / "words.txt", config.lowercase)
        model = make_model(config, vocabulary, len(self.classes(config)[1]))
        if config.keep == "last":
            run.load_newest(model)
        else:
            run.load_best(model, METRIC)
        return config, model, vocabulary

    def _batches(
        self,
        config: Any,
        vocabulary: WordVocabulary,
        trees: TreeSplits,
        split: str,
        **options: Any,
    ) -> data.Batches:
        try:
            return data.tree_batches(
                getattr(trees, split),
                vocabulary,
                self.classes(config)[0],
                config.batch_size,
                max_children=config.max_children if config.tree == "nary" else None,
                labelled_roots=True,
                seed=config.seed,
                **options,
            )
        except ValueError as error:
            raise ValueError(f"the {split} trees: {error}") from error

    def _predicted(
        self,
        config: Any,
        model: TreeLSTMClassifier,
        vocabulary: WordVocabulary,
        trees: TreeSplits,
        split: str,
    ) -> tuple[Classes, Classes]:
        """The classes of each tree's nodes, in post-order: those it has, and those found."""
        batches = self._batches(config, vocabulary, trees, split, shuffle=False)
        labels: Classes = []
        predictions: Classes = []
        for inputs, y in batches.dataset.take(batches.steps):
            found = np.argmax(model.predict_on_batch(inputs), axis=-1)
            for nodes, *rows in zip(inputs["nodes"].numpy(), y.numpy(), found, strict=True):
                labels.append(rows[0][nodes])
                predictions.append(rows[1][nodes])
        return labels, predictions

    @staticmethod
    def _vocabulary(config: Any, run: RunDirectory, trees: Trees) -> WordVocabulary:
        path = run.path / "words.txt"
        if path.exists():
            return WordVocabulary.load(path, config.lowercase)
        words = (node.word for tree in trees for node in data.postorder(tree) if node.word)
        vocabulary = WordVocabulary.count(words, config.min_count, config.lowercase)
        if is_chief():  # every worker counts the same ones; the chief keeps them
            vocabulary.save(path)
        return vocabulary


def read_split(folder: str, name: str, ending: str = "txt") -> Trees:
    """The trees of `name.txt` or `name.txt.gz`; none where only a test set is missing."""
    paths = [Path(folder) / f"{name}.{ending}{packed}" for packed in ("", ".gz")]
    for path in paths:
        if path.exists():
            return data.read_trees(path)
    if name == "test":
        return []
    raise ValueError(f"{folder} has neither {paths[0].name} nor {paths[1].name}.")


def make_model(
    config: TreeConfig, vocabulary: WordVocabulary, num_classes: int
) -> TreeLSTMClassifier:
    """The classifier that the settings describe, built."""
    model = TreeLSTMClassifier(
        vocabulary.size,
        num_classes,
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


def compile_model(model: TreeLSTMClassifier, config: TreeConfig, steps: int) -> None:
    """Adam with clipping; the rate warms up for an epoch, then falls along a cosine to zero."""
    rate = rise_and_fall(config.learning_rate, config.epochs * steps, warm_up=steps)
    adam = keras.optimizers.AdamW(rate, weight_decay=config.weight_decay)
    metrics = [LabelledAccuracy(), LabelledAccuracy("root", name="root_accuracy")]
    optimizer = GlobalNormClipping(adam, config.clip_norm)
    model.compile(optimizer, LabelledCrossentropy(), metrics=metrics, jit_compile=False)
