"""Keys: dotted paths such as `epochs` or `optimizer.rate` for the options of job and place.

Files, environment and flags all speak in keys. They fall in two: those of the *job* decide the bits of the result,
those of the *place* (how many threads, where to write, which mirror) decide none and may change when a run goes on
elsewhere.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from millrace.arguments import wrong_type
from millrace.datasets import Reading
from millrace.errors import OptionError, unknown_name
from millrace.values import convert, hints
from millrace.workers import AUTO, READING_KEYS, Job, Place, named_policy

# Options of earlier versions that say the contrary of one of today: files and variables with them are still read.
NEGATED = {"no_test": "test"}
DATA_KEYS = ("mirror", "offline")  # where the data comes from
SOURCE_KEYS = ("dataset", *READING_KEYS)  # what the data is


@dataclass(frozen=True)
class Key:
    """One thing that can be set: its path, type annotation, default (None: its help says what happens then), help, the
    name of its value in help, and whether it is of the place."""

    path: str
    kind: Any
    default: object
    help: str
    metavar: str
    place: bool


GROUPS: Mapping[str, Any] = MappingProxyType(
    {name: kind for name, kind in hints(Job).items() if dataclasses.is_dataclass(kind)}
)


@cache
def known_keys() -> Mapping[str, Key]:
    """Every key, in the order of the fields; `policy` is the preset, `policy.rotate` an override of it."""
    found = {}
    for record in (Job, Place):
        for f in dataclasses.fields(record):
            if "help" in f.metadata:
                kind = str if f.name in GROUPS else hints(record)[f.name]
                found[f.name] = _key(f.name, kind, f, f.default, place=record is Place)
            for inner in dataclasses.fields(GROUPS[f.name]) if f.name in GROUPS else ():
                default = None if "help" in f.metadata else inner.default
                path = f"{f.name}.{inner.name}"
                found[path] = _key(path, hints(GROUPS[f.name])[inner.name], inner, default, place=False)
    return MappingProxyType(found)


def _key(path: str, kind: Any, f: "dataclasses.Field[Any]", default: object, *, place: bool) -> Key:
    return Key(path, kind, default, f.metadata["help"], f.metadata["metavar"], place)


def spread(nested: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """A nested mapping as key → converted value. `policy: {preset: P, …}` means the preset P (or none) with overrides.

    Errors: UsageError for a key that does not exist, with the nearest that does; OptionError for a wrong type."""
    found: dict[str, object] = {}
    for name, value in nested.items():
        path = f"{prefix}{name}"
        if path == "policy.preset":
            found["policy"] = convert(str, value, path)
        elif not prefix and path in GROUPS and isinstance(value, Mapping):
            found |= ({"policy": "none"} if path == "policy" else {}) | spread(value, f"{path}.")
        elif path in GROUPS and path != "policy":
            named = f" or the key {path}.name" if "name" in hints(GROUPS[path]) else ""
            raise wrong_type(path, value, "a mapping", do=f"give {path} a mapping of its keys{named}")
        elif path in NEGATED:
            found[NEGATED[path]] = not convert(bool, value, path)
        elif path not in known_keys():
            raise unknown_name("key", path, _siblings(prefix))
        else:
            found[path] = convert(known_keys()[path].kind, value, path)
    return found


def _siblings(prefix: str) -> set[str]:
    """The names that may stand at one level of the file."""
    if not prefix:
        return {key.partition(".")[0] for key in known_keys()}
    own = {key for key in known_keys() if key.startswith(prefix)}
    return own | ({"policy.preset"} if prefix == "policy." else set())


def flat(options: Job | Place) -> dict[str, object]:
    """A job or a place as key → value, in the order of the fields."""
    found: dict[str, object] = {}
    for f in dataclasses.fields(options):
        value = getattr(options, f.name)
        if dataclasses.is_dataclass(value):
            found |= {f"{f.name}.{inner.name}": getattr(value, inner.name) for inner in dataclasses.fields(value)}
        else:
            found[f.name] = value
    return found


def make_job(values: Mapping[str, object]) -> Job:
    """The job from key → value (of the right types), keys of the place passed over; what is absent has its default.

    Errors: OptionError with the key of the value that is refused; those of `Job`."""
    known = known_keys()
    top: dict[str, Any] = {key: value for key, value in values.items() if key in hints(Job) and not known[key].place}
    for group, kind in GROUPS.items():
        inner: dict[str, Any] = {k.partition(".")[2]: v for k, v in values.items() if k.startswith(f"{group}.")}
        try:
            if group == "policy" and inner and set(inner) < set(hints(kind)):
                # A preset with some ranges replaced; it is called `custom` unless it is given a name.
                preset = named_policy(top.get("policy", AUTO), top.get("dataset", Job.dataset))
                top[group] = dataclasses.replace(preset, **{"name": "custom", **inner})
            elif inner:
                top[group] = kind(**inner)
        except OptionError as error:
            raise error if error.key == group else error.inside(group) from error
    return Job(**top)


def reading_of(values: Mapping[str, object]) -> Reading:
    """How files of one's own are read, from key → value; other keys are passed over. Errors: OptionError."""
    chosen: dict[str, Any] = {key: value for key, value in values.items() if key in READING_KEYS}
    return Reading(**chosen)


def make_place(values: Mapping[str, object]) -> Place:
    """The place from key → value, keys of the job passed over. Errors: OptionError, as `make_job`."""
    chosen: dict[str, Any] = {key: value for key, value in values.items() if known_keys()[key].place}
    return Place(**chosen)


def recipe_values(recipe: Mapping[str, object]) -> dict[str, object]:
    """A recipe as a checkpoint keeps it, as key → converted value; keys of the place in it are passed over.

    Errors: as `spread`."""
    return {key: value for key, value in spread(recipe).items() if not known_keys()[key].place}


def job_of_recipe(recipe: Mapping[str, object]) -> Job:
    """The job of a recipe. Errors: UsageError."""
    return make_job(recipe_values(recipe))
