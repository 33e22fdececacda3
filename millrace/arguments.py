"""Arguments of the library's calls: each is looked at where it is given, so that a slip is named and not met later."""

import os
import reprlib
from typing import Any

from millrace.errors import OptionError


def path_text(name: str, value: object, expected: str = "a text or a path") -> str:
    """The text of a path or a name. Errors: OptionError."""
    text = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    if not isinstance(text, str):
        raise wrong_type(name, value, expected)
    if "\0" in text:
        raise OptionError(name, "is no path", expected="a text without NUL", got=repr(text))
    return text


def called(name: str, value: Any, given: str) -> Any:
    """The value, if it can be called. given: what it is called with, for the message. Errors: OptionError."""
    if not callable(value):
        raise wrong_type(name, value, f"a function of {given}")
    return value


def event(name: str, value: Any) -> Any:
    """The value, if it can be set and asked as a `threading.Event` can. Errors: OptionError."""
    if not (hasattr(value, "is_set") and hasattr(value, "set")):
        raise wrong_type(name, value, "a threading.Event")
    return value


def wrong_type(name: str, value: object, expected: str, do: str | None = None) -> OptionError:
    """The error for an argument that is of another kind."""
    return OptionError(name, "has the wrong type", expected=expected, got=reprlib.repr(value), do=do)
