"""Losses, metrics, schedules, optimizers and clipping."""

from kblocks.training.global_norm_clipping import GlobalNormClipping
from kblocks.training.masked_crossentropy import MaskedCrossentropy
from kblocks.training.masked_metrics import MaskedAccuracy, TokenLoss
from kblocks.training.noam_schedule import NoamSchedule

__all__ = [
    "GlobalNormClipping",
    "MaskedAccuracy",
    "MaskedCrossentropy",
    "NoamSchedule",
    "TokenLoss",
]
