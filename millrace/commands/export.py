"""`millrace export`: the stream as files that other tools read."""

import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from millrace.commands.downloads import Downloads
from millrace.commands.export_display import ShardDisplay
from millrace.commands.screen import Screen, table
from millrace.commands.stopping import Stopping
from millrace.datasets import Dataset
from millrace.datasets.exported import Manifest
from millrace.errors import UsageError
from millrace.library.exporting import KEYS, Exported, ExportPlace, asked_of, plan_of, source_of, write
from millrace.pipeline.export import ExportOptions, ExportPlan, ShardWriter
from millrace.reports.words import argument, counted, duration, in_words, short, size
from millrace.settings import flags, layers
from millrace.storage import Folder


@dataclass(frozen=True)
class ExportCommand:
    """Write what training would see, byte for byte, as files that other tools read.

    Rows stand in the order of training. The same command goes on where it was stopped, and ends in the same bytes
    for any number of workers; `millrace train --dataset DIR` trains on them."""

    dataset: str = flags.positional("DATASET", "name of a dataset, or the path of your own", required=True)
    out: str | None = flags.option(None, "DIR|URL", "folder to write: a path, file://, s3:// or gs:// address")
    format: str = flags.like(ExportOptions, "format")
    epochs: int = flags.like(ExportOptions, "epochs")
    originals: bool = flags.like(ExportOptions, "originals")
    augment_test: bool = flags.like(ExportOptions, "augment_test")
    shard_rows: int | None = flags.like(ExportOptions, "shard_rows")
    workers: int = flags.like(ExportPlace, "workers")
    runtime: str = flags.like(ExportPlace, "runtime")
    address: str | None = flags.like(ExportPlace, "address")
    dry_run: bool = flags.switch("say the sizes and write nothing")
    json: bool = flags.as_json()


def run(arguments: Sequence[str]) -> int:
    """Write the export; exit code 130 or 143 after a signal, when the shards begun are whole."""
    options, given = flags.parse("export", ExportCommand, arguments, KEYS)
    screen = Screen(as_json=options.json)
    if options.out is None and not options.dry_run:
        raise UsageError("millrace export needs --out DIR", expected="a folder to write to")
    place = ExportPlace(options.workers, options.runtime, options.address)
    settings = layers.resolve(None, {"dataset": options.dataset, **given})
    job = settings.job
    chosen = {name: getattr(options, name) for name in ("format", "epochs", "originals", "augment_test", "shard_rows")}
    asked = asked_of(job, **chosen)
    folder = Folder(options.out) if options.out is not None else None
    with Downloads(screen) as progress:
        dataset = source_of(settings, progress)
    plan = plan_of(asked, dataset, job.dataset)
    _announce(screen, plan, folder)
    if folder is None or options.dry_run:
        return _dry_run(screen, plan, dataset, folder)
    with Stopping() as stopping, ShardDisplay(screen, "writing", plan.rows) as display:
        written = write(plan, dataset, folder, place, stopping.event, display.take, screen.note)
    if written.manifest is None:
        return _stopped(screen, written, stopping)
    _finished(screen, written, written.manifest, folder, display)
    return 0


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
    shown = table("split", "rows", "shards", "size", right=("rows", "shards", "size"))
    for split, count in plan.splits.items():
        shards = sum(shard.split == split for shard in plan.shards)
        shown.add_row(split, f"{count.rows:,}", f"{shards:,}", f"about {size(sizes[split])}")
    screen.say()
    screen.show(shown)
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


def _stopped(screen: Screen, written: Exported, stopping: Stopping) -> int:
    shards = len(written.plan.shards)
    screen.record(stopped=True, shards=len(written.done), of=shards)
    screen.say(f"stopped: {len(written.done):,} of {counted(shards, 'shard')} are whole")
    screen.say("the same command goes on from there", style="dim")
    return stopping.code


def _finished(screen: Screen, written: Exported, manifest: Manifest, folder: Folder, display: ShardDisplay) -> None:
    plan, shards = written.plan, len(written.done)
    made = sum(one.made for one in written.done)
    screen.record(
        folder=written.location,
        rows=plan.rows,
        shards=shards,
        made=made,
        bytes=sum(record.bytes for record in manifest.shards),
        seconds=round(display.seconds, 3),
        images_per_second=round(display.speed, 1),
        digest=manifest.digest,
    )
    screen.say()
    if shards - made:
        screen.facts(("kept", f"{counted(shards - made, 'shard')} that lay there already, verified"))
    if made:
        speed = f"{display.speed:,.0f} images/s"
        screen.facts(("written", f"{counted(made, 'shard')}, {duration(display.seconds)}, {speed}"))
    path = argument(written.location) if folder.local else shlex.quote(written.location)
    screen.facts(
        ("next", f"millrace verify {path}"),
        ("", f"millrace explain {path} 0"),
        ("", f"millrace train --dataset {path} --epochs {plan.options.epochs}"),
    )
    screen.say(f"exported {counted(plan.rows, 'row')}", style="bold")
