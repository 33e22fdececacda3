"""YAML in and out: strict, safe, and with the line of every key for messages.

Plain words are read as YAML 1.2 reads them, not as PyYAML's 1.1: `1e-3` is a number, `no` and `off` are
texts, `012` is twelve and `2024-01-01` a text.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from millrace import config, values
from millrace.errors import UsageError

LARGEST = 1 << 20  # bytes; a configuration is a page of text, anything larger is another file by mistake


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the plain words of YAML 1.2."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012


class _Dumper(yaml.SafeDumper):
    """PyYAML's safe writer, which quotes what the loader above would read as something else than text."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012


_NUMBER = r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
_WORDS = (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"null|Null|NULL|~|", ["n", "N", "~", ""]),
    ("int", r"[-+]?[0-9][0-9_]*", "-+0123456789"),
    ("float", _NUMBER, "-+.0123456789"),
)
for _tag, _pattern, _first in _WORDS:
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), list(_first))
_Loader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(node.value))
_Loader.add_constructor("tag:yaml.org,2002:float", lambda loader, node: float(node.value))


@dataclass(frozen=True)
class Entry:
    """A value that a file sets, and the line (from 1) where it does."""

    value: object
    line: int


def read(path: Path) -> dict[str, Entry]:
    """The keys that a configuration file sets: dotted key → converted value and line.

    Errors: UsageError for a file that cannot be read, is no YAML, or holds unknown, repeated or ill-typed keys."""
    return parse(_text(path), str(path))


def plain(path: Path) -> object:
    """The file's content as plain values, whatever it is. Errors: UsageError, as `read`."""
    text = _text(path)
    try:
        return yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else path
        raise UsageError(f"{where}: not valid YAML: {getattr(error, 'problem', None) or error}") from error


def _text(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise UsageError(f"{path} is too large for a configuration", expected=f"at most {LARGEST} bytes", got=size)
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"cannot read the configuration {path}: {error.strerror}", do="give the path of a YAML file"
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no YAML file", expected="UTF-8 text", got="other bytes") from error


def parse(text: str, name: str) -> dict[str, Entry]:
    """`read` for a text; `name` stands in messages as the file's."""
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
    except RecursionError:
        raise UsageError(f"{name}: nested too deeply") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{name}:{mark.line + 1}" if mark else name
        raise UsageError(f"{where}: not valid YAML: {getattr(error, 'problem', None) or error}") from error
    if node is None:
        return {}
    if not isinstance(node, yaml.MappingNode):
        raise UsageError(f"{name}: not a configuration", expected="lines of `key: value`", got=f"a {_kind(node)}")
    return dict(_entries(loader, node, name, ""))


def _kind(node: yaml.Node) -> str:
    return type(node).__name__.removesuffix("Node").lower()


def _entries(loader: _Loader, node: yaml.MappingNode, name: str, prefix: str) -> Iterator[tuple[str, Entry]]:
    """The entries of one level of the file, groups opened."""
    seen: dict[str, int] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        key = key_node.value if isinstance(key_node, yaml.ScalarNode) else f"({_kind(key_node)})"
        if key in seen:
            raise UsageError(f"{name}:{line}: {prefix}{key} is set twice", do=f"line {seen[key]} sets it already")
        seen[key] = line
        if not prefix and key in config.GROUPS and isinstance(value_node, yaml.MappingNode):
            if key == "policy":  # a mapping replaces the policy of lower layers, as a name does
                yield "policy", Entry("none", line)
            yield from _entries(loader, value_node, name, f"{key}.")
            continue
        try:
            value = loader.construct_object(value_node, deep=True)
            if value is None and key in config.GROUPS and not prefix:
                continue  # a heading of which all lines are commented out
            (path, checked), *_ = config.spread({key: value}, prefix).items()
            yield path, Entry(values.convert(config.known_keys()[path].kind, checked, path), line)
        except yaml.YAMLError as error:
            raise UsageError(f"{name}:{line}: {prefix}{key}: {getattr(error, 'problem', error)}") from error
        except UsageError as error:
            raise UsageError(
                f"{name}:{line}: {error.what}", expected=error.expected, got=error.got, do=error.do
            ) from error


def write(values: config.Config) -> str:
    """The configuration as YAML, in the order of its fields; `parse` reads it back to the same."""
    return "".join(f"{text}\n" for _, text in lines(values))


def lines(values: config.Config) -> list[tuple[str, str]]:
    """The YAML text line by line, each with its key; the heading of a group has the group's name."""
    found: list[tuple[str, str]] = []
    headed: set[str] = set()
    for key, value in config.flat(values).items():
        group, _, name = key.rpartition(".")
        if group and group not in headed:
            headed.add(group)
            found.append((group, f"{group}:"))
        found.append((key, f"{'  ' if group else ''}{name}: {scalar(value)}"))
    return found


def scalar(value: object) -> str:
    """One value as YAML on one line."""
    plain = list(value) if isinstance(value, tuple) else value
    text = yaml.dump(plain, Dumper=_Dumper, default_flow_style=True, width=math.inf, allow_unicode=True)
    return text.removesuffix("...\n").removesuffix("\n")


def as_yaml(nested: Mapping[str, object]) -> str:
    """Any nested mapping of plain values as YAML."""
    return yaml.dump(dict(nested), Dumper=_Dumper, sort_keys=False, allow_unicode=True)
