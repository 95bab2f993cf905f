"""Losses, metrics, schedules, optimizers and clipping; how gradients go through time."""

from kblocks.training.fused_adam import FusedAdam
from kblocks.training.global_norm_clipping import GlobalNormClipping
from kblocks.training.gradients_through_time import gradient_norms
from kblocks.training.labelled_accuracy import LabelledAccuracy
from kblocks.training.labelled_crossentropy import LabelledCrossentropy
from kblocks.training.labelled_log_likelihood import LabelledLogLikelihood
from kblocks.training.layerwise_adam import LayerwiseAdam
from kblocks.training.linear_schedule import LinearSchedule
from kblocks.training.masked_crossentropy import MaskedCrossentropy
from kblocks.training.masked_metrics import MaskedAccuracy, TokenLoss
from kblocks.training.noam_schedule import NoamSchedule
from kblocks.training.reinforce_loss import MovingBaseline, reinforce_loss

__all__ = [
    "FusedAdam",
    "GlobalNormClipping",
    "LabelledAccuracy",
    "LabelledCrossentropy",
    "LabelledLogLikelihood",
    "LayerwiseAdam",
    "LinearSchedule",
    "MaskedAccuracy",
    "MaskedCrossentropy",
    "MovingBaseline",
    "NoamSchedule",
    "TokenLoss",
    "gradient_norms",
    "reinforce_loss",
]
