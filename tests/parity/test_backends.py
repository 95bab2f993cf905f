"""The contract's forward pass and gradients on the other backends, one process each."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parity
@pytest.mark.timeout(900)
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_contract_on(backend: str) -> None:
    pytest.importorskip(backend)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    # JAX spends its time on compiling, and what is compiled here runs once.
    environment |= {"KERAS_BACKEND": backend, "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-m", "contract", "-p", "no:cacheprovider"]
    result = subprocess.run(
        [*command, str(Path(__file__).parents[1])],
        env=environment,
        capture_output=True,
        text=True,
    )
    # Nothing collected is an exit status of its own, and fails as well.
    assert result.returncode == 0, result.stdout[-8000:] + result.stderr[-2000:]
