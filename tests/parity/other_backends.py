"""Tests that run again on another backend, in a process of their own."""

import os
import subprocess
import sys

import pytest


def check_on(backend: str, path: str, marks: str = "not parity", **environment: str) -> None:
    """The marked tests of a file or folder pass on `backend`; skipped where it is missing."""
    pytest.importorskip(backend)
    own = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", marks, "-p", "no:cacheprovider", path],
        env={**own, **environment, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
    )
    # Nothing collected is an exit status of its own, and fails as well.
    assert result.returncode == 0, result.stdout[-8000:] + result.stderr[-2000:]
