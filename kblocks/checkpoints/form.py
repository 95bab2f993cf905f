"""What is to be known of a kind of checkpoint, and which kind each model has."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from kblocks.checkpoints import bert, gpt2
from kblocks.checkpoints.layouts import Entry
from kblocks.models import GPT2, BertEncoder


class Form(NamedTuple):
    """A kind of checkpoint in Hugging Face's form."""

    model_type: str  # in config.json
    architecture: str
    prefix: str  # before the names where a larger model was saved
    arguments: Callable[[dict[str, Any]], dict[str, Any]]  # from config.json to the constructor's
    config: Callable[[Any], dict[str, Any]]  # from a model to config.json
    entries: Callable[[Any], Iterator[Entry]]  # of a built model
    ignored: tuple[str, ...]  # patterns of names that may be left over
    divided: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda arrays: arrays
    joined: Callable[[dict[str, Any]], dict[str, Any]] = lambda arrays: arrays


FORMS: dict[type, Form] = {
    BertEncoder: Form(
        "bert",
        "BertModel",
        "bert.",
        bert.arguments,
        bert.config,
        bert.entries,
        bert.LEFT_OVER,
    ),
    GPT2: Form(
        "gpt2",
        "GPT2LMHeadModel",
        "transformer.",
        gpt2.arguments,
        gpt2.config,
        gpt2.entries,
        gpt2.LEFT_OVER,
        gpt2.Divided,
        gpt2.joined,
    ),
}


def form_of(model_class: type) -> Form:
    """The kind of a model's checkpoints.

    Raises:
        TypeError: There is none for the class.
    """
    for known, form in FORMS.items():
        if issubclass(model_class, known):
            return form
    names = ", ".join(known.__name__ for known in FORMS)
    raise TypeError(f"there are checkpoints of {names}, not of {model_class.__name__}.")
