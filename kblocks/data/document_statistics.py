"""How much text there is, and of which kind: to be looked at before a model is trained on it."""

from typing import NamedTuple

import numpy as np

from kblocks.data.documents import TokenisedDocuments


class DocumentStatistics(NamedTuple):
    """Figures of a set of documents.

    Attributes:
        documents: Their number.
        sentences: That of their sentences.
        pieces: That of their pieces.
        unknown: The share of these that are the unknown piece.
        unused: How many ids of the vocabulary never stand there.
        document_lengths: In pieces: a twentieth of the documents is shorter than the first number,
            half of them than the second, a twentieth longer than the third.
        sentence_lengths: The same of sentences.
    """

    documents: int
    sentences: int
    pieces: int
    unknown: float
    unused: int
    document_lengths: tuple[int, int, int]
    sentence_lengths: tuple[int, int, int]

    def __str__(self) -> str:
        of_documents, of_sentences = (
            f"{middle:,} pieces (most {low:,} to {high:,})"
            for low, middle, high in (self.document_lengths, self.sentence_lengths)
        )
        return (
            f"{self.documents:,} documents of {of_documents}; "
            f"{self.sentences:,} sentences of {of_sentences}; "
            f"{self.pieces:,} pieces, {self.unknown:.2%} unknown; {self.unused:,} ids unused"
        )


def document_statistics(
    documents: TokenisedDocuments, unknown: int, size: int
) -> DocumentStatistics:
    """Count.

    Args:
        documents: At least one.
        unknown: The id of the unknown piece.
        size: The number of ids.

    Example:

    >>> from kblocks.data import TokenisedDocuments, document_statistics
    >>> documents = TokenisedDocuments.of([[[5, 6, 7], [1]], [[5, 5, 5, 5]]])
    >>> found = document_statistics(documents, unknown=1, size=8)
    >>> found.documents, found.sentences, found.pieces, found.unknown, found.unused
    (2, 3, 8, 0.125, 4)
    >>> print(found)
    2 documents of 4 pieces (most 4 to 4); 3 sentences of 3 pieces (most 1 to 4);
    8 pieces, 12.50% unknown; 4 ids unused
    """
    counts = np.bincount(documents.ids, minlength=size)

    def spread(lengths: np.ndarray) -> tuple[int, int, int]:
        low, middle, high = (round(float(n)) for n in np.quantile(lengths, (0.05, 0.5, 0.95)))
        return low, middle, high

    return DocumentStatistics(
        documents.number,
        len(documents.sentences) - 1,
        len(documents.ids),
        float(counts[unknown] / len(documents.ids)),
        int((counts == 0).sum()),
        spread(np.diff(documents.sentences[documents.documents])),
        spread(np.diff(documents.sentences)),
    )
