"""The configuration of a run: the frozen options of every floor in one, with their keys and types.

A *key* is a dotted path such as `epochs` or `optimizer.rate`; files, environment and flags all speak in
keys. The keys fall in two: the *recipe* decides the bits of the result, the *place* (how many
threads, where to write, which mirror) decides none and may change when a run goes on elsewhere.
"""

import dataclasses
import os
import reprlib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from millrace import datasets
from millrace.errors import UsageError, unknown_name
from millrace.model.options import NetworkOptions, OptimizerOptions, RegularizationOptions, ScheduleOptions
from millrace.pipeline.policy import PRESETS, Policy, preset
from millrace.values import convert
from millrace.workers.job import BATCHES, NORMALIZATIONS, Job, Place

AUTO, SEEDS = "auto", 2**32


def _key(default: Any, help: str, *, place: bool = False) -> Any:
    return field(default=default, metadata={"help": help, "place": place})


@dataclass(frozen=True)
class Config:
    """Everything that a run can be told. Ranges are checked here, names in the floors that own them."""

    dataset: str = _key("digits", "name of a dataset, or the YAML file of your own")
    epochs: int = _key(30, "passes over the training samples")
    batch: int | str = _key(128, "samples in one update: N, stochastic (1), minibatch (128) or full (all)")
    slot_size: int | None = _key(None, "samples in one unit of gradient work; by default min(128, half a batch)")
    seed: int = _key(0, "number that every random draw depends on, 0 to 4294967295")
    policy: str | Policy = _key("auto", "augmentation: none, digits, photos, or auto (the dataset's own)")  # noqa: RUF009
    normalize: str = _key("standard", "inputs: standard (mean 0, deviation 1) or unit (0 to 1)")
    subset: int | None = _key(None, "train on this many samples, the same share of each class; by default all")
    validation: int = _key(0, "training samples set aside to validate on after each epoch")
    network: NetworkOptions = field(default_factory=NetworkOptions)
    optimizer: OptimizerOptions = field(default_factory=OptimizerOptions)
    schedule: ScheduleOptions = field(default_factory=ScheduleOptions)
    regularization: RegularizationOptions = field(default_factory=RegularizationOptions)
    runtime: str = _key("local", "where it runs: local (threads) or ray (actors)", place=True)
    address: str | None = _key(None, "Ray cluster to run on: auto or HOST:PORT; by default an own Ray", place=True)
    workers: int | str = _key(0, "workers that compute gradients: N (0: one per core) or, on Ray, MIN:MAX", place=True)
    augmenters: int | None = _key(None, "threads or actors that only make batches; 0: workers make theirs", place=True)
    mixed_cpus: bool = _key(False, "admit Ray workers whose environment gives other bits", place=True)
    read_ahead: int = _key(Place.read_ahead, "MiB of batches made ahead of need", place=True)
    checkpoint_every: float = _key(Place.checkpoint_every, "seconds between checkpoints", place=True)
    out: str | None = _key(
        None, "folder of the run, or an address (s3://, gs://); by default a new one in your data folder", place=True
    )
    mirror: str | None = _key(None, "download from this http, https or file URL instead", place=True)
    offline: bool = _key(False, "use the cache alone, never the network", place=True)
    no_test: bool = _key(False, "never look at the test set, as long as something is still being chosen", place=True)

    def __post_init__(self) -> None:
        _at_least("epochs", self.epochs, 1)
        if isinstance(self.batch, int):
            _at_least("batch", self.batch, 1)
        elif self.batch not in BATCHES:
            raise unknown_name("batch", self.batch, BATCHES, do="give a number or one of these names")
        for name in ("validation", "read_ahead"):
            _at_least(name, getattr(self, name), 0)
        if self.slot_size is not None:
            _at_least("slot_size", self.slot_size, 1)
        if self.subset is not None:
            _at_least("subset", self.subset, 1)
        if not 0 <= self.seed < SEEDS:
            raise UsageError("seed is out of range", expected=f"0 to {SEEDS - 1}", got=self.seed)
        if not self.checkpoint_every > 0:
            raise UsageError("checkpoint_every is out of range", expected="seconds above 0", got=self.checkpoint_every)
        self.place()  # checks the rest of the place
        if self.normalize not in NORMALIZATIONS:
            raise unknown_name("way to normalize", self.normalize, NORMALIZATIONS)
        if isinstance(self.policy, str) and self.policy != AUTO and self.policy not in PRESETS:
            raise unknown_name("policy", self.policy, [AUTO, *PRESETS])

    def augmentation(self) -> Policy:
        """The policy in full: `auto` is asked of the dataset, a preset is looked up."""
        if isinstance(self.policy, Policy):
            return self.policy
        return preset(datasets.find(self.dataset).policy if self.policy == AUTO else self.policy)

    def resolved(self) -> "Config":
        """The same configuration with nothing left to look up: full policy, absolute path of a dataset file."""
        return dataclasses.replace(self, dataset=_source(self.dataset), policy=self.augmentation())

    def recipe(self) -> dict[str, object]:
        """What decides the bits, as a nested dict of JSON values."""
        resolved = self.resolved()
        return _nest({key: _plain(value) for key, value in flat(resolved).items() if not known_keys()[key].place})

    @classmethod
    def from_recipe(cls, recipe: Mapping[str, object], **place: Any) -> "Config":
        """The configuration of a recipe (as a checkpoint keeps it), run at the given place."""
        return build({**recipe_values(recipe), **place})

    def job(self) -> Job:
        """The work, as the workers take it."""
        resolved = self.resolved()
        fields = {f.name: getattr(resolved, f.name) for f in dataclasses.fields(Job) if f.name != "recipe"}
        return Job(**fields, recipe=resolved.recipe())

    def place(self) -> Place:
        """Where and how the work is done, as the workers take it."""
        return Place(**{f.name: getattr(self, f.name) for f in dataclasses.fields(Place)})


@dataclass(frozen=True)
class Key:
    """One thing that can be set: its dotted path, type annotation, default, help, and whether it is of the place."""

    path: str
    kind: Any
    default: object
    help: str
    place: bool


GROUPS: dict[str, Any] = {
    "policy": Policy,
    "network": NetworkOptions,
    "optimizer": OptimizerOptions,
    "schedule": ScheduleOptions,
    "regularization": RegularizationOptions,
}


@cache
def known_keys() -> Mapping[str, Key]:
    """Every key, in the order of the fields; `policy` is the preset, `policy.rotate` an override of it."""
    found: list[Key] = []
    for name, f in Config.__dataclass_fields__.items():
        if name not in GROUPS or name == "policy":
            kind = str if name == "policy" else typing.get_type_hints(Config)[name]
            found.append(Key(name, kind, f.default, f.metadata["help"], f.metadata["place"]))
        if name in GROUPS:
            hints = typing.get_type_hints(GROUPS[name])
            for inner in dataclasses.fields(GROUPS[name]):
                default = None if inner.default is dataclasses.MISSING else inner.default
                path = f"{name}.{inner.name}"
                found.append(Key(path, hints[inner.name], default, inner.metadata.get("help", ""), False))
    return types.MappingProxyType({key.path: key for key in found})


def spread(nested: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """A nested mapping as key → value. `policy: {preset: P, …}` means the preset P (or none) with overrides.

    Errors: UsageError for a key that does not exist, with the nearest that does."""
    values: dict[str, object] = {}
    for name, value in nested.items():
        path = f"{prefix}{name}"
        if path == "policy.preset":
            values["policy"] = value
        elif not prefix and path in GROUPS and isinstance(value, Mapping):
            values |= ({"policy": "none"} if path == "policy" else {}) | spread(value, f"{path}.")
        elif path in GROUPS and path != "policy":
            raise UsageError(f"{path} has the wrong type", expected="a mapping", got=reprlib.repr(value))
        elif path not in known_keys():
            raise unknown_name("key", path, _siblings(prefix))
        else:
            values[path] = value
    return values


def recipe_values(recipe: Mapping[str, object]) -> dict[str, object]:
    """A recipe as key → converted value; keys of the place are passed over. Errors: UsageError, as `spread`."""
    return {
        key: convert(known_keys()[key].kind, value, key)
        for key, value in spread(recipe).items()
        if not known_keys()[key].place
    }


def _siblings(prefix: str) -> set[str]:
    """The names that may stand at one level of the file."""
    if not prefix:
        return {key.partition(".")[0] for key in known_keys()}
    return {key for key in known_keys() if key.startswith(prefix)} | (
        {"policy.preset"} if prefix == "policy." else set()
    )


def flat(config: Config) -> dict[str, object]:
    """The configuration as key → value, in the order of the fields."""
    values: dict[str, object] = {}
    for f in dataclasses.fields(config):
        value = getattr(config, f.name)
        if dataclasses.is_dataclass(value):
            values |= {f"{f.name}.{inner.name}": getattr(value, inner.name) for inner in dataclasses.fields(value)}
        else:
            values[f.name] = value
    return values


def build(values: Mapping[str, object]) -> Config:
    """The configuration from key → value (of the right types); what is absent has its default.

    Errors: UsageError for values out of range, naming the group."""
    top = {key: value for key, value in values.items() if "." not in key}
    for group, options in GROUPS.items():
        inner = {k.partition(".")[2]: v for k, v in values.items() if k.startswith(f"{group}.")}
        try:
            if group == "policy" and inner:
                top["policy"] = _policy(str(top.get("policy", AUTO)), inner, str(top.get("dataset", "digits")))
            elif inner:
                top[group] = options(**inner)
        except UsageError as error:
            what = error.what if group in error.what else f"{group}: {error.what}"
            raise UsageError(what, expected=error.expected, got=error.got, do=error.do) from error
    return Config(**typing.cast("dict[str, Any]", top))


def _policy(base: str, overrides: Mapping[str, Any], dataset: str) -> Policy:
    """A preset with some ranges replaced; it is called `custom` unless it is given a name."""
    if {f.name for f in dataclasses.fields(Policy)} <= set(overrides):
        return Policy(**overrides)
    preset = Config(policy=base, dataset=dataset).augmentation()
    return dataclasses.replace(preset, **{"name": "custom", **overrides})


def _source(dataset: str) -> str:
    """A name or an address as it is; a path to a file or folder made absolute, so a run goes on from anywhere."""
    if "://" in dataset or dataset in datasets.registry():
        return dataset
    if os.path.isdir(dataset):
        return str(Path(dataset).resolve())
    if dataset.endswith((".yaml", ".yml")) or os.sep in dataset:
        return str(Path(dataset).expanduser().resolve())
    return dataset


def _nest(values: Mapping[str, object]) -> dict[str, object]:
    nested: dict[str, Any] = {}
    for key, value in values.items():
        group, _, name = key.rpartition(".")
        (nested.setdefault(group, {}) if group else nested)[name] = value
    return nested


def _plain(value: object) -> object:
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise UsageError(f"{name} is out of range", expected=f"at least {least}", got=value)
