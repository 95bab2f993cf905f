"""The pieces of a WordPiece vocabulary, learned from text by the library `tokenizers`.

BERT's own were made by a program that was never published (Schuster and Nakajima 2012); this joins
the most frequent pairs of pieces, as byte-pair encoding does (Sennrich, Haddow and Birch 2016,
arXiv:1508.07909).
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_AT_ONCE = 10_000  # lines


def learn_word_pieces(
    cut: Any, lines: Iterable[str], size: int, characters: int = 1000
) -> list[str]:
    """The pieces of a text, the special ones first, those that go on a word with `##`.

    Args:
        cut: A `WordPieceVocabulary`, of which `words` cuts the lines.
        lines: The text.
        size: The most pieces.
        characters: The most different characters.

    Raises:
        ImportError: The library is not installed.
        ValueError: There is no text, or `size` has no room for the characters.
    """
    try:
        import tokenizers
    except ImportError as error:
        raise ImportError(
            "learning a WordPiece vocabulary needs the library tokenizers: "
            "pip install 'kblocks[pretrained]'."
        ) from error
    text = [*_words(cut, lines)]
    counts = Counter(chain.from_iterable(text))
    known = {*sorted(counts.keys() - {" "}, key=lambda c: (-counts[c], c))[:characters]}
    words = [word for line in text for word in line.split(" ") if word and known >= {*word}]
    if not words:
        raise ValueError("there is no text to learn pieces from.")
    # The library would give characters their ids, and break ties by these, anew each time.
    alphabet = sorted({*chain.from_iterable(words)})
    alphabet += sorted({f"##{c}" for word in words for c in word[1:]})
    first = [*SPECIAL, *alphabet]
    if len(first) > size:
        raise ValueError(
            f"`size` must be at least {len(first)}, the special pieces and the characters of the "
            f"text, got {size!r}."
        )
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(unk_token=SPECIAL[1]))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    trainer = tokenizers.trainers.WordPieceTrainer(
        vocab_size=size,
        special_tokens=first,
        continuing_subword_prefix="##",
        show_progress=False,
    )
    tokenizer.train_from_iterator(words, trainer)
    ids = tokenizer.get_vocab()
    return sorted(ids, key=ids.__getitem__)


def _words(cut: Any, lines: Iterable[str]) -> Iterator[str]:
    """The words of the lines, a space between them."""
    lines = iter(lines)
    while some := list(islice(lines, _AT_ONCE)):
        for words in cut.words(some).to_list():
            yield b" ".join(words).decode()
