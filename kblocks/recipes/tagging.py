"""Parts of speech: a recurrent network that tags every word, on the leaves of a treebank.

    kblocks train tagging --data folder --out runs/tags

The folder has `train.mrg` and `dev.mrg`, perhaps `test.mrg` (or `.gz`), trees in brackets as the
Penn Treebank has them. A word is known by itself and by its last three letters, which are what
there is of a word that was never seen: `-ing`, `-ed`, `-ly`. After Wang et al. (2015),
arXiv:1510.06168.
"""

import dataclasses
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np

from kblocks import data
from kblocks.data.tagged_sentences import TaggedSentence
from kblocks.export import TextTagger
from kblocks.models import SequenceTagger
from kblocks.plotting import plot_tree
from kblocks.recipes.recipe import Recipe, TrainingConfig
from kblocks.recipes.run import RunDirectory
from kblocks.recipes.trees import read_split
from kblocks.text import WordVocabulary, word_endings
from kblocks.training import LabelledAccuracy, LabelledCrossentropy

Sentences = list[TaggedSentence]


@dataclasses.dataclass
class TaggingConfig(TrainingConfig):
    """The settings of a run; `--set name=value` changes one."""

    data: str | None = None  # a folder
    min_count: int = 2  # rarer words and endings are unknown

    cell: Literal["lstm", "gru", "simple_rnn"] = "lstm"
    layers: int = 1
    bidirectional: bool = True
    units: int = 128
    embedding: int = 100
    ending_embedding: int = 32
    dropout: float = 0.5

    batch_size: int = 32
    patience: int | None = 4
    learning_rate: float = 3e-3


class TaggedSplits(NamedTuple):
    """Sentences to train on, to validate on while training, and to test on at the end."""

    train: Sentences
    validation: Sentences
    test: Sentences


class Vocabularies(NamedTuple):
    """What stands for the numbers that go into a tagger, and come out of it."""

    words: WordVocabulary
    endings: WordVocabulary
    tags: tuple[str, ...]


class Tagging(Recipe):
    """The recipe `tagging`; its parts are the words, the endings and the tags."""

    name = "tagging"
    summary = "bidirectional LSTM that tags parts of speech"
    facts: ClassVar = {
        "data": "a treebank: --data FOLDER with train.mrg and dev.mrg, trees in brackets",
        "size": "0.9 M parameters, most of them word vectors",
    }
    Config = TaggingConfig
    metric = "val_accuracy"
    examples = "sentences"
    part_files = ("words.txt", "endings.txt", "tags.txt")

    def read(self, config: TaggingConfig) -> TaggedSplits:
        """The sentences of the folder's trees; `test` is empty where it is missing."""
        if config.data is None:
            raise ValueError(
                "the recipe tagging needs --data FOLDER with train.mrg and dev.mrg, trees in "
                "brackets whose leaves are words with their parts of speech."
            )
        splits = {
            name: data.tagged_sentences(read_split(config.data, name, "mrg"))
            for name in ("train", "dev", "test")
        }
        for name in ("train", "dev"):
            if not splits[name]:
                raise ValueError(f"{name}.mrg in {config.data} has no tree with a word.")
        return TaggedSplits(*splits.values())

    def learn_parts(self, config: TaggingConfig, splits: TaggedSplits) -> Vocabularies:
        """The words and endings of the training sentences, and all tags."""
        spoken = [word for sentence in splits.train for word in sentence.words]
        found = (ending.decode() for ending in word_endings(spoken).numpy())
        # The set of tags is known beforehand: one that is never trained on still counts as wrong.
        tags = {tag for split in splits for sentence in split for tag in sentence.tags}
        return Vocabularies(
            WordVocabulary.count(spoken, config.min_count),
            WordVocabulary.count(found, config.min_count),
            tuple(sorted(tags)),
        )

    def save_parts(self, parts: Vocabularies, run: RunDirectory) -> None:
        """Three files, a word a line."""
        vocabularies = parts.words, parts.endings, WordVocabulary(parts.tags)
        for vocabulary, name in zip(vocabularies, self.part_files, strict=True):
            vocabulary.save(run.path / name)

    def load_parts(self, config: TaggingConfig, run: RunDirectory) -> Vocabularies:
        """The vocabularies of a run."""
        words, endings, tags = (WordVocabulary.load(run.path / name) for name in self.part_files)
        return Vocabularies(words, endings, tags.words)

    def batches(
        self,
        config: TaggingConfig,
        parts: Vocabularies,
        split: Sentences,
        training: bool = False,
        **options: Any,
    ) -> data.Batches:
        """Sentences of about equal lengths, or as they come while not training."""
        return data.tagging_batches(
            split, *parts, config.batch_size, shuffle=training, seed=config.seed, **options
        )

    def make_model(self, config: TaggingConfig, parts: Vocabularies) -> SequenceTagger:
        """The tagger that the settings describe, built."""
        model = SequenceTagger(
            parts.words.size,
            len(parts.tags),
            units=config.units,
            embedding_dim=config.embedding,
            cell=config.cell,
            layers=config.layers,
            bidirectional=config.bidirectional,
            dropout=config.dropout,
            ending_vocabulary_size=parts.endings.size,
            ending_embedding_dim=config.ending_embedding,
        )
        model.build()
        return model

    def objective(self, config: TaggingConfig, parts: Vocabularies) -> dict[str, Any]:
        """The cross-entropy of each word's tag, and the share that is right."""
        return {"loss": LabelledCrossentropy(), "metrics": [LabelledAccuracy()]}

    def measure(
        self,
        config: TaggingConfig,
        parts: Vocabularies,
        model: SequenceTagger,
        split: Sentences,
        splits: TaggedSplits,
    ) -> dict[str, Any]:
        """The accuracy, also on words that do not come in the training sentences at all."""
        seen = {word for sentence in splits.train for word in sentence.words}
        return accuracies(self.servable(config, parts, model), split, seen, config.batch_size)

    def pictures(
        self, config: TaggingConfig, parts: Vocabularies, model: SequenceTagger, folder: Path
    ) -> list[Path]:
        """A held-out sentence with what was predicted for it."""
        sentences = self.read(config).validation
        sentence = next((s for s in sentences if 8 <= len(s.words) <= 14), sentences[0])
        [found] = predicted(self.servable(config, parts, model), [sentence], 1)
        pairs = zip(sentence.words, sentence.tags, found, strict=True)
        said = [data.Tree(tag, word) for word, tag, _ in pairs]
        # The words side by side below one node, which has no label.
        tree, picture = data.Tree(None, children=tuple(said)), folder / "tags.png"
        plot_tree(tree, predictions=[*found, None], path=picture)
        return [picture]

    def servable(
        self, config: TaggingConfig, parts: Vocabularies, model: SequenceTagger
    ) -> TextTagger:
        """From sentences to tags."""
        return TextTagger(model, *parts)


def predicted(tagger: TextTagger, sentences: Sentences, batch_size: int) -> list[list[str]]:
    """The tags that are found for the words of each sentence."""
    found: list[list[str]] = []
    for first in range(0, len(sentences), batch_size):
        some = sentences[first : first + batch_size]
        tags = tagger.tag([" ".join(sentence.words) for sentence in some])["tags"].numpy()
        for sentence, row in zip(some, tags, strict=True):
            found.append([tag.decode() for tag in row[: len(sentence.words)]])
    return found


def accuracies(
    tagger: TextTagger, sentences: Sentences, seen: set[str], batch_size: int
) -> dict[str, float]:
    """The share of words whose tag was found; of those that are not among `seen`, too."""
    flat = [
        (word not in seen, tag == guess)
        for sentence, guesses in zip(
            sentences, predicted(tagger, sentences, batch_size), strict=True
        )
        for word, tag, guess in zip(*sentence, guesses, strict=True)
    ]
    unknown, right = np.array(flat).T
    values = {"accuracy": float(right.mean()), "words": len(right)}
    if unknown.any():
        values |= {
            "unknown_accuracy": float(right[unknown].mean()),
            "unknown_words": int(unknown.sum()),
        }
    return values
