"""A vocabulary beside the weights of a checkpoint."""

import json
from pathlib import Path

from kblocks.text import WordPieceVocabulary


def save_vocabulary(vocabulary: WordPieceVocabulary, directory: str | Path) -> None:
    """Write `vocab.txt` and `tokenizer_config.json`, which `load_vocabulary` reads.

    Args:
        vocabulary: With BERT's names of the special pieces.
        directory: Where; it must exist. Files that are there are replaced.
    """
    directory = Path(directory)
    vocabulary.save(directory / "vocab.txt")
    settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": vocabulary.lower_case}
    beside = directory / "tokenizer_config.json.tmp"
    beside.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    beside.replace(directory / "tokenizer_config.json")
