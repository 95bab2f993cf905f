"""Google's own BERT checkpoints: `bert_config.json` and TensorFlow's `bert_model.ckpt.*`.

The names of https://github.com/google-research/bert, and those that PyTorch's users know them by:

    bert/encoder/layer_0/output/dense/kernel  (in, out)     encoder.layer.0.output.dense.weight
    bert/embeddings/LayerNorm/gamma                         embeddings.LayerNorm.weight
    bert/embeddings/word_embeddings                         embeddings.word_embeddings.weight
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

CONFIG = "bert_config.json"
_OF_TRAINING = re.compile(r"(^|/)(adam_[mv]|global_step|signal_early_stopping)\b")
_ENDINGS = {"kernel": "weight", "gamma": "weight", "beta": "bias"}


class GoogleBert(Mapping[str, np.ndarray]):
    """The arrays of a checkpoint by Hugging Face's names and in its layout; no optimizer's.

    Args:
        directory: With one checkpoint, `NAME.ckpt.index` and its data.

    Raises:
        FileNotFoundError: There is none.
        ValueError: There are several, or a file is broken.
    """

    def __init__(self, directory: Path) -> None:
        import tensorflow as tf

        found = sorted(directory.glob("*.index"))
        if not found:
            raise FileNotFoundError(
                f"{directory} has no checkpoint, such as bert_model.ckpt.index."
            )
        if len(found) > 1:
            names = ", ".join(path.name for path in found)
            raise ValueError(f"{directory} has several checkpoints, {names}: keep one.")
        self._prefix = found[0].with_suffix("")
        try:
            self._reader = tf.train.load_checkpoint(str(self._prefix))
        except (tf.errors.OpError, ValueError) as error:
            raise ValueError(f"{self._prefix}.* is broken: {error}") from None
        self._name_of = {
            _new(name): name
            for name in self._reader.get_variable_to_shape_map()
            if not _OF_TRAINING.search(name)
        }

    def __getitem__(self, name: str) -> np.ndarray:
        import tensorflow as tf

        theirs = self._name_of[name]
        try:
            value = np.asarray(self._reader.get_tensor(theirs))
        except (tf.errors.OpError, IndexError) as error:
            raise ValueError(f"{self._prefix}.* is broken at {theirs}: {error}") from None
        return value.T if theirs.endswith("/kernel") else value

    def __contains__(self, name: object) -> bool:
        return name in self._name_of

    def __iter__(self) -> Iterator[str]:
        return iter(self._name_of)

    def __len__(self) -> int:
        return len(self._name_of)


def _new(name: str) -> str:
    *path, last = re.sub(r"layer_(\d+)", r"layer/\1", name.removeprefix("bert/")).split("/")
    last = f"{last}.weight" if last.endswith("_embeddings") else _ENDINGS.get(last, last)
    return ".".join([*path, last])
