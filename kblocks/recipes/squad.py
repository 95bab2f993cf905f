"""Fine-tuning BERT to answer questions by a piece of a text: Devlin et al. 2019, sections 4.2, 4.3.

    kblocks train squad --data folder --set pretrained=minilm --out runs/squad
    kblocks train squad --data folder --set version=2.0 --set pretrained=minilm --out runs/squad2
    kblocks predict saved_models/squad "Who sails?" "Anna sails, and Ben swims."

The folder has `train-v1.1.json` and `dev-v1.1.json`, or those of v2.0, as SQuAD is published
(https://rajpurkar.github.io/SQuAD-explorer), perhaps with `.gz`. `pretrained` is a checkpoint, a
directory or a name on Hugging Face's hub.

    kblocks plot runs/squad

also writes `pictures/predictions.json`, the answers by the questions' ids as SQuAD's own program
reads them, and `pictures/predictions.tsv`, the dev questions with what is said, the worst first.
"""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import keras
import numpy as np

from kblocks import data
from kblocks.export import QuestionAnswerer
from kblocks.files import need_file
from kblocks.metrics import squad_scores
from kblocks.models import BertSpanClassifier
from kblocks.recipes.bert import BertConfig, BertParts, BertRecipe
from kblocks.recipes.prediction_table import write_table

_AT_ONCE = 32  # questions that are answered together

Questions = list[data.Question]


@dataclasses.dataclass
class SquadConfig(BertConfig):
    """The settings of a run; `--set name=value` changes one."""

    data: str | None = None  # a folder
    version: Literal["1.1", "2.0"] = "1.1"  # in 2.0 there are questions without an answer
    max_length: int = 384  # pieces of a question and a window of its text
    stride: int = 128  # pieces from a window to the next
    max_question: int = 64  # pieces
    max_answer: int = 30  # pieces
    threshold: float = 0.0  # in 2.0 an answer must stand out from none by more than this


class QuestionSplits(NamedTuple):
    """Questions to train on, and those that are reported."""

    train: Questions
    validation: Questions


class Squad(BertRecipe):
    """The recipe `squad`."""

    name = "squad"
    summary = "BERT, fine-tuned to answer questions by a piece of a text"
    facts: ClassVar = {
        "data": "SQuAD: --data FOLDER with its JSON files; a pre-trained BERT",
        "size": "that of the checkpoint",
    }
    Config = SquadConfig
    examples = "questions"
    metric = "val_f1"

    def read(self, config: SquadConfig) -> QuestionSplits:
        """The training and dev questions."""
        if config.data is None:
            raise ValueError("the recipe squad needs --data FOLDER with the JSON files of SQuAD.")
        files = (f"{split}-v{config.version}.json" for split in ("train", "dev"))
        return QuestionSplits(*(data.read_squad(need_file(config.data, name)) for name in files))

    def batches(
        self,
        config: SquadConfig,
        parts: BertParts,
        split: Questions,
        training: bool = False,
        **options: Any,
    ) -> data.Batches:
        """Windows of about equal lengths."""
        return data.question_batches(
            split,
            parts.vocabulary,
            config.batch_size,
            config.max_length,
            config.stride,
            config.max_question,
            shuffle=training,
            seed=config.seed,
            **options,
        )

    def make_model(self, config: SquadConfig, parts: BertParts) -> BertSpanClassifier:
        """The encoder with a head, built."""
        model = BertSpanClassifier(self.encoder(config, parts, pooler=False))
        model.build()
        return model

    def objective(self, config: SquadConfig, parts: BertParts) -> dict[str, Any]:
        """The cross-entropy of where the answer begins and ends, their mean."""
        crossentropy = keras.losses.SparseCategoricalCrossentropy
        ends = ("start", "end")
        return {
            "loss": {name: crossentropy(from_logits=True) for name in ends},
            "loss_weights": dict.fromkeys(ends, 0.5),
        }

    def score(
        self,
        config: SquadConfig,
        parts: BertParts,
        model: BertSpanClassifier,
        split: Questions,
        batches: data.Batches,
    ) -> Callable[[], dict[str, float]]:
        """Exact match and F1."""
        answerer = self.servable(config, parts, model)  # one graph for all epochs

        def scored() -> dict[str, float]:
            said = [answer["answer"] for answer in answered(answerer, split)]
            scores = squad_scores(said, [question.answers for question in split])
            return {f"val_{name}": value for name, value in scores.items()}

        return scored

    def measure(
        self,
        config: SquadConfig,
        parts: BertParts,
        model: BertSpanClassifier,
        split: Questions,
        splits: QuestionSplits,
    ) -> dict[str, Any]:
        """Exact match and F1, in 2.0 also of questions with and without an answer."""
        found = answered(self.servable(config, parts, model), split)
        pairs = [(a["answer"], q.answers) for a, q in zip(found, split, strict=True)]
        kinds = {"": pairs}
        if config.version == "2.0":
            kinds["answerable_"] = [pair for pair in pairs if pair[1]]
            kinds["impossible_"] = [pair for pair in pairs if not pair[1]]
        return {
            f"{kind}{name}": value
            for kind, some in kinds.items()
            if some
            for name, value in squad_scores(*zip(*some, strict=True)).items()
        }

    def pictures(
        self, config: SquadConfig, parts: BertParts, model: BertSpanClassifier, folder: Path
    ) -> list[Path]:
        """The answers in SQuAD's form, and a table of them."""
        questions = self.read(config).validation
        found = answered(self.servable(config, parts, model), questions)
        said = {q.id: a["answer"] for q, a in zip(questions, found, strict=True)}
        answers, table = folder / "predictions.json", folder / "predictions.tsv"
        beside = folder / "predictions.json.tmp"
        beside.write_text(json.dumps(said, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        beside.replace(answers)
        f1 = [squad_scores([said[q.id]], [q.answers])["f1"] for q in questions]
        header = ("f1", "right", "said", "probability", "question", "text")
        rows = [
            (
                f"{f1[i]:.1f}",
                " | ".join(dict.fromkeys(questions[i].answers)),
                found[i]["answer"],
                f"{found[i]['probability']:.4f}",
                questions[i].question,
                questions[i].context,
            )
            for i in np.argsort(f1, kind="stable")
        ]
        write_table(table, [header, *rows])
        return [answers, table]

    def servable(
        self, config: SquadConfig, parts: BertParts, model: BertSpanClassifier
    ) -> QuestionAnswerer:
        """From questions and texts to answers."""
        return QuestionAnswerer(
            model,
            parts.vocabulary,
            config.max_length,
            config.stride,
            config.max_question,
            config.max_answer,
            config.threshold if config.version == "2.0" else None,
        )


def answered(answerer: QuestionAnswerer, questions: Questions) -> list[dict[str, Any]]:
    """What is said to each question: `answer`, `start`, `probability` and `score`."""
    found: list[dict[str, Any]] = []
    for i in range(0, len(questions), _AT_ONCE):
        some = questions[i : i + _AT_ONCE]
        outputs = answerer.answer([q.question for q in some], [q.context for q in some])
        columns = {name: output.numpy().tolist() for name, output in outputs.items()}
        for row in zip(*columns.values(), strict=True):
            said = dict(zip(columns, row, strict=True))
            found.append({**said, "answer": said["answer"].decode()})
    return found
