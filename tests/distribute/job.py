"""One small training, the same on one device, on two replicas and in two workers.

As a program, `python -m tests.distribute.job DIRECTORY`, it is a worker of what TF_CONFIG says.
"""

import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from kblocks.distribute import is_chief, prepare, read_cluster, strategy
from kblocks.models import BahdanauTranslator
from kblocks.training import GlobalNormClipping, MaskedAccuracy, MaskedCrossentropy

PAIRS, BATCH, VOCABULARY, START = 16, 4, 12, 2


def sentences() -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Sentences of 2 to 6 tokens, to be reversed; padded with 0."""
    rng = np.random.default_rng(0)
    source, target = np.zeros((2, PAIRS, 6), "int32")
    for i, length in enumerate(rng.integers(2, 7, PAIRS)):
        source[i, :length] = rng.integers(4, VOCABULARY, length)
        target[i, :length] = source[i, :length][::-1]
    shifted = np.concatenate([np.full((PAIRS, 1), START, "int32"), target[:, :-1]], axis=1)
    return {"source": source, "target": shifted}, target


class BatchLosses(keras.callbacks.Callback):
    """The loss that the logs have after each batch."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: list[float] = []

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.losses.append(float(logs["loss"]))


def train(name: str) -> tuple[keras.Model, dict[str, np.ndarray]]:
    """Train the translator under a strategy: the model, and everything that came of it."""
    keras.utils.set_random_seed(0)
    with strategy(name).scope():
        model = BahdanauTranslator(VOCABULARY, VOCABULARY, embedding_dim=4, units=5)
        model.compile(
            # What mixed precision makes of the optimizer; the scale is exact in float32.
            keras.optimizers.LossScaleOptimizer(
                GlobalNormClipping(keras.optimizers.Adam(0.02), 0.5)
            ),
            MaskedCrossentropy(label_smoothing=0.1),
            metrics=[MaskedAccuracy()],
        )
    inputs, labels = sentences()
    examples = tf.data.Dataset.from_tensor_slices((inputs, labels))
    batches = BatchLosses()
    history = prepare(model).fit(
        examples.shuffle(PAIRS, seed=1).batch(BATCH),
        epochs=2,
        validation_data=examples.batch(BATCH),
        callbacks=[batches],
        shuffle=False,
        verbose=0,
    )
    return model, {
        **{name: np.array(values) for name, values in history.history.items()},
        **{f"weight {i}": weight for i, weight in enumerate(model.get_weights())},
        "batches": np.array(batches.losses),
        "steps": model.optimizer.iterations.numpy(),
        "evaluate": np.array(model.evaluate(inputs, labels, batch_size=BATCH, verbose=0)),
        # Seven rows do not split evenly: in the last batch a worker has one row, the other two.
        "predict": model.predict({k: v[:7] for k, v in inputs.items()}, batch_size=4, verbose=0),
    }


def main(directory: Path) -> None:
    model, results = train("auto")
    if is_chief():
        model.save(directory / "model.keras")
    index = read_cluster().index
    np.savez(directory / f"unfinished{index}.npz", **results)
    (directory / f"unfinished{index}.npz").rename(directory / f"worker{index}.npz")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
