"""Run by `gathering` in a process of its own: loads each `.keras` file after `import kblocks`."""

import json
import sys
from pathlib import Path

import keras
import numpy as np

import kblocks  # noqa: F401 - registers the classes


def problem(case: Path) -> str | None:
    try:
        model = keras.models.load_model(case / "model.keras")
        inputs = dict(np.load(case / "inputs.npz"))
        expected = dict(np.load(case / "outputs.npz"))
        outputs = model(inputs, training=False)
        for name, value in expected.items():
            error = np.abs(np.asarray(outputs[name], "float64") - value).max()
            if not error <= 1e-6 * max(1.0, np.abs(value).max()):
                return f"{name} differs by {error:.2e} from what was saved"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


if __name__ == "__main__":
    cases = sorted(Path(sys.argv[1]).iterdir())
    found = [f"{case.name}: {line}" for case in cases if (line := problem(case))]
    print(json.dumps({"cases": len(cases), "problems": found}))
