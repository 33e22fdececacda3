"""From what a call or a command gives to settings, a job and its place: one way for all.

What decides the bits of a run comes from the call, its file and defaults, never from the environment of a program that
calls the library; where and how the run is computed follows the `MILLRACE_*` variables, everywhere.
"""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from millrace import datasets
from millrace.arguments import path_text, wrong_type
from millrace.datasets import Dataset, DatasetSpec, Progress
from millrace.errors import UsageError
from millrace.runs import RunFolder
from millrace.settings import layers
from millrace.settings.keys import DATA_KEYS, GROUPS, known_keys, recipe_values, spread
from millrace.settings.layers import Settings
from millrace.values import hints

CALL = "the call"


def keys_of(settings: Mapping[str, object]) -> dict[str, object]:
    """Keyword arguments as key → value: `epochs=3`, `optimizer={"rate": 0.01}`, `policy=Policy(rotate=15)`,
    `**{"optimizer.rate": 0.01}`. Errors: UsageError for an unknown key (with the nearest) or a wrong type."""
    for name, value in settings.items():
        if name in GROUPS and isinstance(value, str) and name != "policy":
            dotted = f'{name}={{"name": "{value}"}}, or **{{"{name}.name": "{value}"}}'
            raise wrong_type(name, value, "a mapping", do=dotted if "name" in hints(GROUPS[name]) else None)
        if name == "dataset" and isinstance(value, tuple | list):
            do = (
                "millrace.stream streams arrays; to train on them, save them as files and describe these in a YAML file"
            )
            raise wrong_type(name, value, "the name of a dataset, or the path of a dataset file or an export", do)
    return spread({name: _plain(name, value) for name, value in settings.items()})


def for_call(start: Settings | str | os.PathLike[str] | None, settings: Mapping[str, object]) -> Settings:
    """The settings of a call: its own over the environment's place over `start`, settings or the path of a YAML file.
    `Settings` alone are taken as they stand."""
    if isinstance(start, Settings):
        return layers.merge(start.chosen, layer_of(settings))
    expected = "the path of a YAML file, or Settings"
    file = layers.from_file(path_text("config", start, expected)) if start is not None else {}
    return layers.merge(file, environment(), layer_of(settings))


def for_run(path: Path, given: layers.Layer) -> Settings:
    """The configuration of the run in this folder, where it is to be used now: the recipe that it keeps; the place as
    it keeps it, over that the environment's, over that what is given.

    Errors: UsageError where something of the recipe is given."""
    for key, setting in given.items():
        if not known_keys()[key].place:
            raise UsageError(
                f"{key} is not possible here: a run keeps its recipe",
                got=f"{setting.value} (set by {setting.source})",
                do="begin another run with it: `millrace.train`",
            )
    file = layers.from_file(os.fspath(path / "config.yaml"))
    place = layers.over(environment(), given)
    if "runtime" in place:  # another place: the cluster that the run had is none of it
        file = {key: setting for key, setting in file.items() if key not in ("address", "servers")}
    return layers.merge(file, place)


def for_network(recipe: Mapping[str, Any], path: Path, given: layers.Layer) -> Settings:
    """The configuration to use a network in: the recipe that its file keeps; where to get data as its run's folder
    says, where `path` is one, over that the environment, over that what is given."""
    kept = layers.from_file(str(path / "config.yaml")) if RunFolder.is_run(path) else {}
    data = {k: setting for layer in (kept, environment()) for k, setting in layer.items() if k in DATA_KEYS}
    return layers.merge(layers.from_values(recipe_values(recipe), "the checkpoint"), data, given)


def dataset_of(settings: Settings, progress: Progress | None = None) -> Dataset:
    """The dataset that the settings name, from where they say; fetched, verified and decoded if need be.

    Errors: UsageError for an unknown name, DataError where it cannot be had."""
    place, spec = settings.place, spec_of(settings, settings.job.dataset)
    return datasets.load(spec, mirror=place.mirror, offline=place.offline, progress=progress)


def spec_of(settings: Settings, dataset: str) -> DatasetSpec:
    """The dataset of this name or path, its files read as the settings say. Errors: UsageError, FormatError."""
    with settings.sources_named():
        return datasets.find(dataset, settings.reading)


def environment() -> layers.Layer:
    """What the environment says of the place."""
    known = known_keys()
    return {key: setting for key, setting in layers.from_environment().items() if known[key].place}


def ignored() -> list[str]:
    """The variables of the environment that would change a recipe, and therefore count for new runs alone."""
    known = known_keys()
    return [setting.source for key, setting in layers.from_environment().items() if not known[key].place]


def layer_of(settings: Mapping[str, object]) -> layers.Layer:
    """The layer that keyword arguments make. Errors: as `keys_of`."""
    return layers.from_values(keys_of(settings), CALL)


def _plain(name: str, value: object) -> object:
    """Options as the mapping that a file would hold, a path as text."""
    if name == "dataset" and isinstance(value, str | os.PathLike):
        return datasets.named(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return os.fspath(value) if isinstance(value, os.PathLike) else value
