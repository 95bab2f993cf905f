"""From texts, or pairs of texts, to classes, in one graph."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from kblocks.export.servable import Request
from kblocks.export.text_embedder import check_fit
from kblocks.models import BertClassifier, GPTClassifier
from kblocks.text import TaskCharacters, WordPieceVocabulary

Tensor = Any


class TextClassifier(tf.Module):
    """Raw strings in, a label and the probability of each class out.

    Any bytes have a label. What a text has beyond `max_length` pieces is left out.

    Args:
        model: Its ids are the vocabulary's.
        vocabulary: Cuts the strings.
        classes: The names of the model's classes; none for a model that says a number.
        max_length: The most pieces of a text or a pair, the special ones among them.
        pairs: Whether a second text belongs to each.

    Raises:
        ValueError: The sizes of model, vocabulary and classes differ, or the model has not so many
            positions.
    """

    def __init__(
        self,
        model: BertClassifier | GPTClassifier,
        vocabulary: WordPieceVocabulary | TaskCharacters,
        classes: Sequence[str],
        max_length: int = 128,
        pairs: bool = False,
    ) -> None:
        super().__init__(name="text_classifier")
        reader = model.encoder if isinstance(model, BertClassifier) else model.gpt
        check_fit(reader, vocabulary, max_length)
        if len(classes) != model.num_classes and (classes or model.num_classes != 1):
            raise ValueError(f"`classes` must be {model.num_classes} names, got {list(classes)}.")
        self.model = model
        self.vocabulary = vocabulary
        self.classes = tuple(classes)
        self.max_length = max_length
        self.pairs = pairs

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def classify(self, text: Tensor) -> dict[str, Tensor]:
        """The classes of a batch of strings.

        Args:
            text: `(batch,)` strings.

        Returns:
            A dict: `label` `(batch,)` strings and `probability` `(batch, classes)` float32, or of a
            model that says a number `score` `(batch,)` float32.
        """
        return self._outputs(self.vocabulary.encode(text), None)

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, name="text"),
            tf.TensorSpec([None], tf.string, name="second"),
        ]
    )
    def classify_pairs(self, text: Tensor, second: Tensor) -> dict[str, Tensor]:
        """The classes of a batch of pairs of strings; see `classify`."""
        return self._outputs(self.vocabulary.encode(text), self.vocabulary.encode(second))

    def _outputs(self, first: Tensor, second: Tensor | None) -> dict[str, Tensor]:
        logits = self.model(self.vocabulary.pack(first, second, max_length=self.max_length))
        logits = tf.cast(logits, tf.float32)
        if not self.classes:
            return {"score": logits[:, 0]}
        labels = tf.gather(tf.constant(self.classes), tf.argmax(logits, axis=-1))
        return {"label": labels, "probability": tf.nn.softmax(logits)}

    def signatures(self) -> dict[str, Any]:
        """`serving_default` is `classify`, or `classify_pairs`."""
        return {"serving_default": self.classify_pairs if self.pairs else self.classify}

    def warmup_requests(self) -> list[Request]:
        """A text, and a batch with an empty one."""
        batches = (["It rains."], ["It rains.", "Sailing is fun, isn't it?", ""])
        names = ("text", "second") if self.pairs else ("text",)
        return [Request("serving_default", dict.fromkeys(names, batch)) for batch in batches]
