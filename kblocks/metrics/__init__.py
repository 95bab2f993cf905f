"""Metrics of the field, for evaluation: by the libraries that compute them, where there are any."""

from kblocks.metrics.bleu import bleu
from kblocks.metrics.bracket_f1 import BracketScores, bracket_f1
from kblocks.metrics.glue_scores import glue_scores
from kblocks.metrics.head_statistics import HeadStatistics, head_statistics
from kblocks.metrics.squad_scores import squad_scores

__all__ = [
    "BracketScores",
    "HeadStatistics",
    "bleu",
    "bracket_f1",
    "glue_scores",
    "head_statistics",
    "squad_scores",
]
