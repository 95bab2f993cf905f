"""kblocks: the building blocks of deep learning as Keras 3 layers and models.

`import kblocks` registers every layer, model, loss and schedule, so that `.keras` files load
without `custom_objects`. The side rooms (`checkpoints`, `data`, `distribute`, `export`, `metrics`,
`parsing`, `plotting`, `recipes`, `text`) are imported on first use.
"""

import importlib
from types import ModuleType

from kblocks import backend, decoding, layers, models, training

__version__ = "0.1.0"

_ON_FIRST_USE = (
    "checkpoints",
    "data",
    "distribute",
    "export",
    "metrics",
    "parsing",
    "plotting",
    "recipes",
    "text",
)

__all__ = ["backend", "decoding", "layers", "models", "training", *_ON_FIRST_USE]


def __getattr__(name: str) -> ModuleType:
    if name in _ON_FIRST_USE:
        return importlib.import_module(f"kblocks.{name}")
    raise AttributeError(f"module 'kblocks' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_ON_FIRST_USE])
