"""Alignment scores by name."""

from typing import Any

import keras

from kblocks.layers.attention.additive_score import AdditiveScore
from kblocks.layers.attention.alignment_score import AlignmentScore
from kblocks.layers.attention.content_score import ContentScore
from kblocks.layers.attention.dot_score import DotScore
from kblocks.layers.attention.general_score import GeneralScore
from kblocks.layers.attention.location_score import LocationScore
from kblocks.layers.attention.scaled_dot_score import ScaledDotScore

SCORES: dict[str, type[AlignmentScore]] = {
    "additive": AdditiveScore,
    "content": ContentScore,
    "dot": DotScore,
    "general": GeneralScore,
    "location": LocationScore,
    "scaled_dot": ScaledDotScore,
}


def get_score(score: Any, max_length: int | None = None, dtype: Any = None) -> AlignmentScore:
    """A score layer from its name, its serialised form or itself.

    Args:
        score: A name out of `SCORES`, a score layer, or the serialised form of one.
        max_length: The largest source length, which the name `"location"` needs.
        dtype: Dtype policy of a score given by name.

    Returns:
        The score layer.

    Raises:
        ValueError: `score` is none of these, or `"location"` comes without `max_length`.
    """
    if isinstance(score, dict):
        score = keras.saving.deserialize_keras_object(score)
    if isinstance(score, AlignmentScore):
        return score
    if not isinstance(score, str) or score not in SCORES:
        names = ", ".join(repr(name) for name in SCORES)
        raise ValueError(f"`score` must be one of {names} or a score layer, got {score!r}.")
    if score == "location":
        if max_length is None:
            raise ValueError("`max_length` must be given with score='location', got None.")
        return LocationScore(max_length, dtype=dtype, name=score)
    return SCORES[score](dtype=dtype, name=score)
