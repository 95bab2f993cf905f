"""A language model over the characters of a text, of GPT-2's kind.

    kblocks train characters --data folder --out runs/shakespeare

The data are a text file (UTF-8, perhaps with `.gz`), or a folder with `input.txt`; the end of it is
held out. The settings are those of nanoGPT for a CPU (https://github.com/karpathy/nanoGPT, README
and `train.py`), whose author reports 1.88 nats a character on Shakespeare's plays.
"""

import dataclasses
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from kblocks import data
from kblocks.export import TextGenerator
from kblocks.files import need_file, read_text
from kblocks.models import GPT2
from kblocks.recipes.learning_rate import rise_and_fall
from kblocks.recipes.recipe import Recipe, TrainingConfig
from kblocks.recipes.run import Keep, RunDirectory
from kblocks.text import CharacterVocabulary
from kblocks.training import LabelledCrossentropy, LabelledLogLikelihood


@dataclasses.dataclass
class CharactersConfig(TrainingConfig):
    """The settings of a run; `--set name=value` changes one."""

    data: str | None = None  # a text file, or a folder with input.txt
    held_out: float = 0.1  # the share at the end of the text, for validation

    layers: int = 4
    heads: int = 4
    width: int = 128
    context: int = 64  # characters that the model sees
    dropout: float = 0.0

    batch_size: int = 12  # windows of so many characters
    steps: int = 2000  # in all; each epoch takes its share
    epochs: int = 10
    keep: Keep = "last"
    learning_rate: float = 1e-3
    last_rate: float = 0.1  # the share of the learning rate that is left at the end
    warm_up: int = 100  # steps
    weight_decay: float = 0.1
    clip_norm: float = 1.0

    continuation: int = 200  # characters that the exported model says
    temperature: float = 0.8
    top_k: int | None = None


class TextSplits(NamedTuple):
    """A text, and how it ends."""

    train: str
    validation: str


class Characters(Recipe):
    """The recipe `characters`."""

    name = "characters"
    summary = "language model over the characters of a text: a small GPT-2"
    facts: ClassVar = {
        "data": "any text: --data FILE, or a folder with input.txt",
        "size": "0.8 M parameters in 4 layers",
    }
    Config = CharactersConfig
    metric = "val_log_likelihood"  # nats of a character, the higher the better
    examples = "text"
    part_files = ("characters.txt",)
    not_decayed = ("bias", "gamma", "beta")

    def read(self, config: CharactersConfig) -> TextSplits:
        """The text, cut in two."""
        if config.data is None:
            raise ValueError(
                "the recipe characters needs --data, a text file or a folder with input.txt."
            )
        if not 0 < config.held_out < 1:
            raise ValueError(f"`held_out` must be over 0 and less than 1, got {config.held_out!r}.")
        path = Path(config.data)
        text = read_text(need_file(path, "input.txt") if path.is_dir() else path)
        cut = int(len(text) * (1 - config.held_out))
        return TextSplits(text[:cut], text[cut:])

    def learn_parts(self, config: CharactersConfig, splits: TextSplits) -> CharacterVocabulary:
        """The characters of the whole text."""
        return CharacterVocabulary(splits.train + splits.validation)

    def save_parts(self, parts: CharacterVocabulary, run: RunDirectory) -> None:
        """One file with all characters."""
        parts.save(run.path / "characters.txt")

    def load_parts(self, config: CharactersConfig, run: RunDirectory) -> CharacterVocabulary:
        """The characters of a run."""
        return CharacterVocabulary.load(run.path / "characters.txt")

    def batches(
        self,
        config: CharactersConfig,
        parts: CharacterVocabulary,
        split: str,
        training: bool = False,
        first_epoch: int = 0,
        **options: Any,
    ) -> data.Batches:
        """Windows from anywhere in training, else side by side over the whole split."""
        ids = parts.ids(split)
        if not training:
            return data.all_windows(ids, config.context, batch_size=64)
        steps = config.steps // config.epochs
        return data.random_windows(
            ids, config.context, config.batch_size, steps, config.seed, first_epoch
        )

    def make_model(self, config: CharactersConfig, parts: CharacterVocabulary) -> GPT2:
        """The model that the settings describe, built."""
        model = GPT2(
            parts.size,
            config.layers,
            config.width,
            config.heads,
            max_length=config.context,
            dropout=config.dropout,
            attention_dropout=config.dropout,
        )
        model.build()
        return model

    def objective(self, config: CharactersConfig, parts: CharacterVocabulary) -> dict[str, Any]:
        """The cross-entropy of a character, the mean over a window."""
        of_a_window = LabelledCrossentropy(reduction="none")

        def crossentropy(labels: Any, logits: Any) -> Any:
            return of_a_window(labels, logits) / config.context

        return {"loss": crossentropy, "metrics": [LabelledLogLikelihood()]}

    def learning_rate(self, config: CharactersConfig, steps: int) -> Any:
        """Up in the first steps, then along a cosine to a share of its height."""
        return rise_and_fall(
            config.learning_rate, config.epochs * steps, config.warm_up, config.last_rate
        )

    def adam(self, config: CharactersConfig) -> dict[str, Any]:
        """As nanoGPT: few tokens a step make for a long memory of their squares."""
        return {"beta_2": 0.99, "epsilon": 1e-8}

    def measure(
        self,
        config: CharactersConfig,
        parts: CharacterVocabulary,
        model: GPT2,
        split: str,
        splits: TextSplits,
    ) -> dict[str, float]:
        """The mean of -log p in nats a character."""
        values = super().measure(config, parts, model, split, splits)
        return {"nats": -values["log_likelihood"]}

    def servable(
        self, config: CharactersConfig, parts: CharacterVocabulary, model: GPT2
    ) -> TextGenerator:
        """From the beginning of a text to how it may go on."""
        return TextGenerator(
            model, parts, config.continuation, config.temperature, config.top_k, config.seed
        )
