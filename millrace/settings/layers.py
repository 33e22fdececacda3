"""Layers: flags over environment over file over defaults, and for every key where its value came from."""

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from millrace import config, values
from millrace.config import Config
from millrace.errors import UsageError
from millrace.settings import yaml_text

PREFIX = "MILLRACE_"
# Variables that are no keys of the configuration: each is read where it is used.
OTHERS = ("MILLRACE_CACHE", "MILLRACE_TEST_MIRROR", "MILLRACE_TRACEBACK")
DEFAULT = "default"
Value = TypeVar("Value")


@dataclass(frozen=True)
class Setting:
    """A value and who gave it: `recipes/mnist.yaml:3`, `MILLRACE_EPOCHS`, `--epochs`."""

    value: object
    source: str


Layer = Mapping[str, Setting]


@dataclass(frozen=True)
class Layered:
    """A configuration, and for every key of it the source of the value."""

    config: Config
    sources: Mapping[str, str]


def variable(key: str) -> str:
    """The environment variable of a key: `optimizer.rate` → `MILLRACE_OPTIMIZER_RATE`."""
    return PREFIX + key.replace(".", "_").upper()


def flag(key: str) -> str:
    """The flag of a key: `slot_size` → `--slot-size`, `optimizer.rate` → `--optimizer.rate`."""
    return "--" + key.replace("_", "-")


def from_file(path: str) -> Layer:
    """The layer that a YAML file makes. Errors: UsageError naming file and line."""
    entries = yaml_text.read(Path(path).expanduser())
    return {key: Setting(entry.value, f"{path}:{entry.line}") for key, entry in entries.items()}


def from_environment(environment: Mapping[str, str] = os.environ) -> Layer:
    """The layer that MILLRACE_* variables make; an empty one counts as not set.

    Errors: UsageError for a value of the wrong type, and for a name that is nearly a known one."""
    known = {variable(key): key for key in config.known_keys()}
    layer: dict[str, Setting] = {}
    for name, text in sorted(environment.items()):
        if not name.startswith(PREFIX) or name in OTHERS or not text:
            continue
        if name in known:
            key = known[name]
            layer[key] = Setting(values.from_text(config.known_keys()[key].kind, text, name), name)
            continue
        near = difflib.get_close_matches(name, [*known, *OTHERS], n=1, cutoff=0.8)
        if near:  # other names may be somebody else's, these are slips
            raise UsageError(f"unknown environment variable {name}", do=f"did you mean {near[0]}?")
    return layer


def from_flags(values: Mapping[str, object]) -> Layer:
    """The layer of the flags that were given, by key."""
    return {key: Setting(value, flag(key)) for key, value in values.items()}


def from_values(values: Mapping[str, object], source: str) -> Layer:
    """A layer of which every value has the same source."""
    return {key: Setting(value, source) for key, value in values.items()}


def over(weaker: Mapping[str, Value], stronger: Mapping[str, Value]) -> dict[str, Value]:
    """The keys of both, the stronger's values before the weaker's. A policy that the stronger names (or gives as a
    mapping) replaces the ranges that the weaker sets."""
    named = "policy" in stronger
    return {**{key: value for key, value in weaker.items() if not (named and key.startswith("policy."))}, **stronger}


def merge(*layers: Layer) -> Layered:
    """The configuration of layers, the weakest first, each `over` the one before.

    Errors: UsageError for values out of range, with the source of the value."""
    chosen: dict[str, Setting] = {}
    for layer in layers:
        chosen = over(chosen, layer)
    try:
        merged = config.build({key: setting.value for key, setting in chosen.items()})
    except UsageError as error:
        raise _with_source(error, chosen) from error
    sources = {key: setting.source for key, setting in chosen.items()}
    return Layered(merged, {key: sources.get(key, DEFAULT) for key in config.known_keys()})


def _with_source(error: UsageError, chosen: Layer) -> UsageError:
    """The error with the sources of the keys that its first line names."""
    words = set(error.what.replace(":", " ").replace("'", " ").split())
    named = [
        setting.source
        for key, setting in chosen.items()
        if (set(key.split(".")) <= words or key in words) and setting.source not in error.what
    ]
    what = f"{error.what} (set by {', '.join(dict.fromkeys(named))})" if named else error.what
    return UsageError(what, expected=error.expected, got=error.got, do=error.do)


def resolve(file: str | None, flags: Mapping[str, object]) -> Layered:
    """What a command that takes a file and flags is told: flags over environment over file over defaults."""
    return merge(from_file(file) if file else {}, from_environment(), from_flags(flags))
