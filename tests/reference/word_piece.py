"""BERT's tokenizer in plain Python, one character at a time, after Google's `tokenization.py`.

https://github.com/google-research/bert (Devlin, Chang, Lee, Toutanova 2019, arXiv:1810.04805), and
`truncate_seq_pair` of its `create_pretraining_data.py`, without the coin for which end is cut.
"""

import unicodedata
from collections.abc import Mapping

CHINESE = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


def is_space(char: str) -> bool:
    return char in " \t\n\r" or unicodedata.category(char) == "Zs"


def is_control(char: str) -> bool:
    return char not in "\t\n\r" and unicodedata.category(char) in ("Cc", "Cf")


def is_punctuation(char: str) -> bool:
    code = ord(char)
    ascii_sign = 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126
    return ascii_sign or unicodedata.category(char).startswith("P")


def clean(text: str) -> str:
    kept = (c for c in text if ord(c) not in (0, 0xFFFD) and not is_control(c))
    return "".join(" " if is_space(c) else c for c in kept)


def chinese_apart(text: str) -> str:
    chinese = (any(low <= ord(c) <= high for low, high in CHINESE) for c in text)
    return "".join(f" {c} " if apart else c for c, apart in zip(text, chinese, strict=True))


def strip_accents(word: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", word) if unicodedata.category(c) != "Mn")


def punctuation_apart(word: str) -> str:
    return "".join(f" {c} " if is_punctuation(c) else c for c in word)


def words(text: str | bytes, lower_case: bool = True) -> list[str]:
    if isinstance(text, bytes):
        text = text.decode("utf-8", "ignore")
    found = []
    for word in chinese_apart(clean(text)).split():
        if lower_case:
            word = strip_accents(word.lower())
        found += punctuation_apart(word).split()
    return found


def pieces(word: str, vocabulary: Mapping[str, int], unknown: str, longest: int) -> list[str]:
    if len(word) > longest:
        return [unknown]
    found = []
    start = 0
    while start < len(word):
        prefix = "##" if start else ""
        ends = range(len(word), start, -1)
        end = next((end for end in ends if prefix + word[start:end] in vocabulary), None)
        if end is None:
            return [unknown]
        found.append(prefix + word[start:end])
        start = end
    return found


def encode(
    text: str | bytes,
    vocabulary: Mapping[str, int],
    lower_case: bool = True,
    unknown: str = "[UNK]",
    longest: int = 100,
) -> list[int]:
    return [
        vocabulary[piece]
        for word in words(text, lower_case)
        for piece in pieces(word, vocabulary, unknown, longest)
    ]


def truncate_pair(first: list[int], second: list[int], room: int) -> tuple[list[int], list[int]]:
    first, second = list(first), list(second)
    while len(first) + len(second) > room:
        longer = first if len(first) > len(second) else second
        longer.pop()
    return first, second
