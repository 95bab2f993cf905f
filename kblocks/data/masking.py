"""What BERT hides of a text: Devlin et al. 2019 (arXiv:1810.04805), section 3.1, task 1, and A.1.

    15 % of the pieces are to be said; of these, at the input,
        80 %  are [MASK]
        10 %  are another piece, any of the vocabulary
        10 %  stay as they are

Whole words (BERT's program of May 2019; Cui et al. 2021, arXiv:1906.08101): where one piece of a
word is to be said, all of its pieces are.
"""

import numpy as np
import tensorflow as tf

from kblocks import tokens as marks
from kblocks.text import WordPieceVocabulary

DRAWS = 3  # numbers that the hiding of a piece takes

_BEHIND = np.iinfo(np.int32).max  # a place behind all others


class Masking:
    """Hides pieces, with numbers that were drawn for them.

    Special pieces are never hidden, and never put in the place of others.

    Args:
        vocabulary: Of the pieces.
        share: The share of the pieces that are to be said.
        most: The most of them in a row; at least one is to be said.
        whole_words: Whether words are hidden whole. The last word that is drawn may exceed the
            share; one that would exceed `most` is not hidden, nor are those drawn after it.

    Raises:
        ValueError: An argument is out of its range.

    Example:

    >>> import tensorflow as tf
    >>> from kblocks.data import Masking
    >>> from kblocks.text import WordPieceVocabulary
    >>> special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    >>> mask = Masking(WordPieceVocabulary([*special, "it", "rain", "##s"]), most=2)
    >>> draws = tf.constant([[[0.0, 0, 0], [0.7, 0.5, 0], [0.9, 0.5, 0], [0.2, 0, 0], [1, 0, 0]]])
    >>> inputs, labels = mask(tf.constant([[2, 5, 6, 7, 3]]), draws)
    >>> inputs["tokens"].numpy().tolist(), inputs["positions"].numpy().tolist()
    ([[2, 5, 4, 7, 3]], [[2, 0]])
    >>> labels.numpy().tolist()
    [[6, -1]]
    """

    def __init__(
        self,
        vocabulary: WordPieceVocabulary,
        share: float = 0.15,
        most: int = 20,
        whole_words: bool = False,
    ) -> None:
        if not 0 < share <= 1:
            raise ValueError(f"`share` must be over 0 and at most 1, got {share!r}.")
        if most < 1:
            raise ValueError(f"`most` must be positive, got {most!r}.")
        self.share, self.most, self.whole_words = share, most, whole_words
        self.hidden = vocabulary.mask
        is_special = np.isin(
            np.arange(vocabulary.size),
            [vocabulary.padding, vocabulary.unknown, vocabulary.start, vocabulary.end, self.hidden],
        )
        if is_special.all():
            raise ValueError("`vocabulary` must have a piece that is not special.")
        self._is_special = tf.constant(is_special)
        self._ordinary = tf.constant(np.flatnonzero(~is_special), tf.int32)
        self._goes_on = tf.constant([piece.startswith("##") for piece in vocabulary.pieces])

    def __call__(
        self, tokens: tf.Tensor, draws: tf.Tensor
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """Hide some of the pieces.

        Args:
            tokens: (batch, time) int32, padded.
            draws: Uniform from 0 to 1: (batch, time, `DRAWS`).

        Returns:
            A dict of `tokens` (batch, time), with pieces hidden, and `positions` (batch, most), the
            places of those that are to be said, in order, then 0; and what is to be said there,
            (batch, most), then -1 (`kblocks.tokens.NOTHING`). All int32.
        """
        draw, way, which = tf.unstack(draws, axis=2)
        said = self._said(tokens, draw)
        # 80 %: [MASK]; 10 %: another piece; 10 %: itself.
        number = tf.size(self._ordinary)
        which = tf.minimum(tf.cast(which * tf.cast(number, tf.float32), tf.int32), number - 1)
        other = tf.where(way < 0.9, tf.gather(self._ordinary, which), tokens)
        shown = tf.where(said, tf.where(way < 0.8, self.hidden, other), tokens)

        places = tf.where(said, tf.range(tf.shape(tokens)[1]), _BEHIND)
        places = tf.pad(places, [[0, 0], [0, self.most]], constant_values=_BEHIND)
        places = tf.sort(places, axis=1)[:, : self.most]
        positions = tf.where(places < _BEHIND, places, 0)
        labels = tf.gather(tokens, positions, batch_dims=1)
        labels = tf.where(places < _BEHIND, labels, marks.NOTHING)
        return {"tokens": shown, "positions": positions}, labels

    def _said(self, tokens: tf.Tensor, draw: tf.Tensor) -> tf.Tensor:
        """Which pieces are to be said: those of the words with the highest draws."""
        time = tf.shape(tokens)[1]
        free = ~tf.gather(self._is_special, tokens)
        begins = tf.ones_like(free)
        if self.whole_words:
            before = tf.pad(free[:, :-1], [[0, 0], [1, 0]])
            begins = ~(free & tf.gather(self._goes_on, tokens) & before)
        # Of each piece the first one of its word, and how many pieces the word has.
        heads = tf.sort(tf.where(begins, tf.range(time), time), axis=1)
        heads = tf.pad(heads, [[0, 0], [0, 1]], constant_values=time)
        word = tf.cumsum(tf.cast(begins, tf.int32), axis=1) - 1
        head, behind = (tf.gather(heads, w, batch_dims=1) for w in (word, word + 1))

        draw = tf.gather(tf.where(free, draw, -1.0), head, batch_dims=1)
        order = tf.argsort(draw, axis=1, direction="DESCENDING", stable=True)
        rank = tf.gather(tf.argsort(order, axis=1), head, batch_dims=1)
        wanted = self.share * tf.reduce_sum(tf.cast(free, tf.float32), axis=1, keepdims=True)
        wanted = tf.clip_by_value(tf.cast(tf.round(wanted), tf.int32), 1, self.most)
        return free & (rank < wanted) & (rank + behind - head <= self.most)
