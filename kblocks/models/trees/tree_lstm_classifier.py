"""The classifier of all nodes of a tree of Tai, Socher and Manning (2015), arXiv:1503.00075,
sections 4.1 and 5.1.

    x_j      = E w_j at a node with a word w_j, 0 at one without
    h_j      = Tree-LSTM(x_j, the states of the children of j)
    p(y | j) = softmax(W_s h_j + b_s)

with dropout of x_j and of h_j before the softmax.
"""

from typing import Any

import keras
from keras import ops

from kblocks.layers import ChildSumTreeLSTM, NaryTreeLSTM
from kblocks.layers.attention.checks import check_positive
from kblocks.models.wide import wide

Tensor = Any

KINDS = ("nary", "child_sum")
INPUTS = {"words": 2, "children": 3, "nodes": 2}  # their numbers of axes


@keras.saving.register_keras_serializable("kblocks")
class TreeLSTMClassifier(keras.Model):
    """A class for every node of a tree, from the words below it.

    A node has the word that `words` says, or none where that is 0: the leaves of a parse have
    words, its inner nodes none; in a dependency tree or a formula inner nodes have some, too.
    Padding takes no part; its logits mean nothing, and the loss leaves it out
    (`kblocks.training.LabelledCrossentropy`).

    Args:
        vocabulary_size: Number of word ids, with 0 for no word.
        num_classes: Number of classes.
        units: The size of the states.
        embedding: The size of the word vectors.
        kind: `"nary"`, for ordered children as in a parse in constituents, or `"child_sum"`.
        max_children: The largest number of children; only of `kind="nary"`.
        tied_forget: Whether each forget gate sees its own child only; only of `kind="nary"`.
        dropout: Fraction dropped of the word vectors, and of the states before the softmax, while
            training.
        embeddings_trainable: Whether the word vectors are trained.

    Call arguments:
        inputs: A dict: `words` (batch, nodes) int ids; `children` (batch, nodes, slots) int
            indices within the tree, -1 for none; `nodes` (batch, nodes) booleans, false for
            padding, or 1 and 0: Keras' own `fit` under several replicas takes no booleans. The
            nodes may stand in any order.
        training: Whether dropout is on.

    Returns:
        Logits of the classes, float32 or wider, (batch, nodes, num_classes).

    Raises:
        ValueError: An argument is out of its range, or an input is missing or has another rank.

    Example:

    >>> import numpy as np
    >>> from kblocks.models import TreeLSTMClassifier
    >>> model = TreeLSTMClassifier(50, 5, units=8, embedding=6)
    >>> words = np.array([[7, 9, 0]])
    >>> children = np.array([[[-1, -1], [-1, -1], [0, 1]]])
    >>> model({"words": words, "children": children, "nodes": np.ones((1, 3), "bool")}).shape
    TensorShape([1, 3, 5])

    References:
        Tai, Socher and Manning (2015), "Improved Semantic Representations From Tree-Structured
        Long Short-Term Memory Networks", sections 4.1 and 5.1.
    """

    def __init__(
        self,
        vocabulary_size: int,
        num_classes: int,
        units: int = 150,
        embedding: int = 300,
        kind: str = "nary",
        max_children: int = 2,
        tied_forget: bool = False,
        dropout: float = 0.5,
        embeddings_trainable: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive("vocabulary_size", vocabulary_size)
        check_positive("num_classes", num_classes)
        check_positive("embedding", embedding)
        if kind not in KINDS:
            raise ValueError(f"`kind` must be one of {KINDS}, got {kind!r}.")
        if not 0 <= dropout < 1:
            raise ValueError(f"`dropout` must be in [0, 1), got {dropout!r}.")
        self.vocabulary_size = vocabulary_size
        self.num_classes = num_classes
        self.units = units
        self.embedding = embedding
        self.kind = kind
        self.max_children = max_children
        self.tied_forget = tied_forget
        self.dropout = dropout
        self.embeddings_trainable = embeddings_trainable

        policy = self.dtype_policy
        self.word_embedding = keras.layers.Embedding(
            vocabulary_size,
            embedding,
            embeddings_initializer=keras.initializers.RandomUniform(-0.05, 0.05),
            trainable=embeddings_trainable,
            dtype=policy,
        )
        self.tree = (
            NaryTreeLSTM(units, max_children, tied_forget, dtype=policy)
            if kind == "nary"
            else ChildSumTreeLSTM(units, dtype=policy)
        )
        self.drop = keras.layers.Dropout(dropout, dtype=policy)
        self.readout = keras.layers.Dense(num_classes, dtype=policy)

    def build(self, inputs_shape: Any = None) -> None:
        self.word_embedding.build()
        self.tree.build((None, None, self.embedding))
        self.drop.build((None, None, self.embedding))
        self.readout.build((None, None, self.units))
        self.built = True

    def set_word_vectors(self, vectors: Any) -> None:
        """Put in word vectors learned elsewhere; `embeddings_trainable` says if they are tuned.

        Args:
            vectors: (vocabulary_size, embedding), the row of an id its vector; row 0 goes unused.
        """
        expected = (self.vocabulary_size, self.embedding)
        if tuple(vectors.shape) != expected:
            raise ValueError(f"`vectors` must have shape {expected}, got {tuple(vectors.shape)}.")
        if not self.built:
            self.build()
        self.word_embedding.embeddings.assign(vectors)

    def call(self, inputs: dict[str, Tensor], training: bool = False) -> Tensor:
        words, children, nodes = (_checked(inputs, name) for name in INPUTS)
        has_word = ops.expand_dims(ops.not_equal(words, 0), -1)
        x = self.word_embedding(words)  # (batch, nodes, embedding)
        x = self.drop(ops.where(has_word, x, ops.zeros((), x.dtype)), training=training)
        h = self.tree(x, children=children, mask=nodes)
        # A copy carries no mask: which nodes count is the loss's matter, not only that they exist.
        logits = self.readout(self.drop(ops.copy(h), training=training))
        return wide(logits)

    def get_config(self) -> dict[str, Any]:
        names = (
            "vocabulary_size",
            "num_classes",
            "units",
            "embedding",
            "kind",
            "max_children",
            "tied_forget",
            "dropout",
            "embeddings_trainable",
        )
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _checked(inputs: Any, name: str) -> Tensor:
    if not isinstance(inputs, dict) or name not in inputs:
        came = sorted(inputs) if isinstance(inputs, dict) else type(inputs).__name__
        raise ValueError(f"`inputs` must be a dict with {list(INPUTS)}, got {came}.")
    tensor = ops.convert_to_tensor(inputs[name])
    if len(tensor.shape) != INPUTS[name]:
        axes = ("batch", "nodes", "slots")[: INPUTS[name]]
        raise ValueError(f"`{name}` must have shape {axes}, got {tuple(tensor.shape)}.")
    # Keras traces a model that it exports with floats, whatever the dtypes were.
    return ops.cast(tensor, "bool" if name == "nodes" else "int32")
