"""BLEU, as sacrebleu computes it (Post 2018, arXiv:1804.08771; Papineni et al. 2002)."""

from collections.abc import Sequence


def bleu(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """Corpus BLEU with sacrebleu's defaults: cased, tokenised by `13a`, one reference each.

    Args:
        hypotheses: Translations, detokenised.
        references: As many references.

    Returns:
        BLEU, 0 to 100.

    Raises:
        ValueError: The lists differ in length, or are empty.

    Example:

    >>> from kblocks.metrics import bleu
    >>> round(bleu(["Das ist ein Haus."], ["Das ist ein Haus."]), 6)
    100.0
    """
    import sacrebleu

    if len(hypotheses) != len(references) or not hypotheses:
        raise ValueError(
            "`hypotheses` and `references` must be as many, and at least one, got "
            f"{len(hypotheses)} and {len(references)}."
        )
    return float(sacrebleu.corpus_bleu(list(hypotheses), [list(references)]).score)
