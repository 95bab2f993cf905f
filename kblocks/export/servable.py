"""What can be exported: functions in the graph by name, and requests to warm them up with."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable


class Request(NamedTuple):
    """A request to a signature: the signature's name, and an array of each input by its name."""

    signature: str
    inputs: Mapping[str, Any]


@runtime_checkable
class Servable(Protocol):
    """What `kblocks.export.save` takes: a `tf.Module` with these two methods.

    It holds, as attributes, the models, tables and tokenizers that its signatures use.

    Example:

    >>> import tensorflow as tf
    >>> from kblocks.export import Request, Servable
    >>> class Shout(tf.Module):
    ...     @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
    ...     def shout(self, text):
    ...         return {"shout": tf.strings.upper(text)}
    ...     def signatures(self):
    ...         return {"serving_default": self.shout}
    ...     def warmup_requests(self):
    ...         return [Request("serving_default", {"text": ["hello"]})]
    >>> isinstance(Shout(), Servable)
    True
    """

    def signatures(self) -> Mapping[str, Any]:
        """Each signature by its name, one of them `serving_default`.

        A signature is a `tf.function` with an `input_signature` whose specs are named; it returns
        a dict of tensors, of which none is of half precision. Every input and output begins with
        the batch, so that TensorFlow Serving may batch requests.
        """

    def warmup_requests(self) -> Sequence[Request]:
        """Requests that TensorFlow Serving replays before it lets a new version answer."""
