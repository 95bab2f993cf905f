"""Corpora that come with the package: free text, licence and source in `corpora/NOTICE`."""

import hashlib
from importlib import resources
from typing import NamedTuple

from kblocks.data.readers import Pairs, read_pairs


class Splits(NamedTuple):
    """Sentence pairs to train on, to validate on while training, and to test on at the end."""

    train: Pairs
    validation: Pairs
    test: Pairs


def libreoffice_help(max_words: int | None = None) -> Splits:
    """English-German pairs of LibreOffice's help, aligned by paragraph (MPL-2.0).

    The help repeats itself: a sentence comes back with another quotation mark or number. Pairs
    whose English or German letters agree therefore go into the same split, which a hash of them
    chooses: about 4 % to validation and 4 % to test, each such group represented once there.

    Args:
        max_words: Leave out pairs with a side of more words than this.

    Returns:
        `Splits(train, validation, test)` of (English, German).

    Example:

    >>> from kblocks.data import libreoffice_help
    >>> splits = libreoffice_help(max_words=20)
    >>> len(splits.train) > 17_000
    True
    """
    with resources.as_file(resources.files("kblocks.data") / "corpora" / "en-de.tsv.gz") as path:
        pairs = read_pairs(path)
    if max_words is not None:
        pairs = [p for p in pairs if max(len(side.split()) for side in p) <= max_words]
    return split_by_letters(pairs)


def split_by_letters(pairs: Pairs, held_out: int = 4, of: int = 100) -> Splits:
    """Split pairs so that no held-out side stands in the training pairs, by its letters alone.

    Args:
        pairs: (source, target).
        held_out: The validation share, and the test share, in parts of `of`.
        of: See `held_out`.
    """
    group_of = _groups(pairs)
    splits = Splits([], [], [])
    held: set[int] = set()
    for pair, group in zip(pairs, group_of, strict=True):
        digest = hashlib.sha256(_letters(pairs[group][0]).encode()).digest()
        part = int.from_bytes(digest[:4], "big") % of
        if part >= 2 * held_out:
            splits.train.append(pair)
        elif group not in held:
            held.add(group)
            (splits.validation if part < held_out else splits.test).append(pair)
    return splits


def _letters(text: str) -> str:
    return "".join(character for character in text.lower() if character.isalpha())


def _groups(pairs: Pairs) -> list[int]:
    """The first pair that each is tied to by equal letters of a side, through any chain."""
    parent = list(range(len(pairs)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[tuple[int, str], int] = {}
    for i, pair in enumerate(pairs):
        for side, text in enumerate(pair):
            a, b = root(i), root(first.setdefault((side, _letters(text)), i))
            parent[max(a, b)] = min(a, b)
    return [root(i) for i in range(len(pairs))]
