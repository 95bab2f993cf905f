"""Losses, metrics, schedules, optimizers and clipping."""

from kblocks.training.global_norm_clipping import GlobalNormClipping
from kblocks.training.masked_crossentropy import MaskedCrossentropy
from kblocks.training.masked_metrics import MaskedAccuracy, TokenLoss
from kblocks.training.noam_schedule import NoamSchedule
from kblocks.training.reinforce_loss import MovingBaseline, reinforce_loss

__all__ = [
    "GlobalNormClipping",
    "MaskedAccuracy",
    "MaskedCrossentropy",
    "MovingBaseline",
    "NoamSchedule",
    "TokenLoss",
    "reinforce_loss",
]
