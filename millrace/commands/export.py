"""`millrace export`: the stream as files that other tools read."""

import importlib
import shlex
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from millrace import datasets
from millrace.commands.downloads import Downloads
from millrace.commands.export_display import ShardDisplay
from millrace.commands.screen import Screen, table
from millrace.commands.stopping import Stopping
from millrace.datasets import Dataset
from millrace.datasets.exported import ExportedDataset, Manifest
from millrace.errors import UsageError, unknown_name
from millrace.pipeline.export import Done, ExportOptions, ExportPlan, ExportSession, ShardWriter, make_plan
from millrace.pipeline.statistics import pixel_statistics
from millrace.reports.dataset_card import CARD, SHEET, card, sheet
from millrace.reports.words import argument, counted, duration, in_words, short, size
from millrace.settings import flags, layers
from millrace.settings.keys import known_keys
from millrace.settings.layers import Settings
from millrace.storage.folder import Folder
from millrace.version import __version__

KEYS = (
    "seed",
    *(key for key in known_keys() if key.startswith("policy")),
    "subset",
    "validation",
    "mirror",
    "offline",
)
# Where shards are written: modules with `executor(writer, workers, address)`.
RUNTIMES = {"local": "millrace.workers.export_local", "ray": "millrace.workers.ray_runtime.export"}


@dataclass(frozen=True)
class ExportCommand:
    """Write what training would see, byte for byte, as files that other tools read.

    Rows stand in the order of training. The same command goes on where it was stopped, and ends in the same bytes
    for any number of workers; `millrace train --dataset DIR` trains on them."""

    dataset: str = flags.positional("DATASET", "name of a dataset, or the YAML file of your own", required=True)
    format: str = flags.option("parquet", "NAME", "parquet, arrow, huggingface, webdataset, npz or imagefolder")
    out: str | None = flags.option(None, "DIR|URL", "folder to write: a path, file://, s3:// or gs:// address")
    epochs: int = flags.option(1, "K", "passes over the training samples, each with draws of its own")
    originals: bool = flags.switch("also the untouched images")
    augment_test: bool = flags.switch("augment the test split too; by default it is untouched")
    shard_rows: int | None = flags.option(None, "N", "rows of a shard; by default some 16 MiB of pixels")
    workers: int = flags.option(
        0, "N", "shards in work at once (0: as fits the cores); any number gives the same bytes"
    )
    runtime: str = flags.option("local", "NAME", "where to work: local (threads) or ray")
    address: str | None = flags.option(
        None, "ADDRESS", "Ray cluster to work on: auto or HOST:PORT; by default an own Ray"
    )
    dry_run: bool = flags.switch("say the sizes and write nothing")
    json: bool = flags.as_json()


def run(arguments: Sequence[str]) -> int:
    """Write the export; exit code 130 or 143 after a signal, when the shards begun are whole."""
    options, given = flags.parse("export", ExportCommand, arguments, KEYS)
    screen = Screen(as_json=options.json)
    if options.out is None and not options.dry_run:
        raise UsageError("millrace export needs --out DIR", expected="a folder to write to")
    if options.workers < 0:
        raise UsageError("--workers is out of range", expected="at least 0", got=options.workers)
    if options.runtime not in RUNTIMES:
        raise unknown_name("runtime", options.runtime, RUNTIMES)
    if options.address is not None and options.runtime != "ray":
        raise UsageError("an address is for Ray alone", got=options.address, do="add --runtime ray")
    settings = layers.resolve(None, {"dataset": options.dataset, **given})
    asked = ExportOptions(
        format=options.format,
        policy=settings.job.policy,
        epochs=options.epochs,
        seed=settings.job.seed,
        subset=settings.job.subset,
        validation=settings.job.validation,
        originals=options.originals,
        augment_test=options.augment_test,
        shard_rows=options.shard_rows,
    )
    folder = Folder(options.out) if options.out is not None else None
    dataset = _dataset(screen, settings)
    plan = _plan(asked, dataset, settings)
    _announce(screen, plan, folder)
    if folder is None or options.dry_run:
        return _dry_run(screen, plan, dataset, folder)
    return _write(screen, plan, dataset, folder, options)


def _dataset(screen: Screen, settings: Settings) -> Dataset:
    with Downloads(screen) as progress:
        spec = datasets.find(settings.job.dataset)
        dataset = datasets.load(spec, mirror=settings.place.mirror, offline=settings.place.offline, progress=progress)
    if isinstance(dataset, ExportedDataset):
        source = dataset.manifest.dataset["source"]
        raise UsageError(
            f"{settings.job.dataset} is an export already",
            expected="the dataset itself",
            do=f"millrace export {source} makes another export",
        )
    return dataset


def _plan(asked: ExportOptions, dataset: Dataset, settings: Settings) -> ExportPlan:
    images, marks = datasets.images(dataset.train), datasets.labels(dataset.train)
    if dataset.shape[0] not in (1, 3) and asked.format in ("huggingface", "webdataset", "imagefolder"):
        raise UsageError(
            f"{asked.format} holds pictures", expected="1 or 3 channels", got=dataset.shape[0], do="--format parquet"
        )
    chosen = datasets.split(marks, subset=asked.subset, validation=asked.validation, seed=asked.seed).train
    means, deviations = pixel_statistics(images, np.ascontiguousarray(chosen))
    source = settings.job.dataset
    return make_plan(asked, dataset, source=source, statistics=(means, deviations), millrace=__version__)


def _announce(screen: Screen, plan: ExportPlan, folder: Folder | None) -> None:
    rows = ", ".join(f"{count.rows:,} {split}" for split, count in plan.splits.items())
    screen.facts(
        ("data", f"{plan.dataset['name']}: {rows}; {counted(plan.options.epochs, 'epoch')}"),
        ("augment", f"{in_words(plan.options.policy)}; seed {plan.options.seed}"),
        ("format", f"{plan.options.format}, {counted(len(plan.shards), 'shard')} of {plan.shard_rows:,} rows"),
    )
    if folder is not None:
        screen.facts(("out", short(folder.location) if folder.local else folder.location))


def _dry_run(screen: Screen, plan: ExportPlan, dataset: Dataset, folder: Folder | None) -> int:
    sizes = ShardWriter(plan, dataset, folder or Folder(".")).estimate()
    total, free = sum(sizes.values()), _free(folder)
    made = table("split", "rows", "shards", "size", right=("rows", "shards", "size"))
    for split, count in plan.splits.items():
        shards = sum(shard.split == split for shard in plan.shards)
        made.add_row(split, f"{count.rows:,}", f"{shards:,}", f"about {size(sizes[split])}")
    screen.say()
    screen.show(made)
    screen.say()
    room = "" if free is None else f", {size(free)} are free"
    screen.say(
        f"about {size(total)} in all ({size(plan.rows * plan.image_bytes)} of pixels){room}; nothing was written"
    )
    screen.record(
        dry_run=True,
        rows={split: count.rows for split, count in plan.splits.items()},
        shards=len(plan.shards),
        bytes=total,
        pixels=plan.rows * plan.image_bytes,
        free=free,
    )
    if free is not None and total > free:
        screen.note(f"there is not enough room in {folder}")
    return 0


def _free(folder: Folder | None) -> int | None:
    """Free bytes where the folder is, or will be; None on object stores."""
    if folder is None or folder.local is None:
        return None
    there = next((path for path in (folder.local, *folder.local.parents) if path.is_dir()), Path("/"))
    return shutil.disk_usage(there).free


def _write(screen: Screen, plan: ExportPlan, dataset: Dataset, folder: Folder, options: ExportCommand) -> int:
    with ExportSession.open(plan, folder) as session, Stopping() as stopping:
        writer = ShardWriter(plan, dataset, folder, session.known)
        with ShardDisplay(screen, "writing", plan.rows) as display:
            done = _shards(plan, writer, display, options, stopping.event.is_set)
        if len(done) < len(plan.shards):
            return _stopped(screen, plan, done, stopping)
        words = in_words(plan.options.policy)
        beside = ((CARD, card(plan, words).encode()), (SHEET, sheet(plan, dataset, words)))
        manifest = session.finish([done[index].record for index in range(len(done))], beside)
    _finished(screen, plan, folder, manifest, done, display)
    return 0


def _shards(
    plan: ExportPlan, writer: ShardWriter, display: ShardDisplay, options: ExportCommand, stopped: Callable[[], bool]
) -> dict[int, Done]:
    """All shards done, by index; fewer after a stop."""
    try:
        module = importlib.import_module(RUNTIMES[options.runtime])
    except ModuleNotFoundError as error:
        raise UsageError(
            f"--runtime {options.runtime} cannot be used here", got=str(error), do="--runtime local"
        ) from error
    executor = module.executor(writer, options.workers, options.address)
    done: dict[int, Done] = {}
    for one in executor.run(range(len(plan.shards)), stopped):
        done[one.index] = one
        display.advance(one.record.rows, made=one.made)
    return done


def _stopped(screen: Screen, plan: ExportPlan, done: dict[int, Done], stopping: Stopping) -> int:
    screen.record(stopped=True, shards=len(done), of=len(plan.shards))
    screen.say(f"stopped: {len(done):,} of {counted(len(plan.shards), 'shard')} are whole")
    screen.say("the same command goes on from there", style="dim")
    return stopping.code


def _finished(
    screen: Screen, plan: ExportPlan, folder: Folder, manifest: Manifest, done: dict[int, Done], display: ShardDisplay
) -> None:
    made = sum(one.made for one in done.values())
    total = sum(record.bytes for record in manifest.shards)
    screen.record(
        folder=folder.location,
        rows=plan.rows,
        shards=len(done),
        made=made,
        bytes=total,
        seconds=round(display.seconds, 3),
        images_per_second=round(display.speed, 1),
        digest=manifest.digest,
    )
    kept = len(done) - made
    screen.say()
    if kept:
        screen.facts(("kept", f"{counted(kept, 'shard')} that lay there already, verified"))
    if made:
        speed = f"{display.speed:,.0f} images/s"
        screen.facts(("written", f"{counted(made, 'shard')}, {duration(display.seconds)}, {speed}"))
    place = argument(folder.location) if folder.local else shlex.quote(folder.location)
    screen.facts(
        ("next", f"millrace verify {place}"),
        ("", f"millrace explain {place} 0"),
        ("", f"millrace train --dataset {place} --epochs {plan.options.epochs}"),
    )
    screen.say(f"exported {counted(plan.rows, 'row')}", style="bold")
