"""One export into one folder: claimed by its plan, continued where it stopped, ended by its manifest.

A folder belongs to the export whose plan lies in it. A plan is written before it is looked whether another one lies
there, so that of two different exports that begin at once at least one sees the other and gives way; two of the same
plan write the same bytes and may both go on. On a local disk a lock keeps a second process out altogether.
"""

import json
import os
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from millrace.datasets.exported import MANIFEST, Manifest, Record, read_manifest
from millrace.errors import DeadlineError, FormatError, UsageError
from millrace.formats.shards import heading
from millrace.pipeline.export.plan import ExportPlan
from millrace.storage import HIDDEN, Folder, holding, locked, remove

PLAN = f"{HIDDEN}/plan-"
LOCK = f"{HIDDEN}/lock"
WAIT = 2.0  # seconds that another process may hold the folder before this one gives up

LOOKS, PAUSE = 8, 1.0  # a network's disk may show a new file some seconds late


class ExportSession:
    """A claimed folder. `known` has the records of a manifest that is there already, by index."""

    def __init__(self, plan: ExportPlan, folder: Folder, manifest: Manifest | None) -> None:
        self.plan, self.folder, self.manifest = plan, folder, manifest
        records = manifest.shards if manifest is not None else ()
        self.known = dict(enumerate(records)) if len(records) == len(plan.shards) else {}

    @classmethod
    @contextmanager
    def open(cls, plan: ExportPlan, folder: Folder) -> Iterator["ExportSession"]:
        """Claim the folder for a plan. Errors: UsageError where it holds something else, saying whose it is."""
        with ExitStack() as held:
            fresh = folder.local is not None and not Path(folder.path(HIDDEN)).exists()
            if folder.local is not None:
                _lock(folder, held)
            try:
                manifest = _claim(plan, folder)
            except UsageError:
                if fresh:  # refused: leave nothing behind
                    with suppress(OSError):
                        os.unlink(folder.path(LOCK))
                        os.rmdir(folder.path(HIDDEN))
                raise
            if folder.local is not None:
                folder.remove_tree(f"{HIDDEN}/aside")
            yield cls(plan, folder, manifest)

    def finish(self, records: Sequence[Record], beside: Iterable[tuple[str, bytes]]) -> Manifest:
        """Write what stands beside the shards and is not there, then the manifest; records by index. Nothing is written
        where the manifest says all of it already."""
        plan = self.plan
        if self.manifest is not None and tuple(records) == self.manifest.shards:
            _clear(self.folder)
            return self.manifest
        placed = self._assembled(records)
        self.folder.settle(sorted({record.file.rpartition("/")[0] for record in placed}))
        made = plan.manifest(placed)
        for name, data in beside:
            if self.folder.size(name) is None:  # what somebody edited stays
                self.folder.put(name, [data])
        self.folder.put(MANIFEST, [made.to_json()])
        _clear(self.folder)
        return made

    def _assembled(self, records: Sequence[Record]) -> list[Record]:
        """The records as the manifest has them, after shards that are parts of one file were joined to it."""
        placed: list[Record] = []
        for split in self.plan.splits:
            own = [record for record in records if record.split == split]
            whole = heading(self.plan.options.format, self.plan.manifest().info(split, 0, 0))
            if whole is None:
                placed += own
                continue
            name, first = whole
            moved, offset = [], len(first)
            for record in own:
                moved.append(replace(record, file=name, offset=offset))
                offset += record.bytes
            if moved != own or self.folder.size(name) != offset:
                self.folder.put(name, _joined(self.folder, first, own))
            placed += moved
        return placed


def _joined(folder: Folder, first: bytes, records: Sequence[Record]) -> Iterator[Any]:
    yield first
    for record in records:
        yield folder.read(record.file, offset=record.offset, count=record.bytes)


def _lock(folder: Folder, held: ExitStack) -> None:
    """On a local disk: keep every other process out of the folder until `held` is closed.

    Nothing of the export's own work runs within these handlers: what goes wrong there keeps its own error."""
    path, until = Path(folder.path(LOCK)), time.monotonic() + WAIT
    with folder.faults("cannot be written"):
        while True:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                held.enter_context(locked(path, seconds=WAIT))
            except FileNotFoundError:  # the one that was waited for ended, and took the lock's folder with it
                if time.monotonic() > until:
                    raise
            except DeadlineError as error:
                who = "this" if holding(path) == os.getpid() else "another"
                raise UsageError(
                    f"{who} process exports into {folder.location}", got=error.got, do="wait for it, or stop it"
                ) from None
            else:
                return


def _clear(folder: Folder) -> None:
    """Remove what an export needs while it is under way. On a disk the lock's file goes last: whoever makes a new one
    finds nothing there that is still being removed."""
    if folder.local is None:
        folder.remove_tree(HIDDEN)
        return
    with folder.faults("cannot be removed"), suppress(FileNotFoundError):
        for name in folder.names(HIDDEN, deep=False):
            if name != LOCK:
                remove(Path(folder.path(name)))
        os.unlink(folder.path(LOCK))
        with suppress(OSError):  # another process has begun there
            os.rmdir(folder.path(HIDDEN))


def _own_manifest(plan: ExportPlan, folder: Folder) -> Manifest | None:
    """The manifest of this export, None where there is none; UsageError where it is another's."""
    try:
        manifest = read_manifest(folder)
    except FormatError as error:
        raise FormatError(
            error.what, expected=error.expected, got=error.got, do="remove the manifest to have the export repaired"
        ) from error
    if manifest is not None and manifest.key != plan.key:
        raise refused(folder, plan, manifest.configuration, manifest.dataset)
    return manifest


def _claim(plan: ExportPlan, folder: Folder) -> Manifest | None:
    """Claim the folder; the manifest that is there already. On an object store another process may do the same at any
    moment, so the order matters: what an export is going to remove is looked for before what it has written by then.
    Each process writes a claim of its own, so that one that gives way takes no other's with it; and none where another
    plan is seen to lie, so that a kill leaves no claim in an export that is under way."""
    manifest = _own_manifest(plan, folder)
    others, plans = _others(folder), _plans(folder)
    if manifest is None and others and not plans:
        manifest = _own_manifest(plan, folder)  # its export ended in between
        if manifest is None:
            raise UsageError(
                f"{folder.location} is not empty",
                expected="a new or an empty folder, or one with an unfinished export",
                got=", ".join(others[:5]),
                do="choose another `out`",
            )
    if manifest is not None:
        return manifest
    _give_way(plan, folder, plans)
    claim = f"{_claim_prefix(plan)}-{secrets.token_hex(4)}.json"
    claimed = {"key": plan.key, "configuration": plan.configuration, "dataset": plan.dataset}
    folder.put(claim, [json.dumps(claimed, indent=1).encode()])
    try:
        _give_way(plan, folder, _plans(folder))
        return _own_manifest(plan, folder)
    except BaseException:
        folder.remove(claim)
        raise


def _give_way(plan: ExportPlan, folder: Folder, plans: Iterable[str]) -> None:
    """UsageError where one of these is another's."""
    for name in plans:
        if not name.startswith(_claim_prefix(plan)):
            with suppress(FileNotFoundError):  # it saw this one's claim and gave way itself
                other = json.loads(folder.read(name).to_pybytes())
                raise refused(folder, plan, other["configuration"], other["dataset"])


def check_claimed(plan: ExportPlan, folder: Folder, who: str) -> None:
    """UsageError where a folder, as another machine sees it, is not the one that was claimed for the plan."""
    for _ in range(LOOKS):
        claimed = any(name.startswith(_claim_prefix(plan)) for name in _plans(folder))
        if claimed or folder.size(MANIFEST) is not None:
            return
        time.sleep(PAUSE)
    raise UsageError(
        f"{folder.location} is not the same folder on every machine",
        expected="one that all nodes see",
        got=f"{who} does not find the export in it",
        do="give `out` an address such as s3://bucket/folder, or a path on a disk that all nodes share",
    )


def _claim_prefix(plan: ExportPlan) -> str:
    return f"{PLAN}{plan.key[:16]}"


def _plans(folder: Folder) -> list[str]:
    return [name for name in folder.names(HIDDEN, deep=False) if name.startswith(PLAN)]


def _others(folder: Folder) -> list[str]:
    return [name for name in folder.names("", deep=False) if name != HIDDEN]


def refused(
    folder: Folder, plan: ExportPlan, configuration: Mapping[str, Any], dataset: Mapping[str, Any]
) -> UsageError:
    """The error for a folder that another export lies in: whose it is, and what differs."""
    there = {"dataset": dataset["name"], "content": str(dataset["digest"])[:16], **_flat(configuration)}
    here = {"dataset": plan.dataset["name"], "content": plan.dataset["digest"][:16], **_flat(plan.configuration)}
    different = [
        f"{key}: {_shown(there.get(key))} there, {_shown(here.get(key))} here"
        for key in here
        if there.get(key) != here.get(key)
    ]
    epochs = there.get("epochs")
    passes = f"{epochs} epoch{'' if epochs == 1 else 's'}"
    whose = f"{there['dataset']} as {there.get('format')}, {passes}, seed {there.get('seed')}"
    return UsageError(
        f"{folder.location} holds another export: {whose}",
        expected="the same options as before, to go on with it",
        got="; ".join(different) or "another version of the plan",
        do="choose another `out`",
    )


def _flat(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """The values of mappings within as values of their own: `policy.rotate`."""
    found: dict[str, Any] = {}
    for key, value in configuration.items():
        found |= {f"{key}.{name}": one for name, one in value.items()} if isinstance(value, Mapping) else {key: value}
    return found


def _shown(value: object) -> str:
    return json.dumps(value) if not isinstance(value, str) else value
