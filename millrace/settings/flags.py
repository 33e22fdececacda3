"""Flags: a dataclass of a command's own options, and on request keys of the configuration, read by argparse.

A flag that is not given stays unset, so that weaker layers show through. Values are read by the function that reads
environment variables, and slips in the names of flags are caught here: all errors look alike.
"""

import argparse
import dataclasses
import inspect
import re
import shutil
import typing
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, TypeVar

from millrace import fields, values
from millrace.errors import OptionError, UsageError, did_you_mean
from millrace.settings.keys import GROUPS, known_keys
from millrace.settings.layers import flag

Options = TypeVar("Options")
# What the words of lists are like, so that what follows a list is not taken for a part of it.
NUMBER = re.compile(r"[-+]?[\d.][\d.eE+-]*,?|[\[(].*|.*[\])]|(?i:none|null|inf|nan)")
ASSIGNMENT, ADDRESS = re.compile(r"[\w.-]+=.*"), re.compile(r"\w+://.*")


def positional(metavar: str, help: str, *, many: bool = False, required: bool = False) -> Any:
    """A field read from arguments without a flag: a text or a number, or (`many`) a tuple of texts."""
    metadata = {"metavar": metavar, "help": help, "positional": True, "required": required}
    return dataclasses.field(default=() if many else None, metadata=metadata)


def option(default: object, metavar: str, help: str, **bounds: Any) -> Any:
    """A field read from `--flag VALUE`; bounds: as of `fields.option`."""
    return fields.option(default, help, metavar=metavar, **bounds)


def like(options: type[Any], name: str) -> Any:
    """A field read from a flag and checked as the field of this name in a class of options, which says all of it."""
    f = next(f for f in dataclasses.fields(options) if f.name == name)
    return dataclasses.field(default=f.default, metadata=f.metadata)


def switch(help: str) -> Any:
    """A field that a bare `--flag` turns on."""
    return fields.option(False, help)


def as_json() -> Any:
    """The field of `--json`, the same on every command that reports."""
    return switch("one JSON object per line, for machines")


def parse(
    command: str,
    options: type[Options],
    arguments: Sequence[str],
    keys: Sequence[str] = (),
    refused: Mapping[str, str] | None = None,
) -> tuple[Options, Mapping[str, object]]:
    """The options of a command and, by key, the values of the configuration that were given as flags.

    refused: keys that the command does not take, and why. `--help` prints the page and leaves with code 0.
    Errors: UsageError for unknown flags, values of the wrong type, missing or superfluous arguments."""
    parser = _parser(command, options, keys)
    words = [_spelled(word) for word in arguments]
    parser.check_names(words, refused or {})
    words = parser.gathered(words)
    read = parser.parse_args if "--" in words else parser.parse_intermixed_args  # which knows no `--`
    found = vars(read(words))
    own: dict[str, Any] = {}
    for f in dataclasses.fields(options):  # type: ignore[arg-type]
        if f.name in found:
            own[f.name] = _value(values.hints(options)[f.name], found[f.name], f, flag(f.name))
        elif f.metadata.get("required"):
            what = f"millrace {command} needs {f.metadata['metavar']}"
            raise UsageError(what, expected=f.metadata["help"], do=f"see millrace help {command}")
    given = {key: _typed(known_keys()[key].kind, found[key], flag(key)) for key in keys if key in found}
    return options(**own), given


def _value(kind: Any, found: Any, f: "dataclasses.Field[Any]", name: str) -> object:
    """The value of a command's own option, in range."""
    if f.metadata.get("positional"):
        return tuple(found) if isinstance(found, list) else values.from_text(kind, found, f.metadata["metavar"])
    if kind == tuple[str, ...]:
        return tuple(found)
    return fields.checked(f, kind, _typed(kind, found, name), name)


def _typed(kind: Any, found: Any, name: str) -> object:
    """The value of the words of a flag. Errors: OptionError, of one number for several with what to type."""
    several = _several(kind) or 1
    if several > 1 and isinstance(found, list) and len(found) == 1 and found[0].replace(".", "", 1).isdigit():
        do = f"{name} {' '.join(found * several)} gives all of them this value"
        raise OptionError(name, f"takes {several} numbers", expected=values.describe(kind), got=found[0], do=do)
    return found if isinstance(found, bool) else values.from_text(kind, " ".join(found), name)


def _several(kind: Any) -> int | None:
    """How many values a list must have; None where any number, or where it is no list."""
    lists = [typing.get_args(one) for one in (kind, *typing.get_args(kind)) if typing.get_origin(one) is tuple]
    return next((len(of) for of in lists if of[-1] is not ...), None)


def _words_of(metavar: str) -> re.Pattern[str]:
    """What words of a list of texts look like: KEY=VALUE, or addresses."""
    return ASSIGNMENT if "=" in metavar else ADDRESS


def _spelled(word: str) -> str:
    """An argument, with dashes in the place of underscores where it is a flag."""
    name, equals, value = word.partition("=")
    return f"{name.replace('_', '-')}{equals}{value}" if name.startswith("--") else word


class _Page(argparse.HelpFormatter):
    """The page of `--help`: at most 100 columns, the paragraphs of a docstring as paragraphs."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=26, width=max(60, min(100, shutil.get_terminal_size().columns)))

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n\n".join(super(_Page, self)._fill_text(part, width, indent) for part in text.split("\n\n"))

    def _format_args(self, action: argparse.Action, default_metavar: str) -> str:
        return str(action.metavar)  # argparse would write a list of numbers as [N … ...]


class _Parser(argparse.ArgumentParser):
    """argparse with our names, page and errors; what is not given is not in its result."""

    def __init__(self, command: str, description: str, arguments: str) -> None:
        usage = f"millrace {command}{arguments} [--flags]"
        super().__init__(
            usage=usage,
            description=description,
            formatter_class=_Page,
            argument_default=argparse.SUPPRESS,
            allow_abbrev=False,
            add_help=False,
        )
        self._command, self._names, self._titles = command, {"--help"}, dict[str, Any]()
        self._lists: dict[
            str, tuple[re.Pattern[str], int | None]
        ] = {}  # of a flag: what its words are like, and the most

    def add(self, title: str, name: str, kind: Any, help: str, metavar: str, *, paired: bool = False) -> None:
        """A flag under a title of the page; `paired` gives it a `--no-…`."""
        shown: dict[str, Any] = {"dest": name, "help": help.replace("%", "%%")}
        if kind is bool:
            shown["action"] = argparse.BooleanOptionalAction if paired else "store_true"
        elif _is_list(kind):
            texts = kind == tuple[str, ...]
            shown |= {"nargs": "*", "metavar": metavar or _metavar(kind), "action": "extend" if texts else "store"}
            self._lists[flag(name)] = _words_of(metavar) if texts else NUMBER, _several(kind)
        else:
            shown |= {"nargs": 1, "metavar": metavar or _metavar(kind)}
        self._names |= {flag(name), *([flag(f"no-{name}")] if paired else [])}
        self.titled(title).add_argument(flag(name), **shown)

    def titled(self, title: str) -> Any:
        """The part of the page with this title."""
        if title not in self._titles:
            self._titles[title] = self.add_argument_group(title)
        return self._titles[title]

    def check_names(self, words: Sequence[str], refused: Mapping[str, str]) -> None:
        """Refuse slips in the names of flags. Errors: UsageError with the nearest name, or why a key is refused."""
        why = {flag(f"{no}{key}"): text for key, text in refused.items() for no in ("", "no-")}
        for word in words[: words.index("--") if "--" in words else None]:
            name = word.partition("=")[0]
            if name in why and name not in self._names:
                self._refuse(f"{name} is not possible here: {why[name]}")
            if name.startswith("--") and name not in self._names:
                self._refuse(f"unknown flag {name}", did_you_mean(name, self._names))

    def gathered(self, words: Sequence[str]) -> list[str]:
        """The words with those of each list joined to its flag: argparse would also give it the arguments that follow.
        The first word is the flag's, whatever it is; of the others as many as can be."""
        found: list[str] = []
        left = list(words)
        while left:
            word = left.pop(0)
            if word == "--":
                return [*found, word, *left]
            if word not in self._lists:
                found.append(word)
                continue
            kind, most = self._lists[word]
            own: list[str] = []
            while left and len(own) != most and (kind.fullmatch(left[0]) or not (own or left[0].startswith("-"))):
                own.append(left.pop(0))
            found += [f"{word}={one}" for one in own] if kind is not NUMBER else [f"{word}={' '.join(own)}"]
        return found

    def error(self, message: str) -> NoReturn:
        self._refuse(message)

    def _refuse(self, what: str, do: str | None = None) -> NoReturn:
        raise UsageError(what, do=do or f"see millrace help {self._command}")


def _parser(command: str, options: type[Any], keys: Sequence[str]) -> _Parser:
    """The parser of a command's own options and of keys, which have a title for each group."""
    own = dataclasses.fields(options)
    positionals = [f for f in own if f.metadata.get("positional")]
    arguments = "".join(_argument(f) for f in positionals)
    parser = _Parser(command, inspect.cleandoc(options.__doc__ or ""), arguments)
    for f in positionals:
        nargs, help = "*" if f.default == () else "?", f.metadata["help"]
        parser.titled("arguments").add_argument(f.name, nargs=nargs, metavar=f.metadata["metavar"], help=help)
    for f in own:
        if f not in positionals:
            kind = values.hints(options)[f.name]
            parser.add("options", f.name, kind, _help(f.metadata["help"], kind, f.default), f.metadata["metavar"])
    parser.titled("options").add_argument("-h", "--help", action="help", help="show this page")
    for key in map(known_keys().__getitem__, keys):
        group = key.path.partition(".")[0]
        title = group if group in GROUPS else "place (changes no bit)" if key.place else "job (decides the bits)"
        parser.add(title, key.path, key.kind, _help(key.help, key.kind, key.default), key.metavar, paired=True)
    return parser


def _argument(f: "dataclasses.Field[Any]") -> str:
    """A positional argument in the usage line."""
    name = f.metadata["metavar"] + (" …" if f.default == () else "")
    return f" {name}" if f.metadata["required"] else f" [{name}]"


def _help(help: str, kind: Any, default: object) -> str:
    """What an option means, and its default where the text leaves it open."""
    if default is None or default == () or (kind is bool and not default):
        return help
    shown = " ".join(map(str, default)) if isinstance(default, tuple) else default
    return f"{help} (default: {'yes' if default is True else f'{shown:g}' if isinstance(shown, float) else shown})"


def _is_list(kind: Any) -> bool:
    """Whether a flag takes several words: a tuple, or one or none."""
    return any(typing.get_origin(one) is tuple for one in (kind, *typing.get_args(kind)))


def _metavar(kind: Any) -> str:
    inner = next((choice for choice in typing.get_args(kind) if choice is not type(None)), kind)
    return {int: "N", float: "X", str: "NAME"}.get(inner, "VALUE")
