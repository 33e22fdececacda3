"""YAML in and out: one dialect for configurations, studies and descriptions of datasets.

Plain words are read as YAML 1.2 reads them, not as PyYAML's 1.1: `1e-3` is a number, `no`, `yes` and `on` are texts,
`012` is twelve and `2024-01-01` a text. Keys are texts as they are written, none is set twice, and tags are refused.
"""

import math
import re
from pathlib import Path
from typing import Any

import yaml

from millrace.errors import UsageError

LARGEST = 1 << 20  # bytes; what people write is a page of text, anything larger is another file by mistake


class Table(dict[str, object]):
    """A mapping of a file, and for each of its keys the line (from 1) that sets it."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[str, int] = {}


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the plain words of YAML 1.2."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012

    def table(self, node: yaml.MappingNode) -> Table:
        made = Table()
        for key, value in node.value:
            mark = key.start_mark
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key is no word", mark)
            if key.value in made:
                said = f"{key.value} is set twice, line {made.lines[key.value]} sets it already"
                raise yaml.constructor.ConstructorError(None, None, said, mark)
            made.lines[key.value] = mark.line + 1
            made[key.value] = self.construct_object(value, deep=True)
        return made


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
_Loader.add_constructor("tag:yaml.org,2002:map", _Loader.table)


def read(path: Path, what: str, *, do: str = "give the path of a YAML file") -> object:
    """The content of a file as plain values, mappings as `Table`. For messages: what, the kind of file; do, a way out.

    Errors: UsageError for a file that cannot be read, is too large or is no YAML, with file and line."""
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise UsageError(f"{path} is too large for {what}", expected=f"at most {LARGEST} bytes")
        return parse(data.decode("utf-8"), str(path))
    except OSError as error:
        raise UsageError(f"cannot read {what} {path}: {error.strerror}", do=do) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no YAML file", expected="UTF-8 text", got="other bytes") from error


def parse(text: str, name: str) -> object:
    """`read` for a text; `name` stands in messages as the file's."""
    try:
        return yaml.load(text, Loader=_Loader)  # a SafeLoader
    except RecursionError:
        raise UsageError(f"{name}: nested too deeply") from None
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{name}:{mark.line + 1}" if mark else name
        raise UsageError(f"{place}: not valid YAML: {str(getattr(error, 'problem', None) or error)[:500]}") from error


def scalar(value: object) -> str:
    """One value as YAML on one line."""
    plain = list(value) if isinstance(value, tuple) else value
    text = yaml.dump(plain, Dumper=_Dumper, default_flow_style=True, width=math.inf, allow_unicode=True)
    return text.removesuffix("...\n").removesuffix("\n")
