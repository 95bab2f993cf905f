"""Token ids, as every model over tokens takes them."""

from typing import Any

from keras import ops


def checked_ids(name: str, ids: Any) -> Any:
    """The ids as int32, if they are (batch, time).

    Raises:
        ValueError: They have another rank; names the argument.
    """
    ids = ops.convert_to_tensor(ids)
    if len(ids.shape) != 2:
        raise ValueError(f"`{name}` must have shape (batch, time), got {tuple(ids.shape)}.")
    # Keras traces a model that it exports with floats, whatever the dtypes were.
    return ops.cast(ids, "int32")
