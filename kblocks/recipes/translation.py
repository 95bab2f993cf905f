"""Translation with attention: sentence pairs, subwords, an encoder-decoder, BLEU.

    kblocks train translation --out runs/help
    kblocks train translation --data folder --set source=en --set target=de --out runs/mine
    kblocks train translation --data folder --set model=transformer --out runs/transformer

The data are the embedded LibreOffice help, a TSV file of two columns, or a folder with
`train.en`, `train.de`, `val.en`, `val.de` (or `.gz`).
"""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal

from kblocks import data
from kblocks.export import TextTranslator
from kblocks.files import find_file, need_file
from kblocks.metrics import bleu
from kblocks.models import BahdanauTranslator, LuongTranslator, TransformerTranslator
from kblocks.models.translation import Translator
from kblocks.plotting import plot_attention
from kblocks.recipes.head_pictures import draw_head_statistics, draw_heads
from kblocks.recipes.recipe import Recipe, TrainingConfig
from kblocks.recipes.run import RunDirectory
from kblocks.text import SubwordVocabulary
from kblocks.training import MaskedAccuracy, MaskedCrossentropy, NoamSchedule


@dataclasses.dataclass
class TranslationConfig(TrainingConfig):
    """The settings of a run; `--set name=value` changes one."""

    data: str = "libreoffice"  # the embedded pairs, a TSV file, or a folder
    source: str = "en"  # the endings of a folder's files
    target: str = "de"
    max_words: int = 20  # longer embedded pairs are left out
    vocabulary: int = 4000  # subwords, one vocabulary for both languages
    max_length: int = 48  # subwords of a sentence

    model: Literal["bahdanau", "luong", "transformer"] = "bahdanau"
    size: Literal["tiny", "base", "big"] = "tiny"  # of the Transformer
    norm: Literal["post", "pre"] = "post"  # of the Transformer
    warm_up: int = 2000  # steps, of the Transformer
    attention: bool = True  # of the recurrent translators
    cell: Literal["gru", "lstm"] = "gru"  # of the Bahdanau translator
    layers: int = 2  # of the Luong translator
    score: str = "general"  # of the Luong translator
    units: int = 256  # of the recurrent translators
    embedding: int = 256  # of the recurrent translators
    dropout: float = 0.3

    batch_tokens: int | None = None  # subwords of a batch, instead of `batch_size` pairs
    epochs: int = 16
    patience: int | None = 4
    label_smoothing: float = 0.1

    beam: int = 5
    length_penalty: float = 1.0


class Translation(Recipe):
    """The recipe `translation`; its part is one vocabulary of subwords for both languages."""

    name = "translation"
    summary = "attention translator (Bahdanau, Luong or Transformer), English to German by default"
    facts: ClassVar = {
        "data": "LibreOffice's help, 18,405 pairs of at most 20 words; or --data FILE or FOLDER",
        "size": "3.4 M parameters",
        "reaches": "BLEU 39 on LibreOffice's help (test), 34 to 37 on Multi30k (validation)",
    }
    Config = TranslationConfig
    metric = "val_bleu"
    examples = "pairs"
    part_files = ("subwords.model",)

    def read(self, config: TranslationConfig) -> data.Splits:
        """The pairs that the settings name."""
        if config.data == "libreoffice":
            return data.libreoffice_help(config.max_words)
        path = Path(config.data)
        if not path.is_dir():
            divided = data.split_by_letters(data.read_pairs(path))
            if not divided.train or not divided.validation:
                raise ValueError(
                    f"{path} holds too few different sentence pairs to keep some for validation; "
                    "give a folder with the files of each split instead."
                )
            return divided
        splits: list[data.Pairs] = []
        for split in ("train", "val", "test"):
            source, target = (f"{split}.{end}" for end in (config.source, config.target))
            if split == "test" and not (find_file(path, source) and find_file(path, target)):
                splits.append([])
            else:
                splits.append(data.read_parallel(need_file(path, source), need_file(path, target)))
        return data.Splits(*splits)

    def learn_parts(self, config: TranslationConfig, splits: data.Splits) -> SubwordVocabulary:
        """The subwords of the training pairs."""
        lines = (side for pair in splits.train for side in pair)
        return SubwordVocabulary.train(lines, config.vocabulary, config.seed)

    def save_parts(self, parts: SubwordVocabulary, run: RunDirectory) -> None:
        """One file, of SentencePiece."""
        parts.save(run.path / "subwords.model")

    def load_parts(self, config: TranslationConfig, run: RunDirectory) -> SubwordVocabulary:
        """The subwords of a run."""
        return SubwordVocabulary.load(run.path / "subwords.model")

    def batches(
        self,
        config: TranslationConfig,
        parts: SubwordVocabulary,
        split: data.Pairs,
        training: bool = False,
        **options: Any,
    ) -> data.Batches:
        """Pairs of about equal lengths."""
        return data.translation_batches(
            split,
            parts,
            parts,
            config.batch_size,
            config.max_length,
            config.seed,
            batch_tokens=config.batch_tokens,
            **options,
        )

    def make_model(self, config: TranslationConfig, parts: SubwordVocabulary) -> Translator:
        """The translator that the settings describe, built."""
        vocabularies: dict[str, Any] = {
            "source_vocabulary_size": parts.size,
            "target_vocabulary_size": parts.size,
            "tie_embeddings": "all",
            "dropout": config.dropout,
        }
        widths: dict[str, Any] = {"embedding_dim": config.embedding, "units": config.units}
        model: Translator
        if config.model == "transformer":
            model = TransformerTranslator.of_size(config.size, **vocabularies, norm=config.norm)
        elif config.model == "bahdanau":
            attention = "additive" if config.attention else None
            model = BahdanauTranslator(
                **vocabularies, **widths, cell=config.cell, attention=attention
            )
        else:
            model = LuongTranslator(
                **vocabularies,
                **widths,
                layers=config.layers,
                attention=config.score if config.attention else None,
                bidirectional=True,
                max_length=config.max_length + 1,
            )
        model.build()
        return model

    def objective(self, config: TranslationConfig, parts: SubwordVocabulary) -> dict[str, Any]:
        """The cross-entropy of each subword, smoothed, and the share that is right."""
        return {
            "loss": MaskedCrossentropy(config.label_smoothing),
            "metrics": [MaskedAccuracy()],
        }

    def learning_rate(self, config: TranslationConfig, steps: int) -> Any:
        """Noam's schedule with the height of the settings for the Transformer."""
        if config.model != "transformer":
            return super().learning_rate(config, steps)
        # Its height is scale / sqrt(model_dim * warm_up).
        return NoamSchedule(1, config.warm_up, config.learning_rate * config.warm_up**0.5)

    def adam(self, config: TranslationConfig) -> dict[str, Any]:
        """As Vaswani et al. (2017), section 5.3, for the Transformer."""
        return {"beta_2": 0.98, "epsilon": 1e-9} if config.model == "transformer" else {}

    def score(
        self,
        config: TranslationConfig,
        parts: SubwordVocabulary,
        model: Translator,
        split: data.Pairs,
        batches: data.Batches,
    ) -> Callable[[], dict[str, float]]:
        """BLEU of greedy decoding."""
        greedy = self.servable(dataclasses.replace(config, beam=1), parts, model)
        sources, references = zip(*split, strict=True)
        return lambda: {"val_bleu": bleu(greedy(sources), references)}

    def measure(
        self,
        config: TranslationConfig,
        parts: SubwordVocabulary,
        model: Translator,
        split: data.Pairs,
        splits: data.Splits,
    ) -> dict[str, Any]:
        """BLEU of beam search, and its speed."""
        translator = self.servable(config, parts, model)
        sources, references = zip(*split, strict=True)
        translator(sources[:1])  # the graph is made in the first call, and not timed
        began = time.monotonic()
        hypotheses = translator(sources)
        seconds = time.monotonic() - began
        return {
            "bleu": bleu(hypotheses, references),
            "sentences_per_second": len(split) / seconds,
        }

    def pictures(
        self, config: TranslationConfig, parts: SubwordVocabulary, model: Translator, folder: Path
    ) -> list[Path]:
        """The attention of one held-out sentence; of the Transformer all its heads."""
        if config.model != "transformer" and not config.attention:
            return []
        translator = self.servable(config, parts, model)
        pairs = self.read(config).validation
        sentence = next((s for s, _ in pairs if 8 <= len(s.split()) <= 12), pairs[0][0])
        outputs = {name: value[0] for name, value in translator.translate([sentence]).items()}
        source, target = (
            [piece.decode() for piece in outputs[name].numpy() if piece]
            for name in ("source_tokens", "translation_tokens")
        )
        picture = folder / "attention.png"
        weights = outputs["alignment"].numpy()[: len(target), : len(source)]
        plot_attention(weights, source, target, path=picture)
        if not isinstance(model, TransformerTranslator):
            return [picture]
        heads = draw_heads(model, parts, source, target, folder)
        return [picture, *heads, draw_head_statistics(model, parts, pairs[:64], folder)]

    def servable(
        self, config: TranslationConfig, parts: SubwordVocabulary, model: Translator
    ) -> TextTranslator:
        """From strings to strings."""
        return TextTranslator(
            model, parts, parts, config.beam, config.max_length, config.length_penalty
        )
