"""A language model from strings to strings, in one graph."""

from typing import Any

import keras
import tensorflow as tf

from kblocks import tokens
from kblocks.decoding import sample
from kblocks.export.servable import Request
from kblocks.models.language import LanguageModel, SlidingWindow
from kblocks.text import CharacterVocabulary


class TextGenerator(tf.Module):
    """The beginning of a text in, how it may go on out; each request draws anew.

    Any bytes can be gone on from: characters that the vocabulary lacks are left out, and of a long
    text the last `model.max_length` characters count. An empty one is read as the vocabulary's
    first character, which is the line break where there is one.

    Args:
        model: A trained language model over characters.
        vocabulary: Of its characters.
        length: Characters that are said.
        temperature: See `kblocks.decoding.sample`.
        top_k: See `kblocks.decoding.sample`.
        seed: Of what is drawn.

    Raises:
        ValueError: The vocabulary has another size than the model's.
    """

    def __init__(
        self,
        model: LanguageModel,
        vocabulary: CharacterVocabulary,
        length: int = 200,
        temperature: float = 0.8,
        top_k: int | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(name="text_generator")
        if vocabulary.size != model.vocabulary_size:
            raise ValueError(
                f"`vocabulary` must have {model.vocabulary_size} ids, got {vocabulary.size}."
            )
        self.model = model
        self.vocabulary = vocabulary
        self.length = length
        self.temperature = temperature
        self.top_k = top_k
        self.seed = keras.random.SeedGenerator(seed)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    def generate(self, text: Any) -> dict[str, Any]:
        """Go on from a batch of strings.

        Args:
            text: `(batch,)` strings.

        Returns:
            A dict: `continuation` `(batch,)` strings; `score` `(batch,)` float32, the
            log-probability of the continuation.
        """
        prompt = self.vocabulary.encode(text)
        empty = tf.cast(prompt.row_lengths() == 0, tf.int64)
        begin = tf.RaggedTensor.from_row_lengths(tf.zeros([tf.reduce_sum(empty)], tf.int32), empty)
        prompt = tf.concat([begin, prompt], axis=1)[:, -self.model.max_length :]
        decoded = sample(
            SlidingWindow(self.model),
            prompt.to_tensor(tokens.NOTHING),
            self.length,
            self.temperature,
            self.top_k,
            seed=self.seed,
        )
        return {
            "continuation": self.vocabulary.decode(decoded.tokens[:, 0]),
            "score": tf.cast(decoded.scores[:, 0], tf.float32),
        }

    def signatures(self) -> dict[str, Any]:
        """`serving_default` is `generate`."""
        return {"serving_default": self.generate}

    def warmup_requests(self) -> list[Request]:
        """A beginning, and a batch with an empty one."""
        batches = (["To be"], ["To be", "Now is the winter of our discontent", ""])
        return [Request("serving_default", {"text": batch}) for batch in batches]
