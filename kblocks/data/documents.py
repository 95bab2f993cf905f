"""Documents for pre-training: plain text, a sentence a line, an empty line between documents.

This is the form that BERT's program reads (Devlin et al. 2019, arXiv:1810.04805, section 3.1;
https://github.com/google-research/bert, `create_pretraining_data.py`). A "sentence" is any stretch
of text that belongs together: a line of a verse, a speech, a paragraph.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kblocks.data.readers import read_lines
from kblocks.text import WordPieceVocabulary

_AT_ONCE = 10_000  # sentences that are cut in one go

Documents = list[list[str]]


class TokenisedDocuments(NamedTuple):
    """Documents as ids, laid end to end: four bytes a piece. None of their sentences is empty.

    Attributes:
        ids: All pieces, (pieces,) int32.
        sentences: Where each sentence begins in `ids`, and the end: (sentences + 1,) int64.
        documents: Where each document begins in `sentences`, and the end: (documents + 1,) int64.
    """

    ids: np.ndarray
    sentences: np.ndarray
    documents: np.ndarray

    @classmethod
    def of(cls, documents: Iterable[Sequence[Any]]) -> "TokenisedDocuments":
        """Lay documents, sentences of ids, end to end; what is empty is left out."""
        filled = ([ids for ids in document if len(ids)] for document in documents)
        kept = [document for document in filled if document]
        lengths = [len(ids) for document in kept for ids in document]
        return cls(
            np.concatenate(
                [np.zeros(0), *chain.from_iterable(kept)], dtype="int32", casting="unsafe"
            ),
            np.cumsum([0, *lengths], dtype="int64"),
            np.cumsum([0, *map(len, kept)], dtype="int64"),
        )

    @property
    def number(self) -> int:
        """How many documents there are."""
        return len(self.documents) - 1

    def some(self, wanted: np.ndarray) -> "TokenisedDocuments":
        """The documents for which a boolean is true."""
        return type(self).of(self.sentences_of(d) for d in np.flatnonzero(wanted).tolist())

    def sentences_of(self, document: int) -> list[np.ndarray]:
        """The ids of each sentence of a document."""
        places = range(self.documents[document], self.documents[document + 1])
        return [self.ids[self.sentences[s] : self.sentences[s + 1]] for s in places]


def read_documents(source: str | os.PathLike[str]) -> Documents:
    """Read documents, each a list of sentences.

    Args:
        source: A UTF-8 file, plain or `.gz`, a sentence a line and an empty line between documents;
            or a folder, of which all `.txt` and `.txt.gz` are read, by name. The end of a file ends
            a document; a file of the folder may be empty.

    Returns:
        The documents that have a sentence; sentences are stripped of outer white space.

    Raises:
        FileNotFoundError: No such file.
        ValueError: A line is not UTF-8 or too long (names file and line), or there is no document.

    Example:

    >>> import pathlib, tempfile
    >>> from kblocks.data import read_documents
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "text.txt"
    >>> _ = path.write_text("It rains.\\nWe stay.\\n\\nThe end.\\n")
    >>> read_documents(path)
    [['It rains.', 'We stay.'], ['The end.']]
    """
    source = Path(source)
    files = [source]
    if source.is_dir():
        files = sorted(f for f in source.iterdir() if f.name.endswith((".txt", ".txt.gz")))
        if not files:
            raise ValueError(f"{source} has no file .txt or .txt.gz.")
    found = [document for file in files for document in _documents(file)]
    if not found:
        raise ValueError(f"{source} holds no text: expected a sentence a line.")
    return found


def _documents(file: Path) -> Iterator[list[str]]:
    document: list[str] = []
    for _, line in read_lines(file):
        if sentence := line.strip():
            document.append(sentence)
        elif document:
            yield document
            document = []
    if document:
        yield document


def tokenise(
    documents: Iterable[Sequence[str]], vocabulary: WordPieceVocabulary
) -> TokenisedDocuments:
    """Cut documents into pieces.

    Args:
        documents: Lists of sentences. A sentence of which nothing is left (control characters
            alone) is left out, and so is a document without any.
        vocabulary: Cuts them.
    """
    documents = [list(document) for document in documents]
    sentences = chain.from_iterable(documents)
    cut: list[np.ndarray] = []
    while some := list(islice(sentences, _AT_ONCE)):
        ids = vocabulary.encode(some)
        cut += np.split(ids.flat_values.numpy(), ids.row_splits.numpy()[1:-1])
    each = iter(cut)
    return TokenisedDocuments.of([next(each) for _ in document] for document in documents)


def hold_out(count: int, share: float) -> np.ndarray:
    """Which of so many documents are kept for validation: booleans, every so-manieth is true.

    Args:
        count: How many documents there are.
        share: The share of them, over 0 and less than 1; at least one document is kept, and one is
            left.

    Raises:
        ValueError: `share` is out of its range, or there is one document alone.
    """
    if not 0 < share < 1:
        raise ValueError(f"`held_out` must be over 0 and less than 1, got {share!r}.")
    if count < 2:
        raise ValueError("of a single document none can be held out: expected at least two.")
    kept = min(max(1, round(share * count)), count - 1)
    # In the middle of each of so many equal parts.
    places = ((2 * np.arange(kept) + 1) * count) // (2 * kept)
    return np.isin(np.arange(count), places)
