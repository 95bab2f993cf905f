"""The dtype of logits, whatever a mixed policy computes in."""

from typing import Any

import keras


def wide(logits: Any) -> Any:
    """The logits in float32, or wider."""
    return keras.ops.cast(logits, keras.backend.result_type(logits.dtype, "float32"))
