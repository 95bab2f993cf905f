"""A continuation without caches: the whole text is read again for each token."""

from typing import Any

import numpy as np
from keras import ops


def continued(model: Any, prompt: np.ndarray, length: int) -> tuple[list[int], float]:
    """The most probable tokens behind one prompt (time,), and their log-probability."""
    text, score = [*map(int, prompt[prompt >= 0])], 0.0
    begin = len(text)
    while len(text) < begin + length:
        window = np.array([text[-model.max_length :]], "int32")
        logits = ops.convert_to_numpy(model(window))[0, -1].astype("float64")
        score -= np.log(np.exp(logits - logits.max()).sum())
        text.append(int(logits.argmax()))
        if text[-1] == model.end_token:
            break
    return text[begin:], score
