"""What needs a fresh process: written by each `check_layer`, loaded together at the end."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

KINDS = ("keras_files", "saved_models")

_directory: Path | None = None


def start(directory: Path) -> None:
    """Cases are gathered under `directory` from now on."""
    global _directory
    _directory = directory


def case_directory(kind: str, name: str) -> Path:
    """A new directory for one case; it is named after the layer and numbered."""
    root = (_directory or Path(tempfile.mkdtemp())) / kind
    root.mkdir(parents=True, exist_ok=True)
    path = root / f"{sum(1 for _ in root.iterdir()):03d}_{name}"
    path.mkdir()
    return path


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    np.savez(path, **arrays)


def finish() -> None:
    """Loads all that was gathered.

    Raises:
        AssertionError: With a line for each case that fails or differs, naming the layer.
    """
    if _directory is None:
        return
    roots = [_directory / kind for kind in KINDS if (_directory / kind).exists()]
    problems = load_in_fresh_processes(roots)
    assert not problems, "In fresh processes:\n" + "\n".join(problems)


def load_in_fresh_processes(roots: list[Path]) -> list[str]:
    """One process per root (`.../keras_files` or `.../saved_models`), side by side."""
    running = []
    for root in roots:
        script = Path(__file__).with_name(f"load_{root.name}.py")
        # -P: the script's own directory stays off the path, as in a user's process.
        command = [sys.executable, "-P", "-W", "error", str(script), str(root)]
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", "KERAS_BACKEND": "tensorflow"}
        process = subprocess.Popen(
            command,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        running.append((root, process))
    problems = []
    for root, process in running:
        output, errors = process.communicate()
        if process.returncode:
            problems.append(f"{root.name}: the process failed\n{errors[-3000:]}")
        else:
            report = json.loads(output.splitlines()[-1])
            cases = sum(1 for _ in root.iterdir())
            if report["cases"] != cases:
                problems.append(f"{root.name}: {report['cases']} of {cases} cases were loaded")
            problems += [f"{root.name}: {line}" for line in report["problems"]]
    return problems
