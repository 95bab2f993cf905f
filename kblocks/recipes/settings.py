"""Settings as text, `key=value`, made into a recipe's typed configuration."""

import dataclasses
import types
import typing
from collections.abc import Iterable
from typing import Any, Literal, TypeVar

Config = TypeVar("Config")

FREE_TO_CHANGE = ("epochs", "minutes", "patience", "strategy")


class SettingsError(ValueError):
    """A setting that the recipe does not have, or whose value is of the wrong type."""


def parse_settings(
    config: type[Config], settings: Iterable[str], begun: dict[str, Any] | None = None
) -> Config:
    """Make a configuration from `key=value` texts; what they leave out keeps its default.

    The dataclass's annotations say what a value may be: `bool` (`true`, `false`), `int`, `float`,
    `str`, a `Literal`, any of them `| None` (`none`), or a `tuple` of them (`1,2,3`).

    Args:
        config: A dataclass.
        settings: The texts; of two with the same key the later counts.
        begun: The values by name that a run was begun with and goes on with, as JSON has them. Then
            the texts may change only where and for how long it goes on: `epochs`, `minutes`,
            `patience`, `strategy`.

    Returns:
        A `config`.

    Raises:
        SettingsError: A text is not `key=value`, the key is no field of the dataclass, or the value
            is not of its type or out of its range; the message lists what there is.

    Example:

    >>> import dataclasses
    >>> from kblocks.recipes.settings import parse_settings
    >>> @dataclasses.dataclass
    ... class Config:
    ...     units: int = 256
    ...     clip: float | None = 1.0
    >>> parse_settings(Config, ["units=512", "clip=none"])
    Config(units=512, clip=None)
    """
    hints = typing.get_type_hints(config)
    fields = [field.name for field in dataclasses.fields(config) if field.init]  # type: ignore[arg-type]
    values: dict[str, Any] = dict(begun or {})
    for setting in settings:
        key, equals, text = setting.partition("=")
        key = key.strip()
        if not equals or key not in fields:
            what = f"has no setting {key!r}" if equals else f"reads key=value, not {setting!r}"
            raise SettingsError(f"the recipe {what}; its settings are: {', '.join(fields)}.")
        try:
            values[key] = _typed(text.strip(), hints[key])
        except ValueError:
            raise SettingsError(
                f"the setting {key!r} must be {_readable(hints[key])}, and is {text.strip()!r}."
            ) from None
        if begun is not None and key not in FREE_TO_CHANGE:
            before = begun.get(key)
            if values[key] != (tuple(before) if isinstance(before, list) else before):
                raise SettingsError(
                    f"a run goes on with the {key!r} it was begun with, {before!r}; only "
                    f"{', '.join(FREE_TO_CHANGE)} may change."
                )
    try:
        return config(**values)
    except (TypeError, ValueError) as error:
        raise SettingsError(str(error)) from error


def _typed(text: str, hint: Any) -> Any:
    """The value that a text stands for; ValueError if it is none of the type."""
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        if types.NoneType in arguments and text.lower() == "none":
            return None
        for choice in arguments:
            if choice is not types.NoneType:
                try:
                    return _typed(text, choice)
                except ValueError:
                    continue
        raise ValueError(text)
    if typing.get_origin(hint) is Literal:
        if text not in (by_text := {str(choice): choice for choice in arguments}):
            raise ValueError(text)
        return by_text[text]
    if typing.get_origin(hint) is tuple:
        return tuple(_typed(part.strip(), arguments[0]) for part in text.split(","))
    if hint is bool:
        if text.lower() not in ("true", "false"):
            raise ValueError(text)
        return text.lower() == "true"
    return hint(text)


def _readable(hint: Any) -> str:
    """A type as the message names it."""
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) is Literal:
        return "one of " + ", ".join(map(str, arguments))
    if typing.get_origin(hint) is tuple:
        return f"a list of {_readable(arguments[0])}, like 1,2,3"
    if arguments:
        return " or ".join(_readable(argument) for argument in arguments)
    return {bool: "true or false", types.NoneType: "none"}.get(hint, hint.__name__)
