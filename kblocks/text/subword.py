"""A subword vocabulary: learned by SentencePiece, run inside the TensorFlow graph.

Byte-pair encoding (Sennrich, Haddow, Birch 2016, arXiv:1508.07909) on raw text, spaces included
(Kudo and Richardson 2018, arXiv:1808.06226), so that decoding gives the sentence back. Characters
that the corpus did not have are spelled in UTF-8 bytes: no text is out of vocabulary.
"""

import contextlib
import io
import os
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf
import tensorflow_text as tf_text

from kblocks import tokens

_DROP_BYTE_ORDER_MARK = "FEFF\t\n"


@contextlib.contextmanager
def _one_line_errors(size: int) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise ValueError(
            f"SubwordVocabulary.train: `size` {size} does not fit this corpus: {reason}"
        ) from error


def _without_path(model: bytes) -> bytes:
    """The model without the name of the temporary file that its training read."""
    from sentencepiece import sentencepiece_model_pb2

    # protobuf makes the classes of such a module when it is imported.
    proto = sentencepiece_model_pb2.ModelProto.FromString(model)  # type: ignore[attr-defined]
    proto.normalizer_spec.ClearField("normalization_rule_tsv")
    return proto.SerializeToString(deterministic=True)


def clean(sentences: Any) -> tf.Tensor:
    """Bring strings to one form: valid UTF-8, Unicode's NFC, single spaces, nothing invisible.

    Args:
        sentences: `(batch,)` strings. A byte that is not UTF-8 becomes U+FFFD.
    """
    valid = tf.strings.unicode_transcode(sentences, "UTF-8", "UTF-8")
    composed = tf_text.normalize_utf8(valid, "NFC")
    visible = tf.strings.regex_replace(composed, r"[\p{Cc}\p{Zs}\p{Zl}\p{Zp}]+", " ")
    return tf.strings.strip(visible)


class _InEachGraph:
    """SentencePiece's resource, made by each graph that uses it.

    TensorFlow Text makes it once, outside of the graphs, where it dies with the cache of kernels
    as soon as someone calls `tf.random.set_seed`.
    """

    def __init__(self, resource: Any) -> None:
        self._resource = resource
        self._handles: weakref.WeakKeyDictionary[tf.Graph, Any] = weakref.WeakKeyDictionary()

    @property
    def resource_handle(self) -> Any:
        if tf.executing_eagerly():
            return self._resource._create_resource()
        graph = tf.compat.v1.get_default_graph()
        if graph not in self._handles:
            self._handles[graph] = self._resource._create_resource()
        return self._handles[graph]


class SubwordVocabulary(tf.Module):
    """A subword vocabulary whose `encode` and `decode` run in the graph.

    Ids are those of `kblocks.tokens`: padding 0, unknown 1, start 2, end 3.

    Args:
        model: A serialised SentencePiece model, as `train` and `load` bring it.

    Example:

    >>> from kblocks.text import SubwordVocabulary
    >>> vocabulary = SubwordVocabulary.train(["a small corpus", "of two lines"], size=290)
    >>> ids = vocabulary.encode(["a line"])
    >>> vocabulary.decode(ids).numpy()
    array([b'a line'], dtype=object)
    """

    def __init__(self, model: bytes) -> None:
        super().__init__(name="subword_vocabulary")
        self.model = model
        self._tokenizer = tf_text.SentencepieceTokenizer(model=model)
        self._tokenizer._model_resource = _InEachGraph(self._tokenizer._model_resource)
        self.size = int(self._tokenizer.vocab_size().numpy())

    @classmethod
    def train(cls, lines: Iterable[str], size: int, seed: int = 0) -> "SubwordVocabulary":
        """Learn a vocabulary from lines of text.

        Args:
            lines: Any sentences; lines of over 4,192 bytes are passed over.
            size: The number of subwords, the four special ids and 256 bytes included. A corpus
                too small for it gives a smaller vocabulary.
            seed: SentencePiece samples from very large corpora; fixes the sample.

        Raises:
            ValueError: There is no text, or `size` has no room for the characters of the corpus.
        """
        import sentencepiece  # needed only here: serving and loading do without

        cleaned = clean(list(lines)).numpy()
        lines = [line.decode() for line in cleaned if line.strip()]
        if not lines:
            raise ValueError("SubwordVocabulary.train: `lines` holds no text to learn from.")
        sentencepiece.set_random_generator_seed(seed)
        written = io.BytesIO()
        # `clean` has normalised; an empty rule table would make every load print a line.
        with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules, _one_line_errors(size):
            rules.write(_DROP_BYTE_ORDER_MARK)
            rules.flush()
            sentencepiece.SentencePieceTrainer.Train(
                sentence_iterator=iter(lines),
                model_writer=written,
                model_type="bpe",
                vocab_size=size,
                hard_vocab_limit=False,
                character_coverage=0.9998,
                byte_fallback=True,
                normalization_rule_tsv=rules.name,
                pad_id=tokens.PADDING,
                unk_id=tokens.UNKNOWN,
                bos_id=tokens.START,
                eos_id=tokens.END,
                num_threads=1,
                minloglevel=2,
            )
        return cls(_without_path(written.getvalue()))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "SubwordVocabulary":
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: No such file.
            ValueError: The file is not a SentencePiece model.
        """
        model = Path(path).read_bytes()
        try:
            return cls(model)
        except (tf.errors.OpError, RuntimeError) as error:
            raise ValueError(f"{path}: not a SentencePiece model.") from error

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the vocabulary to one file; it is written beside and renamed."""
        beside = Path(f"{path}.tmp")
        beside.write_bytes(self.model)
        beside.replace(path)

    def encode(self, sentences: Any, end: bool = False) -> tf.RaggedTensor:
        """Turn strings into ids.

        Args:
            sentences: `(batch,)` strings, any bytes: see `clean`.
            end: Whether the end id closes each sentence.

        Returns:
            `(batch, None)` int32, ragged; an empty string has no ids but the end.

        Raises:
            ValueError: `sentences` is no batch of strings.
        """
        sentences = tf.convert_to_tensor(sentences, tf.string)
        if sentences.shape.rank != 1:
            raise ValueError(f"`sentences` must have shape (batch,), got {sentences.shape}.")
        ids = self._tokenizer.tokenize(clean(sentences))
        if not end:
            return ids
        last = tf.fill([ids.nrows(), 1], tokens.END)
        return tf.concat([ids, tf.RaggedTensor.from_tensor(last)], axis=1)

    def decode(self, ids: Any) -> tf.Tensor:
        """Turn ids into strings; padding, start and end are left out.

        Args:
            ids: `(batch, None)` int32, ragged or padded.

        Returns:
            `(batch,)` strings, always valid UTF-8.
        """
        ragged = self._content(ids)
        return tf.strings.unicode_transcode(self._tokenizer.detokenize(ragged), "UTF-8", "UTF-8")

    def pieces(self, ids: Any) -> tf.RaggedTensor:
        """Show the subwords themselves, `▁` where a word begins: the labels of an attention map.

        Args:
            ids: `(batch, None)` int32, ragged or padded.

        Returns:
            `(batch, None)` strings, ragged; padding, start and end are left out.
        """
        return tf.ragged.map_flat_values(self.id_to_piece, self._content(ids))

    def id_to_piece(self, ids: Any) -> tf.Tensor:
        """The subword of each id, in the shape of `ids`."""
        return self._tokenizer.id_to_string(ids)

    def piece_to_id(self, pieces: Any) -> tf.Tensor:
        """The id of each subword, in the shape of `pieces`; of what is none the unknown one."""
        return self._tokenizer.string_to_id(pieces)

    @staticmethod
    def _content(ids: Any) -> tf.RaggedTensor:
        if not isinstance(ids, tf.RaggedTensor):
            ids = tf.RaggedTensor.from_tensor(tf.convert_to_tensor(ids))
        special = (ids == tokens.PADDING) | (ids == tokens.START) | (ids == tokens.END)
        return tf.ragged.boolean_mask(tf.cast(ids, tf.int32), ~special)
