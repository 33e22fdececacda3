"""`millrace verify`: whether an export is what its manifest says."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from millrace.commands.export_display import ShardDisplay
from millrace.commands.screen import Screen
from millrace.cores import cores
from millrace.datasets.exported import Record, open_manifest
from millrace.errors import IntegrityError
from millrace.pipeline.export import Damage, unknown_files, verify_joined, verify_shard
from millrace.reports.words import counted, short
from millrace.settings import flags
from millrace.workers import in_threads

NAMED = 10  # damaged shards that are named


@dataclass(frozen=True)
class VerifyOptions:
    """Read an export whole: counts, digests of the files and of the pixels, and that everything decodes."""

    folder: str = flags.positional("DIR|URL", "folder of an export", required=True)
    workers: int = flags.option(0, "N", "shards in work at once (0: one per core)", least=0)
    json: bool = flags.as_json()


def run(arguments: Sequence[str]) -> int:
    """Verify every shard. Errors: IntegrityError (exit code 1) where one is damaged or missing, by name."""
    options, _ = flags.parse("verify", VerifyOptions, arguments)
    screen = Screen(as_json=options.json)
    threads = options.workers or cores()
    folder, manifest = open_manifest(options.folder)
    rows = sum(record.rows for record in manifest.shards)
    found: list[Damage] = []

    def check(index: int) -> tuple[Record, Damage | None]:
        return manifest.shards[index], verify_shard(folder, manifest, manifest.shards[index])

    with ShardDisplay(screen, "verifying", rows) as display:
        for record, damage in in_threads(check, range(len(manifest.shards)), threads, lambda: False):
            display.advance(record.rows)
            if damage is not None:
                found.append(damage)
                screen.record(**asdict(damage))
    for damage in verify_joined(folder, manifest):
        found.append(damage)
        screen.record(**asdict(damage))
    unknown = unknown_files(folder, manifest)
    if unknown:
        screen.note(f"{counted(len(unknown), 'file')} that belong to no export: {', '.join(unknown[:NAMED])}")
    shards = counted(len(manifest.shards), "shard")
    if found:
        raise _refusal(found, shards)
    place = short(folder.location) if folder.local else folder.location
    screen.record(folder=folder.location, rows=rows, shards=len(manifest.shards), damaged=0, digest=manifest.digest)
    screen.say(f"{place}: {counted(rows, 'row')} in {shards}, all as they should be")
    screen.facts(("digest", manifest.digest), ("speed", f"{display.speed:,.0f} images/s"))
    return 0


def _refusal(found: list[Damage], shards: str) -> IntegrityError:
    named = "\n            ".join(damage.what for damage in sorted(found, key=lambda damage: damage.shard)[:NAMED])
    more = "" if len(found) <= NAMED else f"\n            and {len(found) - NAMED} more"
    return IntegrityError(
        f"{len(found)} of {shards} damaged",
        got=named + more,
        do="give the export command again: it makes damaged shards again, to the same bytes",
    )
