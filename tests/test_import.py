"""`import kblocks` is cheap, leaves the side rooms alone, and needs no TensorFlow."""

import os
import re
import subprocess
import sys

import pytest

SIDE_ROOMS = (
    "cli",
    "data",
    "distribute",
    "export",
    "metrics",
    "parsing",
    "plotting",
    "recipes",
    "text",
)

# Prints what `import kblocks` brings beyond `import keras`, by top-level package and room.
NEW_MODULES = """
import sys
import keras
before = set(sys.modules)
import kblocks
new = set(sys.modules) - before
print(*{".".join(n.split(".")[: 2 if n.startswith("kblocks.") else 1]) for n in new})
"""

WITHOUT_TENSORFLOW = """
import sys
sys.modules["tensorflow"] = sys.modules["tensorflow_text"] = None
import numpy as np
import kblocks
from kblocks.layers import Attention, LSTM
x = np.ones((2, 3, 4), "float32")
print(*Attention()(LSTM(4, return_sequences=True)(x), value=x).shape)
"""


def python(code: str, *flags: str, backend: str = "tensorflow") -> subprocess.CompletedProcess:
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "2"}
    return subprocess.run(
        [sys.executable, *flags, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )


@pytest.mark.slow
def test_only_the_floors_are_imported() -> None:
    new = set(python(NEW_MODULES).stdout.split())
    assert "kblocks.layers" in new
    assert not new & {f"kblocks.{room}" for room in SIDE_ROOMS}
    others = {name for name in new if name.split(".")[0] != "kblocks"}
    assert not others - sys.stdlib_module_names


@pytest.mark.slow
def test_import_costs_at_most_a_twentieth_of_keras() -> None:
    """Both are measured in the same process, so a busy machine slows both."""
    log = python("import keras; import kblocks", "-X", "importtime").stderr
    micros = {
        name: int(time)
        for time, name in re.findall(r"(\d+) \| (keras|kblocks)$", log, re.MULTILINE)
    }
    assert micros["kblocks"] <= 0.05 * micros["keras"], micros


@pytest.mark.parity
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_runs_where_tensorflow_is_absent(backend: str) -> None:
    assert python(WITHOUT_TENSORFLOW, backend=backend).stdout.split() == ["2", "3", "4"]
