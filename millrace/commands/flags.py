"""Flags: a dataclass of options, and on request the keys of the configuration, read from the command line by tyro.

A flag that is not given stays unset, so that weaker layers show through. Values are read by the same
function as environment variables, and slips in flag names are caught here: all errors look alike.
"""

import contextlib
import dataclasses
import inspect
import io
import re
import typing
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

import tyro
from tyro.constructors import PrimitiveConstructorSpec

from millrace import config, values
from millrace.errors import UsageError, unknown_name
from millrace.settings.layers import flag

Options = TypeVar("Options")

METAVARS = {
    "dataset": "NAME|FILE",
    "batch": "N|NAME",
    "slot_size": "R",
    "out": "DIR|ADDRESS",
    "mirror": "URL",
    "checkpoint_every": "SECONDS",
    "read_ahead": "MIB",
    "policy.scale": "LOW HIGH",
    "policy.erase_area": "LOW HIGH",
    "network.hidden": "N N …",
}


class _Unset:
    """The value of a flag that was not given."""


UNSET = _Unset()


def positional(metavar: str, help: str, *, many: bool = False, required: bool = False) -> Any:
    """A field read from arguments without a flag: a text, or (`many`) a tuple of texts."""
    metadata = {"metavar": metavar, "help": help, "positional": True, "required": required}
    return dataclasses.field(default=() if many else None, metadata=metadata)


def option(default: object, metavar: str, help: str) -> Any:
    """A field read from `--flag VALUE`."""
    return dataclasses.field(default=default, metadata={"metavar": metavar, "help": help})


def switch(help: str) -> Any:
    """A field that a bare `--flag` turns on."""
    return dataclasses.field(default=False, metadata={"help": help})


def as_json() -> Any:
    """The field of `--json`, the same on every command that reports."""
    return switch("one JSON object per line, for machines")


def parse(
    command: str, options: type[Options], arguments: Sequence[str], keys: Sequence[str] = ()
) -> tuple[Options, Mapping[str, object]]:
    """The options of a command and, by key, the values of the configuration that were given as flags.

    `--help` prints the page and leaves with code 0.
    Errors: UsageError for unknown flags, values of the wrong type, missing or superfluous arguments."""
    own = [f for f in dataclasses.fields(options) if not f.metadata.get("positional")]  # type: ignore[arg-type]
    _check_names(command, arguments, {*(flag(f.name) for f in own), *map(flag, keys), "--help"})
    said = io.StringIO()
    page = inspect.cleandoc(options.__doc__ or "")
    try:
        with contextlib.redirect_stderr(said):
            found = tyro.cli(_whole(options, keys), prog=f"millrace {command}", description=page, args=list(arguments))
    except SystemExit as leaving:
        if not leaving.code:
            raise
        raise _refusal(command, said.getvalue()) from None
    values = {f.name: getattr(found, f.name) for f in dataclasses.fields(options)}  # type: ignore[arg-type]
    _check_required(command, options, values)
    return options(**values), dict(_given(found, keys))


def _given(found: Any, keys: Sequence[str]) -> typing.Iterator[tuple[str, object]]:
    """The keys that were given as flags, with their values."""
    for path in keys:
        group, _, name = path.rpartition(".")
        value = getattr(getattr(found, f"keys_{group}"), name)
        if value is not UNSET and value is not False:
            yield path, value


def _whole(options: type[Any], keys: Sequence[str]) -> type[Any]:
    """The dataclass that tyro reads: the command's own options and the keys of the configuration, groups nested."""
    hints = typing.get_type_hints(options)
    fields: list[Any] = [(f.name, *_own(f, hints[f.name])) for f in dataclasses.fields(options)]
    nested: dict[str, list[tuple[str, Any, Any]]] = {}
    for path in keys:
        nested.setdefault(path.rpartition(".")[0], []).append(_leaf(config.known_keys()[path]))
    for group, leaves in nested.items():
        kind = dataclasses.make_dataclass(group or "configuration", leaves)
        hint = Annotated[kind, tyro.conf.arg(name=group)]  # type: ignore[valid-type]
        fields.append((f"keys_{group}", hint, dataclasses.field(default_factory=kind)))
    return dataclasses.make_dataclass(options.__name__, fields)


def _own(field: "dataclasses.Field[Any]", kind: Any) -> tuple[Any, Any]:
    """Annotation and default of one of the command's own options."""
    told = field.metadata
    if kind is bool:
        return _switch(told["help"]), False
    spec = _spec(kind, told["metavar"], flag(field.name))
    default = "" if told.get("positional") or field.default is None else f"(default: {_shown(field.default)})"
    hint = tyro.conf.arg(help=told["help"], help_behavior_hint=default)
    if told.get("positional"):
        return Annotated[Any, spec, hint, tyro.conf.Positional], field.default
    return Annotated[Any, spec, hint], field.default


def _leaf(key: config.Key) -> tuple[str, Any, Any]:
    """Name, annotation and default of the field that stands for one key."""
    name = key.path.rpartition(".")[2]
    if key.kind is bool:
        return name, _switch(_help(key)), False
    unsaid = key.default is None or key.path.startswith("policy.")  # the help says what happens then
    hint = "" if unsaid else f"(default: {_shown(key.default)})"
    spec = _spec(key.kind, METAVARS.get(key.path, _metavar(key.kind)), flag(key.path))
    return name, Annotated[Any, spec, tyro.conf.arg(help=_help(key), help_behavior_hint=hint)], UNSET


def _switch(help: str) -> Any:
    return Annotated[bool, tyro.conf.arg(help=help, help_behavior_hint=""), tyro.conf.FlagCreatePairsOff]


def _spec(kind: Any, metavar: str, name: str) -> "PrimitiveConstructorSpec[Any]":
    """How tyro reads one value: with the function that reads environment variables."""
    many = typing.get_origin(kind) is tuple
    words = typing.get_args(kind)[0] is str if many else False
    return PrimitiveConstructorSpec(
        nargs="*" if many else 1,
        metavar=metavar,
        instance_from_str=tuple if words else lambda texts: values.from_text(kind, " ".join(texts), name),
        is_instance=lambda value: True,
        str_from_instance=lambda value: [] if value is UNSET or value is None else [str(value)],
    )


def _metavar(kind: Any) -> str:
    inner = next((choice for choice in typing.get_args(kind) if choice is not type(None)), kind)
    return {int: "N", float: "X", str: "NAME"}.get(inner, "VALUE")


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _help(key: config.Key) -> str:
    """What a key means: its own help, or the entry `name: …` in the docstring of its floor's options."""
    if key.path == "policy.name":
        return "what a changed policy is called"
    group, _, name = key.path.rpartition(".")
    text = (config.GROUPS[group].__doc__ or "") if group else ""
    entry = rf"^\s*(?:\w+, )*{name}(?:, \w+)*: (.+?)(?=^\s*[\w, ]+: |^\s*$|\Z)"
    found = re.search(entry, text, re.MULTILINE | re.DOTALL)
    return key.help or (" ".join(found[1].split()).rstrip(".") if found else "see the documentation")


def _check_names(command: str, arguments: Sequence[str], known: set[str]) -> None:
    """Refuse slips in flag names before tyro sees them."""
    for argument in arguments:
        if argument == "--":
            return
        name = argument.partition("=")[0]
        if name.startswith("--") and name.replace("_", "-") not in known:
            near = unknown_name("flag", name, known).do
            raise UsageError(f"unknown flag {name}", do=near or f"see millrace help {command}")


def _check_required(command: str, options: type[Any], values: Mapping[str, object]) -> None:
    for field in dataclasses.fields(options):
        if field.metadata.get("required") and not values[field.name]:
            what = f"millrace {command} needs {field.metadata['metavar']}"
            raise UsageError(what, expected=field.metadata["help"], do=f"see millrace help {command}")


def _refusal(command: str, text: str) -> UsageError:
    """tyro's message, out of its box, as an error of ours."""
    lines = [line.strip("│ ").strip() for line in text.splitlines() if line.startswith("│")]
    rule = next((number for number, line in enumerate(lines) if re.fullmatch("─+", line)), len(lines))
    what = " ".join(lines[:rule]) or text.strip()
    return UsageError(what[:1].lower() + what[1:], do=f"see millrace help {command}")
