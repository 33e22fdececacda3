"""`millrace fetch`: download, verify, decode and keep datasets."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from millrace import datasets
from millrace.commands.downloads import Downloads
from millrace.commands.screen import Screen
from millrace.datasets import BUILT_IN, DatasetSpec, dataset_folder
from millrace.datasets.exported import ExportSpec
from millrace.errors import DataError
from millrace.library import resolving
from millrace.reports.words import duration, short
from millrace.settings import flags, layers
from millrace.settings.keys import DATA_KEYS
from millrace.settings.layers import Settings
from millrace.workers import READING_KEYS


@dataclass(frozen=True)
class FetchOptions:
    """Download datasets, verify their digests, and keep them decoded in the cache.

    What is in the cache already is not downloaded again; what was cut off goes on where it stopped."""

    names: tuple[str, ...] = flags.positional(
        "DATASET", "names, or paths of your own; without one, those of everyday use", many=True
    )
    json: bool = flags.as_json()


def run(arguments: Sequence[str]) -> int:
    """Fetch each dataset named, one after the other; one that fails does not keep the others from coming."""
    options, given = flags.parse("fetch", FetchOptions, arguments, (*DATA_KEYS, *READING_KEYS))
    screen = Screen(as_json=options.json)
    settings = layers.resolve(None, given)
    specs = [resolving.spec_of(settings, name) for name in options.names] or list(datasets.everyday())
    failed: list[str] = []
    for spec in specs:
        try:
            _fetch(screen, spec, settings)
        except DataError as error:
            if len(specs) == 1:
                raise
            failed.append(spec.name)
            screen.note(f"{spec.name} did not come\n{error}")
    if failed:
        raise DataError("not all datasets could be fetched", expected=len(specs), got=f"all but {', '.join(failed)}")
    return 0


def _fetch(screen: Screen, spec: DatasetSpec, settings: Settings) -> None:
    """Fetch one dataset and say what came."""
    cached = datasets.is_cached(spec, mirror=settings.place.mirror)
    begun = time.monotonic()
    with Downloads(screen) as progress:
        loaded = datasets.load(spec, mirror=settings.place.mirror, offline=settings.place.offline, progress=progress)
    seconds = time.monotonic() - begun
    train, test = loaded.train.num_rows, loaded.test.num_rows
    shape = datasets.images(loaded.train).shape[1:]
    how, folder = "in the cache already" if cached else f"fetched in {duration(seconds)}", None
    if spec.format in BUILT_IN:
        how = "built in"
    elif isinstance(spec, ExportSpec):
        how, folder = "an export: nothing to fetch", spec.location
    else:
        folder = str(dataset_folder(spec, mirror=settings.place.mirror))
    form = "×".join(map(str, shape))
    screen.say(f"{spec.name:<14} {train:,} + {test:,} images, {form}, {len(spec.classes)} classes, {how}")
    if folder is not None:
        screen.say(f"{'':<14} {short(folder)}", style="dim")
    screen.record(
        dataset=spec.name, train=train, test=test, shape=shape, digest=loaded.digest, cached=cached, folder=folder
    )
