"""Layers: flags over environment over file over defaults, and for every key where its value came from."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from millrace.datasets import Reading
from millrace.errors import OptionError, UsageError, did_you_mean
from millrace.settings.keys import NEGATED, known_keys, make_job, make_place, reading_of
from millrace.values import from_text
from millrace.workers import Job, Place

PREFIX = "MILLRACE_"
# Variables that are no keys of the configuration: each is read where it is used.
OTHERS = ("MILLRACE_CACHE", "MILLRACE_TEST_MIRROR", "MILLRACE_TOKEN", "MILLRACE_TRACEBACK")
DEFAULT = "default"
Value = TypeVar("Value")


@dataclass(frozen=True)
class Setting:
    """A value and who gave it: `recipes/mnist.yaml:3`, `MILLRACE_EPOCHS`, `--epochs`."""

    value: object
    source: str


Layer = Mapping[str, Setting]


@dataclass(frozen=True)
class Settings:
    """What all layers together set, by key. Job and place are made when they are asked for, so that what needs the
    place alone looks up no dataset; either raises OptionError with the source of the value that is refused."""

    chosen: Layer

    @cached_property
    def job(self) -> Job:
        """What to compute."""
        with self.sources_named():
            return make_job({key: setting.value for key, setting in self.chosen.items()})

    @cached_property
    def place(self) -> Place:
        """Where to compute it, and how its data comes."""
        with self.sources_named():
            return make_place({key: setting.value for key, setting in self.chosen.items()})

    @cached_property
    def reading(self) -> Reading:
        """How files of one's own are read; no dataset is looked up for it."""
        with self.sources_named():
            return reading_of({key: setting.value for key, setting in self.chosen.items()})

    @property
    def sources(self) -> dict[str, str]:
        """For every key the source of its value."""
        return {key: self.chosen[key].source if key in self.chosen else DEFAULT for key in known_keys()}

    @contextlib.contextmanager
    def sources_named(self) -> Iterator[None]:
        """An OptionError raised within names who set the value that is refused."""
        try:
            yield
        except OptionError as error:
            if error.key not in self.chosen:
                raise
            raise error.set_by(self.chosen[error.key].source) from error


def variable(key: str) -> str:
    """The environment variable of a key: `optimizer.rate` → `MILLRACE_OPTIMIZER_RATE`."""
    return PREFIX + key.replace(".", "_").upper()


def flag(key: str) -> str:
    """The flag of a key: `slot_size` → `--slot-size`, `optimizer.rate` → `--optimizer.rate`."""
    return "--" + key.replace("_", "-")


def from_file(path: str) -> Layer:
    """The layer that a YAML file makes. Errors: UsageError naming file and line."""
    from millrace.settings import config_file  # PyYAML takes its time to import

    entries = config_file.read(Path(os.path.expanduser(path)))
    return {key: Setting(entry.value, f"{path}:{entry.line}") for key, entry in entries.items()}


def from_file_text(text: str, name: str) -> Layer:
    """`from_file` for a text; `name` stands in messages as the file's."""
    from millrace.settings import config_file

    return {key: Setting(entry.value, f"{name}:{entry.line}") for key, entry in config_file.parse(text, name).items()}


def from_environment(environment: Mapping[str, str] = os.environ) -> Layer:
    """The layer that MILLRACE_* variables make; an empty one counts as not set.

    Errors: OptionError for a value of the wrong type, UsageError for a name that is nearly a known one."""
    known = {variable(key): key for key in (*known_keys(), *NEGATED)}
    layer: dict[str, Setting] = {}
    for name, text in sorted(environment.items()):
        if not name.startswith(PREFIX) or name in OTHERS or not text:
            continue
        if (key := known.get(name)) in NEGATED:
            other = variable(NEGATED[key])
            if environment.get(other):
                raise UsageError(f"{name} and {other} are both set", expected="one of them", do=f"unset {name}")
            layer[NEGATED[key]] = Setting(not from_text(bool, text, name), name)
        elif key is not None:
            layer[key] = Setting(from_text(known_keys()[key].kind, text, name), name)
        elif near := did_you_mean(name, [*known, *OTHERS], cutoff=0.8):  # other names may be somebody else's
            raise UsageError(f"unknown environment variable {name}", do=near)
    return layer


def from_flags(given: Mapping[str, object]) -> Layer:
    """The layer of the flags that were given, by key."""
    return {key: Setting(value, flag(f"no-{key}" if value is False else key)) for key, value in given.items()}


def from_values(given: Mapping[str, object], source: str) -> Layer:
    """A layer of which every value has the same source."""
    return {key: Setting(value, source) for key, value in given.items()}


def over(weaker: Mapping[str, Value], stronger: Mapping[str, Value]) -> dict[str, Value]:
    """The keys of both, the stronger's values before the weaker's. A policy that the stronger names (or gives as a
    mapping) replaces the ranges that the weaker sets."""
    named = "policy" in stronger
    return {**{key: value for key, value in weaker.items() if not (named and key.startswith("policy."))}, **stronger}


def merge(*layers: Layer) -> Settings:
    """The settings of layers, the weakest first, each `over` the one before."""
    chosen: dict[str, Setting] = {}
    for layer in layers:
        chosen = over(chosen, layer)
    return Settings(chosen)


def resolve(file: str | None, flags: Mapping[str, object]) -> Settings:
    """The settings of a command that takes a file and flags: flags over environment over file over defaults."""
    return merge(from_file(file) if file else {}, from_environment(), from_flags(flags))
