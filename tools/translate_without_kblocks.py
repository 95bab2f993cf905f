"""Translate with an exported model and nothing of kblocks: `DIRECTORY/VERSION TEXT`."""

import sys

import tensorflow as tf
import tensorflow_text  # noqa: F401  (the ops of the tokenizer)


def main(directory: str, text: str) -> None:
    """Load the SavedModel, call its default signature, print the translation."""
    model = tf.saved_model.load(directory)
    outputs = model.signatures["serving_default"](text=tf.constant([text]))
    assert not any(name.split(".")[0] == "kblocks" for name in sys.modules)
    print(f"{text}\n{outputs['translation'].numpy()[0].decode()}")


if __name__ == "__main__":
    main(*sys.argv[1:])
