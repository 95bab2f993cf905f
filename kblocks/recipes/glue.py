"""Fine-tuning BERT on a task of GLUE: Devlin et al. 2019, sections 4.1 and A.3.

    kblocks train glue --data folder --set task=SST-2 --set pretrained=minilm --out runs/sst2
    kblocks train glue --data folder --set task=RTE --set pretrained=minilm \\
        --set from_scratch=true --out runs/rte-scratch

`pretrained` is a checkpoint, a directory or a name on Hugging Face's hub. With `from_scratch` the
same network begins with random weights. `layer_decay` under 1 lets the lower layers learn more
slowly. `patience=2` stops early; with it goes `keep=best`, which takes the best epoch on the dev
texts, so that their score is no longer that of unseen ones. `pooling=mean` reads the mean of all
states, not the first: for checkpoints that were trained to embed sentences so.

    kblocks plot runs/sst2

also writes `pictures/predictions.tsv`, the dev texts with what is said of them, the worst first.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from kblocks import data
from kblocks.data.glue import TASKS, Task
from kblocks.export import TextClassifier
from kblocks.metrics import glue_scores
from kblocks.models import BertClassifier
from kblocks.recipes.bert import BertConfig, BertRecipe
from kblocks.recipes.prediction_table import write_predictions


@dataclasses.dataclass
class TaskConfig(BertConfig):
    """The settings of all that is fine-tuned on GLUE."""

    data: str | None = None  # a folder
    task: Literal["CoLA", "SST-2", "MRPC", "STS-B", "QQP", "QNLI", "RTE", "WNLI"] = "SST-2"


@dataclasses.dataclass
class GlueConfig(TaskConfig):
    """The settings of a run; `--set name=value` changes one."""

    pooling: Literal["first", "mean"] = "first"  # of the states of a text


class TextSplits(NamedTuple):
    """Examples to train on, and those that are reported."""

    train: data.LabelledTexts
    validation: data.LabelledTexts


class Glue(BertRecipe):
    """The recipe `glue`."""

    name = "glue"
    summary = "BERT, fine-tuned to classify texts or pairs of texts"
    facts: ClassVar = {
        "data": "a task of GLUE: --data FOLDER with its TSV files; a pre-trained BERT",
        "size": "that of the checkpoint",
    }
    Config: ClassVar[type[TaskConfig]] = GlueConfig
    examples = "texts"
    metric = "val_score"

    def read(self, config: GlueConfig) -> TextSplits:
        """The task's training and dev examples."""
        if config.data is None:
            raise ValueError("the recipe glue needs --data FOLDER with the TSV files of GLUE.")
        return TextSplits(
            *(data.read_glue(config.data, config.task, split) for split in ("train", "dev"))
        )

    def batches(
        self,
        config: GlueConfig,
        parts: Any,
        split: data.LabelledTexts,
        training: bool = False,
        **options: Any,
    ) -> data.Batches:
        """Texts of about equal lengths."""
        kind = "int32" if TASKS[config.task].classes else "float32"
        return data.text_batches(
            split.first,
            split.second,
            np.asarray(split.labels, kind),
            parts.vocabulary,
            config.batch_size,
            config.max_length,
            shuffle=training,
            seed=config.seed,
            **options,
        )

    def make_model(self, config: GlueConfig, parts: Any) -> Any:
        """The encoder with a head, built."""
        classes = max(1, len(TASKS[config.task].classes))
        encoder = self.encoder(config, parts, pooler=config.pooling == "first")
        model = BertClassifier(encoder, classes, config.dropout, config.pooling)
        model.build()
        return model

    def objective(self, config: GlueConfig, parts: Any) -> dict[str, Any]:
        """The cross-entropy of the classes, or the squared error of the number."""
        if TASKS[config.task].classes:
            return {"loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True)}
        return {"loss": keras.losses.MeanSquaredError()}

    def score(
        self,
        config: GlueConfig,
        parts: Any,
        model: Any,
        split: data.LabelledTexts,
        batches: data.Batches,
    ) -> Callable[[], dict[str, float]]:
        """The first of the task's measures."""
        task, said = TASKS[config.task], saying(model)  # one graph for all epochs
        return lambda: {"val_score": scores(said, batches, task)[task.metrics[0]]}

    def measure(
        self,
        config: GlueConfig,
        parts: Any,
        model: Any,
        split: data.LabelledTexts,
        splits: TextSplits,
    ) -> dict[str, Any]:
        """The task's measures."""
        task = TASKS[config.task]
        values = scores(saying(model), self.batches(config, parts, split), task)
        return {"score": values[task.metrics[0]], **values}

    def pictures(self, config: GlueConfig, parts: Any, model: Any, folder: Path) -> list[Path]:
        """A table of the dev texts, and of what is said of them."""
        texts, said = self.read(config).validation, saying(model)
        numbers = range(len(texts))
        numbered = self.batches(
            config, parts, data.LabelledTexts(texts.first, texts.second, numbers)
        )
        logits = np.empty((len(texts), model.num_classes))
        for inputs, number in numbered.dataset.take(numbered.steps):
            logits[number.numpy().astype(int)] = said(inputs).numpy()
        table = folder / "predictions.tsv"
        write_predictions(table, texts, logits, TASKS[config.task].classes)
        return [table]

    def servable(self, config: GlueConfig, parts: Any, model: Any) -> TextClassifier:
        """From texts, or pairs, to labels."""
        task = TASKS[config.task]
        pairs = len(task.columns) == 3
        return TextClassifier(model, parts.vocabulary, task.classes, config.max_length, pairs)


def saying(model: Any) -> Callable[[Any], Any]:
    """From the inputs of the model to its logits, in a graph for batches of any size."""
    return tf.function(lambda inputs: model(inputs, training=False), reduce_retracing=True)


def scores(said: Callable[[Any], Any], batches: data.Batches, task: Task) -> dict[str, float]:
    """The task's measures of what is said of the texts."""
    found: list[float] = []
    right: list[float] = []
    for inputs, labels in batches.dataset.take(batches.steps):
        logits = said(inputs).numpy()
        found += (logits.argmax(-1) if task.classes else logits[:, 0]).tolist()
        right += labels.numpy().tolist()
    return glue_scores(found, right, task.metrics)
