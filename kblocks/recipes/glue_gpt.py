"""Fine-tuning a GPT of one's own on a task of GLUE: Radford et al. 2018, sections 3.2 and 3.3.

    kblocks train characters --data folder --set context=256 --out runs/gpt
    kblocks train glue-gpt --data glue --set task=SST-2 --set pretrained=runs/gpt --out runs/sst2
    kblocks train glue-gpt --data glue --set task=SST-2 --set pretrained=runs/gpt \\
        --set language_weight=0 --out runs/sst2-alone

`pretrained` is a run of the recipe `characters`, whose characters the texts are read in; others are
left out. The language model's own loss over the texts goes on beside the task's, by
`language_weight` (lambda of equation 5; 0 for none). Of pairs the order counts in every task.
"""

import dataclasses
from typing import Any, ClassVar, NamedTuple

import keras

from kblocks.data.glue import TASKS
from kblocks.models import GPT2, GPTClassifier
from kblocks.recipes.characters import Characters
from kblocks.recipes.glue import Glue, TaskConfig
from kblocks.recipes.run import RunDirectory
from kblocks.text import CharacterVocabulary, TaskCharacters

_SHAPE = ("layers", "hidden_dim", "num_heads", "intermediate_dim", "max_length")


@dataclasses.dataclass
class GlueGPTConfig(TaskConfig):
    """The settings of a run; `--set name=value` changes one."""

    pretrained: str | None = None  # a run of the recipe characters
    max_length: int = 256  # characters of a text or a pair
    language_weight: float = 0.5  # of the language model's loss
    learning_rate: float = 3e-4


class GPTParts(NamedTuple):
    """What the model must know: its vocabulary, and the constructor's arguments of the GPT."""

    vocabulary: TaskCharacters
    gpt: dict[str, Any]


class GlueGPT(Glue):
    """The recipe `glue-gpt`; its parts are the characters and the shape of the GPT."""

    name = "glue-gpt"
    summary = "GPT over characters, fine-tuned to classify texts or pairs of texts"
    facts: ClassVar = {
        "data": "a task of GLUE: --data FOLDER with its TSV files; a run of characters",
        "size": "that of the run",
    }
    Config = GlueGPTConfig
    part_files = ("characters.txt", "gpt.json")

    def learn_parts(self, config: Any, splits: Any) -> GPTParts:
        """Those of the run.

        Raises:
            ValueError: There is none, or its GPT sees fewer characters than `max_length`.
        """
        _, characters, model = self._pretrained(config)
        gpt = {name: model.get_config()[name] for name in _SHAPE}
        if not 3 <= config.max_length <= gpt["max_length"]:
            raise ValueError(
                f"`max_length` must be 3 to {gpt['max_length']}, the `context` of "
                f"{config.pretrained}, got {config.max_length}."
            )
        return GPTParts(TaskCharacters(characters), gpt)

    def save_parts(self, parts: GPTParts, run: RunDirectory) -> None:
        """The characters, and a JSON file."""
        parts.vocabulary.characters.save(run.path / "characters.txt")
        run.write_json("gpt.json", parts.gpt)

    def load_parts(self, config: Any, run: RunDirectory) -> GPTParts:
        """Those of a run."""
        characters = CharacterVocabulary.load(run.path / "characters.txt")
        return GPTParts(TaskCharacters(characters), run.read_json("gpt.json"))

    def make_model(self, config: Any, parts: GPTParts) -> GPTClassifier:
        """The GPT, with three ids more and a head, built."""
        dropout: dict[str, Any] = {"dropout": config.dropout, "attention_dropout": config.dropout}
        gpt = GPT2(parts.vocabulary.size, **parts.gpt, **dropout)
        classes = max(1, len(TASKS[config.task].classes))
        model = GPTClassifier(gpt, classes, config.language_weight, config.dropout)
        model.build()
        return model

    def begin(self, config: Any, parts: GPTParts, model: GPTClassifier) -> None:
        """The weights of the run; the three new tokens keep theirs, drawn at random."""
        if config.from_scratch:
            return
        *_, trained = self._pretrained(config)
        begun = keras.ops.convert_to_numpy(model.gpt.token_embedding.embeddings)
        for variable, source in zip(model.gpt.weights, trained.weights, strict=True):
            value = keras.ops.convert_to_numpy(source)
            if variable is model.gpt.token_embedding.embeddings:
                value = [*value, *begun[len(value) :]]
            variable.assign(value)

    def _pretrained(self, config: Any) -> tuple[Any, CharacterVocabulary, GPT2]:
        """The settings, the vocabulary and the model of the run."""
        if config.pretrained is None:
            raise ValueError(
                "the recipe glue-gpt needs --set pretrained=RUN, a run of the recipe characters."
            )
        run = RunDirectory.open(config.pretrained)
        if run.read_json("config.json").get("recipe") != Characters.name:
            raise ValueError(f"{config.pretrained} is no run of the recipe characters.")
        return Characters().load(run)
