"""Run by `gathering` in a process of its own: runs each SavedModel without Keras and kblocks."""

import json
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf


def problem(case: Path) -> str | None:
    try:
        signature = tf.saved_model.load(str(case / "model")).signatures["serving_default"]
        inputs = {name: tf.constant(value) for name, value in np.load(case / "inputs.npz").items()}
        expected = dict(np.load(case / "outputs.npz"))
        outputs = signature(**inputs)
        for name, value in expected.items():
            error = np.abs(outputs[name].numpy().astype("float64") - value).max()
            if not error <= 1e-5 * max(1.0, np.abs(value).max()):
                return f"{name} differs by {error:.2e} from what was exported"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


if __name__ == "__main__":
    cases = sorted(Path(sys.argv[1]).iterdir())
    found = [f"{case.name}: {line}" for case in cases if (line := problem(case))]
    if "kblocks" in sys.modules:
        found.append("kblocks was imported")
    print(json.dumps({"cases": len(cases), "problems": found}))
