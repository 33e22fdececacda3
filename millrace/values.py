"""Values of the configuration: from YAML and from text to the type that an annotation asks for."""

import contextlib
import math
import reprlib
import types
import typing
from collections.abc import Callable
from typing import Any

from millrace.errors import UsageError


def convert(kind: Any, value: object, name: str) -> Any:
    """The value as the type annotation `kind` wants it; lists become tuples, whole numbers may stand for numbers.

    Errors: UsageError naming `name`, what was expected and what came."""
    try:
        return _fit(kind, value)
    except ValueError:
        raise UsageError(f"{name} has the wrong type", expected=describe(kind), got=reprlib.repr(value)) from None


def _fit(kind: Any, value: object) -> object:
    """`convert`, with a plain ValueError for what does not fit."""
    choices = typing.get_args(kind)
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        return None if value is None else _first(choices, lambda choice: _fit(choice, value))
    if typing.get_origin(kind) is typing.Literal and value in choices:
        return value
    if typing.get_origin(kind) is tuple and isinstance(value, list | tuple):
        inner = [choices[0]] * len(value) if choices[-1] is ... else choices
        return tuple(_fit(k, item) for k, item in zip(inner, value, strict=True))
    if kind is float and type(value) in (int, float) and math.isfinite(value):  # type: ignore[arg-type]
        return float(value)  # type: ignore[arg-type]
    if type(value) is kind and kind is not float:
        return value
    raise ValueError


def _first(choices: tuple[Any, ...], read: Callable[[Any], Any]) -> Any:
    """What the first kind of a union that takes the value makes of it."""
    kinds = [choice for choice in choices if choice is not types.NoneType]
    for kind in kinds[:-1]:
        with contextlib.suppress(ValueError, UsageError):
            return read(kind)
    return read(kinds[-1])


def describe(kind: Any) -> str:
    """A type annotation in words: `a whole number or none`."""
    choices = typing.get_args(kind)
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        return " or ".join(
            [describe(c) for c in choices if c is not types.NoneType] + ["none"] * (types.NoneType in choices)
        )
    if typing.get_origin(kind) is typing.Literal:
        return "one of " + ", ".join(map(str, choices))
    if typing.get_origin(kind) is tuple:
        many = choices[-1] is ...
        return f"a list of {'' if many else f'{len(choices)} '}{describe(choices[0]).partition(' ')[2]}s"
    return {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}[kind]


def from_text(kind: Any, text: str, name: str) -> Any:
    """The value of a flag or an environment variable; lists are split at commas and blanks.

    Errors: UsageError naming `name`."""
    choices = typing.get_args(kind)
    if types.NoneType in choices and text.lower() in ("", "none", "null"):
        return None
    if types.UnionType is type(kind):
        return _first(choices, lambda choice: from_text(choice, text, name))
    if typing.get_origin(kind) is tuple:
        words = text.strip("[]() ").replace(",", " ").split()
        inner = choices[0]
        return convert(kind, [from_text(inner, word, name) for word in words], name)
    words_of_bool = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    try:
        value = words_of_bool[text.lower()] if kind is bool else kind(text) if kind in (int, float) else text
    except (ValueError, KeyError):
        value = text
    return convert(kind, value, name)
