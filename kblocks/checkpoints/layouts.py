"""How one weight lies in a checkpoint and in kblocks.

A checkpoint holds matrices; kblocks' attention keeps its heads apart. For a width d and h heads of
size n, d = h n:

    kblocks                  PyTorch's Linear (out, in)     TensorFlow, GPT-2 (in, out)
    (d, h, n)    to heads    (h n, d)                       (d, h n)
    (h, n, d)    from heads  (d, h n)                       (h n, d)
    (in, out)    dense       (out, in)                      (in, out)
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
import numpy as np


class Entry(NamedTuple):
    """A weight of a model and its name in a checkpoint."""

    name: str
    variable: Any
    outputs_first: bool = False  # whether the checkpoint's matrix is (out, in)

    def rows(self) -> int:
        """How many of the variable's axes are the matrix' inputs."""
        shape = self.variable.shape
        from_heads = len(shape) == 3 and "output_kernel" in self.variable.name
        return 2 if from_heads else 1

    @property
    def shape(self) -> tuple[int, ...]:
        """In the checkpoint."""
        shape = tuple(self.variable.shape)
        if not self.is_matrix:
            return (int(np.prod(shape)),) if "bias" in self.variable.name else shape
        rows = self.rows()
        matrix = (int(np.prod(shape[:rows])), int(np.prod(shape[rows:])))
        return matrix[::-1] if self.outputs_first else matrix

    @property
    def is_matrix(self) -> bool:
        """Whether the weight maps features to features."""
        return "kernel" in self.variable.name

    def read(self, value: np.ndarray) -> np.ndarray:
        """The variable's value."""
        if self.is_matrix and self.outputs_first:
            value = value.T
        return np.reshape(value, self.variable.shape)

    def write(self) -> np.ndarray:
        """The checkpoint's array."""
        value = keras.ops.convert_to_numpy(self.variable)
        shape = self.shape
        if self.is_matrix and self.outputs_first:
            return np.ascontiguousarray(np.reshape(value, shape[::-1]).T)
        return np.reshape(value, shape)


def assign(
    entries: list[Entry], found: Mapping[str, Any], where: str, ignored: tuple[str, ...] = ()
) -> None:
    """Give the variables what a checkpoint has for them, all of them or none.

    Args:
        entries: Of the model.
        found: From name to array, each read when asked for.
        where: The checkpoint's name, for the message.
        ignored: Patterns of names that may be left over.

    Raises:
        ValueError: Something is missing, left over or of another shape; all of it is listed.
    """
    names = {entry.name for entry in entries}
    missing = [entry.name for entry in entries if entry.name not in found]
    known = [re.compile(pattern) for pattern in ignored]
    extra = [n for n in found if n not in names and not any(k.fullmatch(n) for k in known)]
    values, shapes = [], []
    for entry in entries:
        if entry.name in found:
            value = np.asarray(found[entry.name])
            if value.shape == entry.shape:
                values.append((entry, value))
            else:
                shapes.append(f"{entry.name} {value.shape}, expected {entry.shape}")
    problems = [
        f"{what}: {_some(names)}"
        for what, names in (("missing", missing), ("left over", extra), ("other shape", shapes))
        if names
    ]
    if problems:
        raise ValueError(f"the weights of {where} do not fit the model; {'; '.join(problems)}.")
    for entry, value in values:
        entry.variable.assign(entry.read(value))


def _some(names: list[str], most: int = 8) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
