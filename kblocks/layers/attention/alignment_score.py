"""What the alignment scores have in common: how well does a query match a key?

An attention layer computes score(q_t, k_s) for each target position t and source position s,
normalises over s, and sums the values by these weights.
"""

from typing import Any

import keras

from kblocks.layers.attention.checks import check_sequence, check_sequence_shape

Tensor = Any


@keras.saving.register_keras_serializable("kblocks")
class AlignmentScore(keras.layers.Layer):
    """Base class of the alignment scores.

    A subclass says how a query is matched with keys in `align`, and does in `project` all that
    depends on the keys alone: a decoder projects its memory once and then aligns in every step.
    A score pays no heed to masks, the attention layer over it does; the query's mask passes
    through to the scores.

    Call arguments:
        query: Floats (batch, target, query features).
        key: Floats (batch, source, key features).

    Returns:
        Scores (batch, target, source), in the layer's compute dtype.

    Raises:
        ValueError: `query` or `key` is not a floating-point (batch, time, features), or the
            numbers of features do not fit.
    """

    same_features = False  # must queries and keys be of equal size?

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, query_shape: tuple, key_shape: tuple) -> None:
        check_sequence_shape("query", query_shape)
        check_sequence_shape("key", key_shape, query_shape[2] if self.same_features else None)
        self._query_features, self._key_features = query_shape[2], key_shape[2]
        self.built = True

    def project(self, key: Tensor) -> Tensor:
        """All that does not depend on the query.

        Args:
            key: Floats (batch, source, key features).

        Returns:
            What `align` takes as `keys`, (batch, source, ...).
        """
        return key

    def align(self, query: Tensor, keys: Tensor) -> Tensor:
        """Scores of each query with each key.

        Args:
            query: Floats (batch, target, query features).
            keys: What `project` returned.

        Returns:
            Scores (batch, target, source).
        """
        raise NotImplementedError(f"{type(self).__name__} must define `align`.")

    def call(self, query: Tensor, key: Tensor) -> Tensor:
        check_sequence("query", query, self._query_features)
        check_sequence("key", key, self._key_features)
        return self.align(query, self.project(key))

    def compute_output_shape(self, query_shape: tuple, key_shape: tuple) -> tuple:
        return (query_shape[0], query_shape[1], key_shape[1])

    def get_config(self) -> dict[str, Any]:
        # An override, however plain: without one Keras wants `__init__` arguments that JSON can
        # hold, and a dtype policy is none.
        return super().get_config()
