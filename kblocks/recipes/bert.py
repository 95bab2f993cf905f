"""What the recipes that fine-tune BERT share: the checkpoint, its vocabulary, the learning rate."""

import dataclasses
from typing import Any, NamedTuple

import keras

from kblocks import checkpoints
from kblocks.models import BertEncoder
from kblocks.recipes.recipe import Recipe, TrainingConfig
from kblocks.recipes.run import Keep, RunDirectory
from kblocks.text import WordPieceVocabulary
from kblocks.training import LayerwiseAdam, LinearSchedule


@dataclasses.dataclass
class BertConfig(TrainingConfig):
    """The settings that all recipes on BERT have."""

    data: str | None = None
    pretrained: str | None = None  # a directory, or a name on the hub
    from_scratch: bool = False  # with the weights of the checkpoint left aside
    max_length: int = 128  # pieces of what is read at once

    dropout: float = 0.1
    batch_size: int = 32
    epochs: int = 3
    keep: Keep = "last"
    learning_rate: float = 5e-5
    warm_up: float = 0.1  # of all steps
    layer_decay: float = 1.0  # the rate of a layer, as a share of that of the one above it
    clip_norm: float = 1.0


class BertParts(NamedTuple):
    """What the model must know: its vocabulary, and the constructor's arguments of the encoder."""

    vocabulary: WordPieceVocabulary
    encoder: dict[str, Any]


class BertRecipe(Recipe):
    """A recipe on BERT; a subclass says what is read and said.

    Its parts are the vocabulary and the shape of the encoder.
    """

    part_files = ("vocab.txt", "encoder.json")
    not_decayed = ("bias", "gamma", "beta")

    def learn_parts(self, config: Any, splits: Any) -> Any:
        """Those of the checkpoint.

        Raises:
            ValueError: Its vocabulary and its encoder do not fit together.
        """
        source = self._checkpoint(config)
        arguments = checkpoints.read_arguments(BertEncoder, source)
        vocabulary = checkpoints.load_vocabulary(source)
        if vocabulary.size != arguments["vocabulary_size"]:
            raise ValueError(
                f"{source}: its vocabulary has {vocabulary.size} pieces, its model "
                f"{arguments['vocabulary_size']}."
            )
        return BertParts(vocabulary, arguments)

    def save_parts(self, parts: Any, run: RunDirectory) -> None:
        """The pieces, a line each, and a JSON file."""
        parts.vocabulary.save(run.path / "vocab.txt")
        own = {"lower_case": parts.vocabulary.lower_case, "encoder": parts.encoder}
        run.write_json("encoder.json", own)

    def load_parts(self, config: Any, run: RunDirectory) -> Any:
        """Those of a run."""
        own = run.read_json("encoder.json")
        path = run.path / "vocab.txt"
        return BertParts(WordPieceVocabulary.load(path, own["lower_case"]), own["encoder"])

    def encoder(self, config: Any, parts: Any, **changes: Any) -> BertEncoder:
        """The encoder that the settings describe, not built."""
        own = {"dropout": config.dropout, "attention_dropout": config.dropout}
        return BertEncoder(**{**parts.encoder, **own, **changes})

    def begin(self, config: Any, parts: Any, model: Any) -> None:
        """The checkpoint's weights."""
        if not config.from_scratch:
            checkpoints.load_weights(model.encoder, self._checkpoint(config))

    def _checkpoint(self, config: Any) -> str:
        if config.pretrained is None:
            raise ValueError(
                f"the recipe {self.name} needs --set pretrained=CHECKPOINT, a directory of a BERT "
                "or a name on Hugging Face's hub."
            )
        return config.pretrained

    def learning_rate(self, config: Any, steps: int) -> Any:
        """Up along a line, then down to zero."""
        steps *= config.epochs
        return LinearSchedule(config.learning_rate, steps, int(config.warm_up * steps))

    def optimizer(
        self, config: Any, model: Any, options: dict[str, Any]
    ) -> keras.optimizers.Optimizer:
        """Adam, with a rate for each layer where these differ."""
        if config.layer_decay == 1:
            return super().optimizer(config, model, options)
        return LayerwiseAdam(model.depths(), config.layer_decay, **options)
