"""Constituency parsing: sentences into trees, by translating words into brackets.

    kblocks train parsing --data folder --out runs/parser
    kblocks train parsing --data folder --set share=0.25 --out runs/parser-25
    kblocks train parsing --data folder --set model=bahdanau --out runs/recurrent-parser

The folder has `train.mrg` and `dev.mrg`, perhaps `test.mrg` (or `.gz`), trees in brackets as the
Penn Treebank has them; they are cleaned as `kblocks.data.constituency` says. Vaswani et al. (2017),
arXiv:1706.03762, section 6.3; Vinyals et al. (2015), arXiv:1412.7449. What helps where trees are
few, each a setting: parts of speech among the brackets (`tags`), a decoder that sees the next word
and the open bracket (`surroundings`), rare words as their endings (`min_count`, `word_dropout`),
and trees put together from parts of others (`substitution`).
"""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

from kblocks import data
from kblocks.export import TextParser
from kblocks.files import find_file, need_file
from kblocks.metrics import bracket_f1
from kblocks.models import BahdanauTranslator, TransformerParser, TransformerTranslator
from kblocks.models.translation import Translator
from kblocks.parsing import right_branching
from kblocks.plotting import plot_tree
from kblocks.recipes.recipe import Recipe, TrainingConfig
from kblocks.recipes.run import RunDirectory
from kblocks.recipes.trees import Trees, TreeSplits
from kblocks.text import BracketVocabulary, WordsOrEndings, WordVocabulary
from kblocks.training import MaskedAccuracy, MaskedCrossentropy


@dataclasses.dataclass
class ParsingConfig(TrainingConfig):
    """The settings of a run; `--set name=value` changes one."""

    data: str | None = None  # a folder
    share: float = 1.0  # of the training trees; a larger share holds a smaller one
    max_words: int = 60  # training trees with more are left out, and no sentence may have more
    min_count: int = 2  # rarer words stand for their endings, and rarer endings are unknown
    tags: bool = True  # whether parts of speech are predicted, too

    model: Literal["transformer", "bahdanau"] = "transformer"
    surroundings: bool = True  # of the Transformer: it sees the next word and the open bracket
    layers: int = 3  # of the Transformer
    width: int = 192  # of the Transformer
    heads: int = 4  # of the Transformer
    inner: int = 512  # of the Transformer: within the feed-forward networks
    norm: Literal["post", "pre"] = "pre"  # of the Transformer
    units: int = 256  # of the recurrent translator
    embedding: int = 128  # of the recurrent translator
    dropout: float = 0.3
    word_dropout: float = 1.0  # alpha / (alpha + n): how often a word is its ending in training
    substitution: float = 0.5  # the share of trees in which a subtree is another's
    label_smoothing: float = 0.1

    batch_size: int = 32
    epochs: int = 40
    average: int = 5

    beam: int = 4
    length_penalty: float = 0.0


class Vocabularies(NamedTuple):
    """What stands for the numbers that go into a parser, and come out of it."""

    words: WordsOrEndings
    brackets: BracketVocabulary


class Parsing(Recipe):
    """The recipe `parsing`; its parts are the words, the endings and the brackets."""

    name = "parsing"
    summary = "constituency parser: a Transformer (or a recurrent translator) that writes trees"
    facts: ClassVar = {
        "data": "a treebank: --data FOLDER with train.mrg and dev.mrg, trees in brackets",
        "size": "4 M parameters",
    }
    Config = ParsingConfig
    metric = "val_f1"
    examples = "trees"
    part_files = ("words.txt", "endings.txt", "brackets.txt")

    def read(self, config: ParsingConfig) -> TreeSplits:
        """The folder's trees, of train a share; `test` is empty where it is missing."""
        if config.data is None:
            raise ValueError(
                "the recipe parsing needs --data FOLDER with train.mrg and dev.mrg, trees in "
                "brackets whose leaves are words with their parts of speech."
            )
        train, dev = (
            data.read_constituency(need_file(config.data, f"{name}.mrg"))
            for name in ("train", "dev")
        )
        has_test = find_file(config.data, "test.mrg")
        test = data.read_constituency(has_test) if has_test else []
        return TreeSplits(data.subset(train, config.share), dev, test)

    def learn_parts(self, config: ParsingConfig, splits: TreeSplits) -> Vocabularies:
        """The words, endings, labels and parts of speech of the training trees."""
        spoken = (word for tree in splits.train for word in words_of(tree))
        return Vocabularies(
            WordsOrEndings.count(spoken, config.min_count),
            BracketVocabulary.count(data.linearise(tree, config.tags) for tree in splits.train),
        )

    def save_parts(self, parts: Vocabularies, run: RunDirectory) -> None:
        """Three files, a word, an ending or a label a line."""
        words, endings, brackets = (run.path / name for name in self.part_files)
        parts.words.words.save(words)
        parts.words.endings.save(endings)
        parts.brackets.save(brackets)

    def load_parts(self, config: ParsingConfig, run: RunDirectory) -> Vocabularies:
        """The vocabularies of a run."""
        words, endings, brackets = (run.path / name for name in self.part_files)
        known = WordsOrEndings(WordVocabulary.load(words), WordVocabulary.load(endings))
        return Vocabularies(known, BracketVocabulary.load(brackets))

    def batches(
        self,
        config: ParsingConfig,
        parts: Vocabularies,
        split: Trees,
        training: bool = False,
        **options: Any,
    ) -> data.Batches:
        """Trees of about equal lengths; while training, changed a little in each epoch."""
        if training:
            options |= {"word_dropout": config.word_dropout, "substitution": config.substitution}
        return data.parsing_batches(
            split,
            parts.words,
            parts.brackets,
            config.batch_size,
            config.max_words,
            shuffle=training,
            seed=config.seed,
            **options,
        )

    def make_model(self, config: ParsingConfig, parts: Vocabularies) -> Translator:
        """The translator that the settings describe, built."""
        common: dict[str, Any] = {
            "source_vocabulary_size": parts.words.size,
            "target_vocabulary_size": parts.brackets.size,
            "tie_embeddings": "target",
            "dropout": config.dropout,
        }
        model: Translator
        if config.model == "bahdanau":
            model = BahdanauTranslator(
                **common, embedding_dim=config.embedding, units=config.units, cell="lstm"
            )
        else:
            common |= {
                "layers": config.layers,
                "embedding_dim": config.width,
                "num_heads": config.heads,
                "intermediate_dim": config.inner,
                "norm": config.norm,
            }
            if config.surroundings:
                model = TransformerParser(
                    **common,
                    word=parts.brackets.word,
                    close=parts.brackets.close,
                    first_tag=parts.brackets.first_tag,
                )
            else:
                model = TransformerTranslator(**common)
        model.build()
        return model

    def objective(self, config: ParsingConfig, parts: Vocabularies) -> dict[str, Any]:
        """The cross-entropy of each token, smoothed, and the share that is right."""
        return {
            "loss": MaskedCrossentropy(config.label_smoothing),
            "metrics": [MaskedAccuracy()],
        }

    def adam(self, config: ParsingConfig) -> dict[str, Any]:
        """As Vaswani et al. (2017), section 5.3, for the Transformer."""
        return {"beta_2": 0.98, "epsilon": 1e-9} if config.model == "transformer" else {}

    def score(
        self,
        config: ParsingConfig,
        parts: Vocabularies,
        model: Translator,
        split: Trees,
        batches: data.Batches,
    ) -> Callable[[], dict[str, float]]:
        """F1 of greedy decoding."""
        greedy = self.servable(dataclasses.replace(config, beam=1), parts, model)
        check_lengths(split, config.max_words)
        return lambda: {"val_f1": bracket_f1(parsed(greedy, split)[0], split).f1}

    def measure(
        self,
        config: ParsingConfig,
        parts: Vocabularies,
        model: Translator,
        split: Trees,
        splits: TreeSplits,
    ) -> dict[str, Any]:
        """Labelled brackets of beam search on raw words, and its speed."""
        check_lengths(split, config.max_words)
        parser = self.servable(config, parts, model)
        parsed(parser, split[:1])  # the graph is made in the first call, and not timed
        began = time.monotonic()
        found, ill_formed = parsed(parser, split)
        seconds = time.monotonic() - began
        scores = bracket_f1(found, split)
        return {
            "f1": scores.f1,
            "precision": scores.precision,
            "recall": scores.recall,
            "complete": scores.complete,
            "tag_accuracy": tag_accuracy(found, split),
            "ill_formed": ill_formed,
            "sentences_per_second": len(split) / seconds,
        }

    def pictures(
        self, config: ParsingConfig, parts: Vocabularies, model: Translator, folder: Path
    ) -> list[Path]:
        """A held-out sentence: its tree, and the one that was predicted."""
        trees = self.read(config).validation
        gold = next((tree for tree in trees if 8 <= len(words_of(tree)) <= 14), trees[0])
        [found], _ = parsed(self.servable(config, parts, model), [gold])
        f1 = bracket_f1([found], [gold]).f1
        drawn = {"gold": (gold, "The treebank's tree"), "predicted": (found, f"F1 {f1:.1f}")}
        pictures = []
        for name, (tree, title) in drawn.items():
            pictures.append(folder / f"tree_{name}.png")
            plot_tree(tree, title=title, path=pictures[-1])
        return pictures

    def servable(self, config: ParsingConfig, parts: Vocabularies, model: Translator) -> TextParser:
        """From sentences to trees in brackets."""
        return TextParser(model, *parts, config.beam, config.max_words, config.length_penalty)


def words_of(tree: data.Tree) -> list[str]:
    """The words of a cleaned tree."""
    return [str(leaf.word) for leaf in data.leaves(tree)]


def check_lengths(trees: Trees, max_words: int) -> None:
    """Refuse a sentence that is too long to be parsed (names it by its place, from 0)."""
    for place, tree in enumerate(trees):
        if (count := len(words_of(tree))) > max_words:
            raise ValueError(
                f"tree {place} has {count} words, over the {max_words} that the parser takes at "
                "most (`max_words`)."
            )


def parsed(parser: TextParser, trees: Trees) -> tuple[Trees, int]:
    """What a parser makes of the words of some trees, and how often that is no tree over them.

    Where it is none, right-branching stands in.
    """
    rows = [words_of(tree) for tree in trees]
    found, ill_formed = [], 0
    for words, text in zip(rows, parser([" ".join(row) for row in rows]), strict=True):
        try:
            tree = data.parse_tree(text)
            well_formed = words_of(tree) == words
        except ValueError:
            well_formed = False
        found.append(tree if well_formed else right_branching(words))
        ill_formed += not well_formed
    return found, ill_formed


def tag_accuracy(predicted: Trees, gold: Trees) -> float:
    """The share of the words that have the right part of speech."""
    pairs = [
        (guess.label, leaf.label)
        for found, tree in zip(predicted, gold, strict=True)
        for guess, leaf in zip(data.leaves(found), data.leaves(tree), strict=True)
    ]
    return sum(guess == tag for guess, tag in pairs) / len(pairs)
