"""Pre-training BERT on free text: Devlin et al. 2019 (arXiv:1810.04805), sections 3.1, A.2 and C.

    kblocks train pretraining --data shakespeare.txt --out runs/bert
    kblocks train glue --data folder --set task=SST-2 --set pretrained=runs/bert/checkpoint ...

The data are a text, a sentence a line and an empty line between documents, or a folder of such
files (`.txt`, `.txt.gz`), or of shards as `kblocks.data.write_shards` writes them. Documents are
held out whole, so that no pair of sentences of the validation is one of the training. `python
tools/shakespeare.py` makes such a text.

The paper's comparisons (section 5.1) are `next_sentence=false`, and with it
`objective=left_to_right`: each piece is said from those before it, with half the network's sight.
"""

import dataclasses
import math
import shutil
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import keras
from rich.console import Console

from kblocks import checkpoints, data
from kblocks.data.document_shards import INDEX
from kblocks.data.pretraining_batches import Objective
from kblocks.distribute import is_chief
from kblocks.export import TextEmbedder
from kblocks.models import BertEncoder, BertPretrainer, BertSentenceEncoder
from kblocks.plotting import plot_curves
from kblocks.recipes.recipe import Recipe, TrainingConfig
from kblocks.recipes.run import Keep, RunDirectory
from kblocks.text import WordPieceVocabulary
from kblocks.training import (
    LabelledAccuracy,
    LabelledCrossentropy,
    LabelledLogLikelihood,
    LinearSchedule,
)

CHECKPOINT = "checkpoint"  # the folder of a run that the recipe `glue` begins with


@dataclasses.dataclass
class PretrainingConfig(TrainingConfig):
    """The settings of a run; `--set name=value` changes one."""

    data: str | None = None  # a text file, or a folder of them or of shards
    held_out: float = 0.1  # the share of the documents, for validation
    vocabulary: int = 4000  # pieces, learned from the training documents
    lower_case: bool = True

    objective: Objective = "masked"  # or left_to_right
    next_sentence: bool = True
    whole_words: bool = False
    dynamic: bool = True  # pair and hide anew in each epoch
    packed: bool = False  # rows go on in the next document; without next_sentence
    predictions: int = 20  # hidden pieces of a row, at most

    layers: int = 2
    heads: int = 4
    width: int = 128
    context: int = 128  # pieces of a row, and positions of the model
    dropout: float = 0.0

    batch_size: int = 32
    epochs: int = 25
    keep: Keep = "last"
    learning_rate: float = 2e-3
    warm_up: float = 0.1  # of all steps
    weight_decay: float = 0.01
    clip_norm: float = 1.0


class DocumentSplits(NamedTuple):
    """Documents, as text or as ids, and with the latter their vocabulary."""

    train: data.Documents | data.TokenisedDocuments
    validation: data.Documents | data.TokenisedDocuments
    vocabulary: WordPieceVocabulary | None = None


class Pretraining(Recipe):
    """The recipe `pretraining`; its part is the vocabulary."""

    name = "pretraining"
    summary = "BERT, pre-trained on free text: masked words and next sentences"
    facts: ClassVar = {
        "data": "any text in documents: --data FILE or FOLDER; tools/shakespeare.py makes one",
        "size": "0.9 M parameters in 2 layers",
    }
    Config = PretrainingConfig
    metric = "val_masked_log_likelihood"  # nats of a hidden piece, the higher the better
    examples = "documents"
    part_files = ("vocab.txt", "tokenizer_config.json")
    not_decayed = ("bias", "gamma", "beta")

    def read(self, config: PretrainingConfig) -> DocumentSplits:
        """The documents, every so-manieth held out."""
        if config.data is None:
            raise ValueError(
                "the recipe pretraining needs --data, a text with a sentence a line and an empty "
                "line between documents, or a folder of such files or of shards."
            )
        if (Path(config.data) / INDEX).is_file():
            documents, vocabulary = data.read_shards(config.data)
            out = data.hold_out(documents.number, config.held_out)
            return DocumentSplits(documents.some(~out), documents.some(out), vocabulary)
        texts = data.read_documents(config.data)
        out = data.hold_out(len(texts), config.held_out)
        train, validation = (
            [text for text, here in zip(texts, wanted, strict=True) if here]
            for wanted in (~out, out)
        )
        return DocumentSplits(train, validation)

    def learn_parts(self, config: PretrainingConfig, splits: DocumentSplits) -> WordPieceVocabulary:
        """That of the shards, or the pieces of the training documents."""
        if splits.vocabulary is not None:
            return splits.vocabulary
        sentences = (sentence for document in splits.train for sentence in document)
        return WordPieceVocabulary.train(sentences, config.vocabulary, config.lower_case)

    def save_parts(self, parts: WordPieceVocabulary, run: RunDirectory) -> None:
        """The pieces, a line each, and whether they are of lower case."""
        checkpoints.save_vocabulary(parts, run.path)

    def load_parts(self, config: PretrainingConfig, run: RunDirectory) -> WordPieceVocabulary:
        """The vocabulary of a run."""
        return checkpoints.load_vocabulary(run.path)

    def batches(
        self,
        config: PretrainingConfig,
        parts: WordPieceVocabulary,
        split: Any,
        training: bool = False,
        **options: Any,
    ) -> data.Batches:
        """Rows anew in each epoch of training, else always the same; what is in it is told."""
        documents = split
        if not isinstance(documents, data.TokenisedDocuments):
            documents = data.tokenise(split, parts)
        if not documents.number:
            raise ValueError("nothing is left of them.")
        if training and is_chief():
            told = data.document_statistics(documents, parts.unknown, parts.size)
            Console(stderr=True, highlight=False).print(f"training on {told}", soft_wrap=True)
        return data.pretraining_batches(
            documents,
            parts,
            config.batch_size,
            config.context,
            config.next_sentence,
            config.objective,
            config.predictions,
            config.whole_words,
            dynamic=training and config.dynamic,
            packed=config.packed,
            shuffle=training,
            seed=config.seed,
            **options,
        )

    def make_model(self, config: PretrainingConfig, parts: WordPieceVocabulary) -> BertPretrainer:
        """The model that the settings describe, built."""
        encoder = BertEncoder(
            parts.size,
            config.layers,
            config.width,
            config.heads,
            max_length=config.context,
            dropout=config.dropout,
            attention_dropout=config.dropout,
            padding=parts.padding,
            # As large, beside the width, as BERT's in its width of 768.
            initializer_range=0.02 * math.sqrt(768 / config.width),
            causal=config.objective == "left_to_right",
        )
        if encoder.pooler is not None and not config.next_sentence:
            encoder.pooler.trainable = False  # it is there for the fine-tuning
        model = BertPretrainer(encoder, config.next_sentence)
        model.build()
        return model

    def objective(self, config: PretrainingConfig, parts: WordPieceVocabulary) -> dict[str, Any]:
        """The cross-entropy of the hidden pieces, the mean of a full row, and of the next one."""
        of_a_row = LabelledCrossentropy(reduction="none")
        full = config.predictions if config.objective == "masked" else config.context - 1

        def crossentropy(labels: Any, logits: Any) -> Any:
            return of_a_row(labels, logits) / full

        loss: dict[str, Any] = {"masked": crossentropy}
        name = "" if config.next_sentence else "masked_"  # Keras names outputs only among several
        metrics: dict[str, Any] = {
            "masked": [
                LabelledLogLikelihood(f"{name}log_likelihood"),
                LabelledAccuracy(name=f"{name}accuracy"),
            ]
        }
        if config.next_sentence:
            loss["next"] = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            metrics["next"] = [keras.metrics.SparseCategoricalAccuracy("accuracy")]
        return {"loss": loss, "metrics": metrics}

    def learning_rate(self, config: PretrainingConfig, steps: int) -> Any:
        """Up along a line, then down to zero."""
        steps *= config.epochs
        return LinearSchedule(config.learning_rate, steps, int(config.warm_up * steps))

    def train(
        self, config: PretrainingConfig, run: RunDirectory, quiet: bool = False
    ) -> dict[str, Any]:
        """Train into a run, and write the encoder of the epoch that is kept as a checkpoint."""
        reached = super().train(config, run, quiet)
        if is_chief():
            _, vocabulary, model = self.load(run)
            beside = run.path / f"{CHECKPOINT}.new"
            shutil.rmtree(beside, ignore_errors=True)
            checkpoints.save_pretrained(model.encoder, beside)
            checkpoints.save_vocabulary(vocabulary, beside)
            shutil.rmtree(run.path / CHECKPOINT, ignore_errors=True)
            beside.rename(run.path / CHECKPOINT)
        return reached

    def measure(
        self,
        config: PretrainingConfig,
        parts: WordPieceVocabulary,
        model: BertPretrainer,
        split: Any,
        splits: DocumentSplits,
    ) -> dict[str, float]:
        """-log p of a hidden piece in nats, and the shares of right pieces and next sentences."""
        values = super().measure(config, parts, model, split, splits)
        found = {
            "masked_nats": -values["masked_log_likelihood"],
            "masked_accuracy": values["masked_accuracy"],
        }
        if config.next_sentence:
            found |= {"next_nats": values["next_loss"], "next_accuracy": values["next_accuracy"]}
        return found

    def plot(self, run: RunDirectory) -> list[Path]:
        """Draw the learning curves of both objectives."""
        names = ("masked_loss", "masked_accuracy", "next_loss", "next_accuracy")
        there = [f"val_{name}" for name in names if f"val_{name}" in run.history()[0]]
        curves = run.pictures / "curves.png"
        plot_curves(run.log, metric=there, path=curves)
        return [curves]

    def servable(
        self, config: PretrainingConfig, parts: WordPieceVocabulary, model: BertPretrainer
    ) -> TextEmbedder:
        """From texts to the means of their pieces' states."""
        return TextEmbedder(BertSentenceEncoder(model.encoder), parts, config.context)
