"""The vocabulary of a checkpoint."""

from pathlib import Path

from kblocks.checkpoints.from_pretrained import find
from kblocks.files import read_json
from kblocks.text import WordPieceVocabulary


def load_vocabulary(source: str | Path) -> WordPieceVocabulary:
    """The pieces that a BERT was trained on, as `Model.from_pretrained` finds the model.

    Args:
        source: A directory with `vocab.txt`, or a name on Hugging Face's hub. Whether text is
            lower-cased stands in `tokenizer_config.json`; without that file it is.

    Raises:
        ValueError: A file is broken (the message says where).
        FileNotFoundError: The directory or `vocab.txt` is missing.
    """
    directory = find(source)
    path, settings = directory / "vocab.txt", directory / "tokenizer_config.json"
    if not path.is_file():
        raise FileNotFoundError(f"{directory} has no vocab.txt.")
    options = read_json(settings) if settings.is_file() else {}
    return WordPieceVocabulary.load(path, lower_case=bool(options.get("do_lower_case", True)))
