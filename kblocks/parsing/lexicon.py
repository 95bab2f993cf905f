"""How likely a part of speech makes a word, also one that was never seen.

By Bayes' rule, log p(w | t) = log p(t | w) - log p(t) + log p(w), where the last term is the same
for all tags and left out. With counts c of the training words,

    p(t | w) = (c(t, w) + m p(t | e)) / (c(w) + m)

where e is what the word looks like: its shape and its last three letters. As many rare words look
like it, as few as there are; so it is estimated from all rare words, then from those of the shape,
then of the shape and the last letter, the last two, the last three (Samuelsson 1993; Brants 2000,
"TnT", arXiv:cs/0003055, section 2.3):

    p(t | e_l) = (c(t, e_l) + k p(t | e_{l-1})) / (c(e_l) + k)
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

_RARE = 5  # a word that comes so often, or less, tells what unknown words are like
_K = 2.0
_M = 0.1

Tagged = tuple[Sequence[str], Sequence[str]]


class Lexicon:
    """Scores of the parts of speech of each word.

    Args:
        sentences: The words and the tags of each sentence.

    Attributes:
        tags: The parts of speech, sorted.
    """

    def __init__(self, sentences: Iterable[Tagged]) -> None:
        sentences = list(sentences)
        self.tags = sorted({tag for _, tags in sentences for tag in tags})
        place = {tag: number for number, tag in enumerate(self.tags)}
        counts: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(len(self.tags)))
        for words, tags in sentences:
            for word, tag in zip(words, tags, strict=True):
                counts[word][place[tag]] += 1
        self._counts = dict(counts)
        self._of_look: dict[tuple[str, ...], np.ndarray] = defaultdict(
            lambda: np.zeros(len(self.tags))
        )
        for words, tags in sentences:
            for number, (word, tag) in enumerate(zip(words, tags, strict=True)):
                if counts[word].sum() <= _RARE:
                    for look in looks(word, number == 0):
                        self._of_look[look][place[tag]] += 1
        self._of_look = dict(self._of_look)
        total = sum(counts.values())
        self._prior = total / np.sum(total)

    def scores(self, words: Sequence[str]) -> np.ndarray:
        """Return log p(word | tag) but for a term of the word alone: (words, tags) float32."""
        given = np.stack([self._given(word, place == 0) for place, word in enumerate(words)])
        return np.log(given / self._prior).astype("float32")

    def _given(self, word: str, first: bool) -> np.ndarray:
        """p(t | w)."""
        p = self._prior
        for look in looks(word, first):
            counts = self._of_look.get(look)
            if counts is None:
                break
            p = (counts + _K * p) / (counts.sum() + _K)
        counts = self._counts.get(word)
        if counts is None and first:
            counts = self._counts.get(word[:1].lower() + word[1:])
        return p if counts is None else (counts + _M * p) / (counts.sum() + _M)


def looks(word: str, first: bool) -> list[tuple[str, ...]]:
    """What a word looks like, from what it shares with all words to what it shares with few."""
    if any(letter.isdigit() for letter in word):
        shape = "digits" if not any(letter.isalpha() for letter in word) else "digits and letters"
    elif word.isupper() and len(word) > 1:
        shape = "capitals"
    elif word[:1].isupper():
        shape = "first" if first else "capital"
    else:
        shape = "letters" if any(letter.isalpha() for letter in word) else "signs"
    shape += "-" if "-" in word else ""
    ending = word.lower()
    return [
        (),
        (shape,),
        *((shape, ending[-length:]) for length in (1, 2, 3) if ending[length - 1 :]),
    ]
