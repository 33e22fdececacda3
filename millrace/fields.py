"""Options: fields of frozen dataclasses that are defined once, with default, range and help.

Flags, environment variables, YAML files and the checks of a class made in code all go by what `option` says.
"""

import dataclasses
import inspect
import math
import typing
from collections.abc import Iterable
from typing import Any, TypeVar

from millrace.errors import OptionError, unknown_option
from millrace.values import convert, describe, hints

Record = TypeVar("Record")


@dataclasses.dataclass(frozen=True)
class Range:
    """Where a number may lie, ends included (`least`, `most`) or not (`above`, `below`)."""

    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf
    below: float = math.inf

    def __contains__(self, number: float) -> bool:
        return self.least <= number <= self.most and self.above < number < self.below

    def __str__(self) -> str:
        """`from 0 to 1`, `above 0, at most 1`, `from 0, below 1`; empty without bounds."""
        low = f"from {_number(self.least)}" if self.least > -math.inf else ""
        low = f"above {_number(self.above)}" if self.above > -math.inf else low
        high = f"below {_number(self.below)}" if self.below < math.inf else ""
        if self.most < math.inf:
            high = f"to {_number(self.most)}" if low.startswith("from") else f"at most {_number(self.most)}"
        return f"{low}{' ' if high.startswith('to') else ', ' if low and high else ''}{high}"


def _number(value: float) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def option(
    default: object, help: str, *, metavar: str = "", choices: Iterable[str] | None = None, **bounds: float
) -> Any:
    """A field of a class of options.

    default: its value where none is given. help: what it means, for people. metavar: how help names the value.
    choices: the texts that it may be. bounds: least, most, above, below of a number, or of each number of a tuple."""
    metadata = {"help": help, "metavar": metavar, "choices": choices, "range": Range(**bounds)}
    return dataclasses.field(default=default, metadata=metadata)


def documented(kind: type[Record]) -> type[Record]:
    """The class with a line for each option in its docstring: what it means, its range and its default."""
    lines = [f"{f.name}: {f.metadata['help']} (default: {_shown(f.default)})" for f in dataclasses.fields(kind)]  # type: ignore[arg-type]
    kind.__doc__ = "\n".join([inspect.cleandoc(kind.__doc__ or ""), "", *lines])
    return kind


def _shown(default: object) -> str:
    return " ".join(map(_shown, default)) if isinstance(default, tuple) else _number(default)  # type: ignore[arg-type]


def check(options: Any) -> None:
    """Give every field its type and refuse what is out of range or unknown; for `__post_init__` of frozen classes.

    Errors: OptionError with the name of the field."""
    for f in dataclasses.fields(options):
        if "help" in f.metadata:
            value = checked(f, hints(type(options))[f.name], getattr(options, f.name), f.name)
            object.__setattr__(options, f.name, value)


def checked(f: "dataclasses.Field[Any]", kind: Any, value: object, name: str) -> Any:
    """The value of one field, converted and in range. Errors: OptionError naming `name`."""
    bounds, choices = f.metadata["range"], f.metadata["choices"]
    value = convert(kind, value, name)
    if isinstance(value, str) and choices is not None and value not in choices:
        raise unknown_option(name, value, choices)
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, int | float) and number not in bounds:
            inner = next(iter(typing.get_args(kind)), kind) if isinstance(value, tuple) else type(number)
            got = list(value) if isinstance(value, tuple) else value
            raise OptionError(name, "is out of range", expected=f"{describe(inner)} {bounds}", got=got)
    return value
