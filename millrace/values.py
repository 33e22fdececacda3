"""Values: from YAML and from text to the type that an annotation asks for."""

import contextlib
import dataclasses
import math
import numbers
import operator
import reprlib
import types
import typing
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from millrace.errors import OptionError, UsageError, unknown_name


def hints(kind: Any) -> Mapping[str, Any]:
    """The annotations of a dataclass, resolved, by the name of the field."""
    return _hints(kind)


_hints = cache(typing.get_type_hints)


def convert(kind: Any, value: object, name: str) -> Any:
    """The value as the annotation `kind` wants it: lists become tuples, mappings dataclasses, a whole number may stand
    for a number.

    Errors: OptionError naming `name`, what was expected and what came; UsageError for unknown keys of a mapping."""
    inner = next(iter(typing.get_args(kind)), None)
    if dataclasses.is_dataclass(kind) and isinstance(value, Mapping):
        return _record(kind, value, name)
    if typing.get_origin(kind) is tuple and dataclasses.is_dataclass(inner) and isinstance(value, list | tuple):
        return tuple(convert(inner, item, f"{name} {number}") for number, item in enumerate(value, start=1))
    try:
        return _fit(kind, value)
    except ValueError:
        do = _repeated(kind, value)
        raise OptionError(name, "has the wrong type", expected=describe(kind), got=reprlib.repr(value), do=do) from None


def _repeated(kind: Any, value: object) -> str | None:
    """How to go on where one number stands for a list of several."""
    lists = [typing.get_args(one) for one in (kind, *typing.get_args(kind)) if typing.get_origin(one) is tuple]
    several = next((len(of) for of in lists if of[-1] is not ...), 0)
    if not several or isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return f"give all of them: {[value] * several}"


def _record(kind: Any, value: Mapping[Any, object], name: str) -> Any:
    """The dataclass of a mapping with a key for each field that is set."""
    for key in value:
        if key not in hints(kind):
            raise unknown_name(f"key of {name}:", str(key), hints(kind))
    for f in dataclasses.fields(kind):
        if f.name not in value and f.default is dataclasses.MISSING:
            raise OptionError(f"{name}: {f.name}", "is missing", expected=describe(hints(kind)[f.name]))
    return kind(**{key: convert(hints(kind)[key], item, f"{name}: {key}") for key, item in value.items()})


def _fit(kind: Any, value: object) -> object:
    """`convert` without records, with a plain ValueError for what does not fit."""
    choices = typing.get_args(kind)
    if isinstance(value, numbers.Number) and hasattr(value, "item"):  # a number of NumPy's, from a call
        value = value.item()
    if isinstance(kind, types.UnionType):
        return None if value is None and types.NoneType in choices else _first(choices, lambda one: _fit(one, value))
    if typing.get_origin(kind) is tuple and isinstance(value, list | tuple):
        inner = [choices[0]] * len(value) if choices[-1] is ... else choices
        return tuple(_fit(one, item) for one, item in zip(inner, value, strict=True))
    if kind is float and type(value) in (int, float) and math.isfinite(value):  # type: ignore[arg-type]
        return float(value)  # type: ignore[arg-type]
    if type(value) is kind and kind is not float:
        return value
    raise ValueError


def _first(choices: tuple[Any, ...], read: Callable[[Any], Any]) -> Any:
    """What the first type of a union that takes the value makes of it."""
    kinds = [choice for choice in choices if choice is not types.NoneType]
    for kind in kinds[:-1]:
        with contextlib.suppress(ValueError, OptionError):
            return read(kind)
    return read(kinds[-1])


def whole(name: str, value: Any, least: int, most: int | None = None) -> int:
    """The value as an int, if it is a whole number from `least` to `most`; else a UsageError."""
    expected = f"a whole number of at least {least}" if most is None else f"a whole number from {least} to {most}"
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None or number < least or (most is not None and number > most):
        raise UsageError(f"{name} is out of range", expected=expected, got=repr(value))
    return number


def describe(kind: Any) -> str:
    """A type annotation in words: `a whole number or none`."""
    choices = typing.get_args(kind)
    if isinstance(kind, types.UnionType):
        return " or ".join(
            [describe(c) for c in choices if c is not types.NoneType] + ["none"] * (types.NoneType in choices)
        )
    if typing.get_origin(kind) is tuple:
        return f"a list of {'' if choices[-1] is ... else f'{len(choices)} '}{_many(choices[0])}"
    if dataclasses.is_dataclass(kind):
        return f"a group of keys: {', '.join(hints(kind))}"
    return {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}[kind]


def _many(kind: Any) -> str:
    """A type annotation in words, of several: `whole numbers`."""
    if isinstance(kind, types.UnionType):
        return " or ".join(map(_many, typing.get_args(kind)))
    return "groups of keys" if dataclasses.is_dataclass(kind) else f"{describe(kind).partition(' ')[2]}s"


def from_text(kind: Any, text: str, name: str) -> Any:
    """The value of a flag or an environment variable; lists are split at commas and blanks.

    Errors: OptionError naming `name`."""
    choices = typing.get_args(kind)
    if types.NoneType in choices and text.lower() in ("", "none", "null"):
        return None
    if isinstance(kind, types.UnionType):
        return _first(choices, lambda choice: from_text(choice, text, name))
    if typing.get_origin(kind) is tuple:
        words = text.strip("[]() ").replace(",", " ").split()
        return convert(kind, [from_text(choices[0], word, name) for word in words], name)
    words_of_bool = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    try:
        value = words_of_bool[text.lower()] if kind is bool else kind(text) if kind in (int, float) else text
    except (ValueError, KeyError):
        value = text
    return convert(kind, value, name)
