"""Configuration files: YAML with the keys of job and place, and for every key the line that sets it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from millrace import yaml_text
from millrace.errors import UsageError
from millrace.settings.keys import GROUPS, flat, spread
from millrace.workers import Job, Place
from millrace.yaml_text import Table


@dataclass(frozen=True)
class Entry:
    """A value that a file sets, and the line (from 1) where it does."""

    value: object
    line: int


def read(path: Path) -> dict[str, Entry]:
    """The keys that a configuration file sets: dotted key → converted value and line.

    Errors: UsageError for a file that cannot be read, is no YAML, or holds unknown, repeated or ill-typed keys."""
    return _checked(yaml_text.read(path, "the configuration"), str(path))


def parse(text: str, name: str) -> dict[str, Entry]:
    """`read` for a text; `name` stands in messages as the file's."""
    return _checked(yaml_text.parse(text, name), name)


def _checked(document: object, name: str) -> dict[str, Entry]:
    if document is None:
        return {}
    if not isinstance(document, Table):
        raise UsageError(f"{name}: not a configuration", expected="lines of `key: value`", got=type(document).__name__)
    return dict(_entries(document, name, ""))


def _entries(table: Table, name: str, prefix: str) -> Iterator[tuple[str, Entry]]:
    """The entries of one level of the file, groups opened."""
    for key, value in table.items():
        line = table.lines[key]
        if not prefix and key in GROUPS and isinstance(value, Table):
            if key == "policy":  # a mapping replaces the policy of lower layers, as a name does
                yield "policy", Entry("none", line)
            yield from _entries(value, name, f"{key}.")
        elif prefix or key not in GROUPS or value is not None:  # else a heading of which all lines are commented out
            try:
                (path, checked), *_ = spread({key: value}, prefix).items()
            except UsageError as error:
                raise error.within(f"{name}:{line}") from error
            yield path, Entry(checked, line)


def write(*options: Job | Place) -> str:
    """A job, a place or both as YAML, in the order of their fields; `parse` reads it back to the same."""
    return "".join(f"{text}\n" for _, text in lines(*options))


def lines(*options: Job | Place) -> list[tuple[str, str]]:
    """The YAML text line by line, each with its key; the heading of a group has the group's name."""
    found: list[tuple[str, str]] = []
    values: Mapping[str, object] = {key: value for one in options for key, value in flat(one).items()}
    for key, value in values.items():
        group, _, name = key.rpartition(".")
        if group and group not in dict(found):
            found.append((group, f"{group}:"))
        found.append((key, f"{'  ' if group else ''}{name}: {yaml_text.scalar(value)}"))
    return found
