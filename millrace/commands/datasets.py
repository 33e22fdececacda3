"""`millrace datasets`: what can be trained on, and what is in the cache already."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from millrace import datasets
from millrace.commands.path_page import show_path
from millrace.commands.screen import Screen, table
from millrace.datasets import BUILT_IN, DatasetSpec, PathSpec, dataset_folder
from millrace.datasets.exported import ExportSpec
from millrace.library import resolving
from millrace.reports.words import short, size
from millrace.settings import flags, layers
from millrace.user_cache import user_cache
from millrace.workers import READING_KEYS

MOST_NAMES, FIRST = 256, 20  # classes whose names are all shown; of more, the first so many


@dataclass(frozen=True)
class DatasetsOptions:
    """List the datasets that Millrace knows by name; with names or files, all that is known of those.

    With --clear their tables are removed from the cache, and what was downloaded for them; without a name the tables of
    all files of your own, which are decoded again when they are needed. What is in use stays."""

    names: tuple[str, ...] = flags.positional(
        "DATASET", "names, or paths of your own pictures, arrays or dataset files", many=True
    )
    clear: bool = flags.switch("remove tables from the cache")
    json: bool = flags.as_json()


def run(arguments: Sequence[str]) -> int:
    """Print the table, or the page of each dataset named."""
    options, given = flags.parse("datasets", DatasetsOptions, arguments, READING_KEYS)
    screen = Screen(as_json=options.json)
    if options.clear:
        return _clear(screen, options.names)
    settings = layers.resolve(None, given)
    mirror = settings.place.mirror
    specs = [resolving.spec_of(settings, name) for name in options.names] or list(datasets.registry().values())
    if not options.names and not options.json:
        _list(screen, specs, mirror)
        return 0
    for spec in specs:
        if isinstance(spec, PathSpec):
            show_path(screen, spec)
        elif options.json:
            screen.record(**_record(spec, mirror))
        else:
            _page(screen, spec, mirror)
    return 0


def _clear(screen: Screen, names: Sequence[str]) -> int:
    """Remove tables from the cache and say which; exit code 1 where one is in use."""
    if names:
        tables = [one for name in dict.fromkeys(names) for one in datasets.cached_tables(name)]
    else:
        tables = [one for one in datasets.cached_tables() if not one.downloaded]
    freed, kept = 0, 0
    for one in tables:
        why = datasets.clear(one)
        freed, kept = freed + (0 if why else one.bytes), kept + bool(why)
        screen.record(name=one.name, folder=one.folder, bytes=one.bytes, cleared=not why, why=why or None)
        screen.say(f"{one.name:<14} {size(one.bytes):>9}  {f'kept: {why}' if why else 'removed'}")
    screen.say(f"{size(freed)} freed in {short(user_cache())}" if tables else "nothing of that lies in the cache")
    return 1 if kept else 0


def _list(screen: Screen, specs: Sequence[DatasetSpec], mirror: str | None) -> None:
    made = table("name", "what", "training + test", "size", "here", right=("size",))
    for spec in specs:
        here = "built in" if spec.format in BUILT_IN else "cached" if datasets.is_cached(spec, mirror=mirror) else "–"
        made.add_row(spec.name, *_title(spec), _size(spec, "–"), here)
    screen.show(made)
    screen.say()
    screen.say(f"cache: {short(user_cache())}   (MILLRACE_CACHE=DIR sets another)", style="dim")
    screen.say("millrace fetch NAME downloads one; millrace datasets NAME shows all of it", style="dim")


def _title(spec: DatasetSpec) -> tuple[str, str]:
    """The title without the name that stands beside it: what the images show, and how many they are."""
    what, _, images = spec.title.partition(": ")
    named, _, rest = what.partition(" (")[0].partition(", ")
    same = rest and named.casefold().replace("-", "") == spec.name.casefold().replace("-", "")
    return rest if same else what.partition(" (")[0], images.removesuffix(" images").removesuffix(" points")


def _page(screen: Screen, spec: DatasetSpec, mirror: str | None) -> None:
    screen.say(spec.title, style="bold")
    facts = {
        "name": spec.name,
        "classes": _classes(spec),
        "policy": f"{spec.policy} (augmentation by default)",
        "format": spec.format,
        "size": f"{_size(spec, 'not stated')} decompressed",
        "cached": _cached(spec, mirror),
        "licence": spec.licence,
        "homepage": spec.homepage,
        "mirrors": ("\n" + 10 * " ").join(spec.mirrors),
    }
    screen.facts(*((name, value) for name, value in facts.items() if value))
    screen.say()


def _classes(spec: DatasetSpec) -> str:
    """The names, of very many the first."""
    more = len(spec.classes) - FIRST
    if len(spec.classes) <= MOST_NAMES:
        return ", ".join(spec.classes)
    return f"{', '.join(spec.classes[:FIRST])} and {more:,} more; --json has all"


def _cached(spec: DatasetSpec, mirror: str | None) -> str:
    if spec.format in BUILT_IN:
        return "built in"
    if isinstance(spec, ExportSpec):
        return f"an export, {short(spec.location)}"
    return f"yes, {short(dataset_folder(spec, mirror=mirror))}" if datasets.is_cached(spec, mirror=mirror) else "no"


def _record(spec: DatasetSpec, mirror: str | None) -> dict[str, object]:
    return {
        "name": spec.name,
        "title": spec.title,
        "format": spec.format,
        "classes": spec.classes,
        "shape": spec.shape,
        "policy": spec.policy,
        "bytes": _bytes(spec),
        "cached": datasets.is_cached(spec, mirror=mirror),
        "licence": spec.licence,
        "homepage": spec.homepage,
    }


def _size(spec: DatasetSpec, unknown: str) -> str:
    known = _bytes(spec)
    return unknown if known is None else size(known)


def _bytes(spec: DatasetSpec) -> int | None:
    """Decompressed bytes of the files, None where the specification does not say; else pixels and labels."""
    if isinstance(spec, ExportSpec) and spec.manifest is not None:
        return sum(count.rows for count in spec.manifest.splits.values()) * (
            math.prod(spec.manifest.shape) + (1 if len(spec.classes) <= 256 else 2)
        )
    if spec.format in BUILT_IN:
        return 2000 * 3 if spec.format == "points" else 1797 * 65
    known = [f.size or sum(member.size for member in f.members) for f in spec.files]
    return sum(known) if all(known) else None
