"""Write the sample answers of TensorFlow Serving into README.md and docs/serving.md.

    python tools/serving_sample.py [EXPORT]

The answer is what the signature of the export gives, in the form that TensorFlow Serving's REST
interface has (tensorflow_serving/util/json_tensor.cc). It stands between `<!-- sample serving -->`
and `<!-- end serving -->`; what is between is replaced.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
EXPORT = ROOT / "saved_models" / "translator-en-de" / "1"
PAGES = [ROOT / "README.md", ROOT / "docs" / "serving.md"]
SAMPLE = re.compile(r"(<!-- sample serving -->\n).*?(<!-- end serving -->)", flags=re.DOTALL)
SENTENCE = "Click OK."


def with_sample(page: str, answer: str) -> str:
    """The page's text with its samples made anew."""
    return SAMPLE.sub(lambda match: f"{match[1]}```json\n{answer}\n```\n{match[2]}", page)


def answer(export: Path, texts: list[str]) -> str:
    """The body of TensorFlow Serving's answer to `{"instances": texts}`."""
    import tensorflow as tf
    import tensorflow_text  # noqa: F401

    model = tf.saved_model.load(str(export))
    outputs = model.signatures["serving_default"](text=tf.constant(texts))
    return as_json({name: value.numpy().tolist() for name, value in outputs.items()})


def as_json(outputs: dict[str, list[Any]]) -> str:
    """Rows of named outputs, as PrettyWriter writes them with arrays on one line."""
    names = sorted(outputs)
    rows = []
    for values in zip(*(outputs[name] for name in names), strict=True):
        fields = (f'"{name}": {_value(x)}' for name, x in zip(names, values, strict=True))
        rows.append("        {\n            " + ",\n            ".join(fields) + "\n        }")
    body = ",\n".join(rows)
    return f'{{\n    "predictions": [\n{body}\n    ]\n}}'


def _value(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, bytes):
        return json.dumps(value.decode(), ensure_ascii=False)
    return decimal(value)


def decimal(value: float) -> str:
    """A float32 in six digits, or nine where six do not give it back."""
    import numpy as np

    text = f"{value:.6g}"
    if np.float32(text) != np.float32(value):
        text = f"{value:.9g}"
    return text if "." in text or "e" in text else f"{text}.0"


def main() -> None:
    """Write the samples."""
    text = answer(Path(sys.argv[1]) if len(sys.argv) > 1 else EXPORT, [SENTENCE])
    for path in PAGES:
        path.write_text(with_sample(path.read_text(encoding="utf-8"), text), encoding="utf-8")


if __name__ == "__main__":
    main()
