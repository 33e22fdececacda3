"""A run at an address: its truth lies there, its working copy on this machine.

All code reads and writes the working copy, a run's folder like any other. With each checkpoint it is sent: the best
checkpoint, then journal, metrics, epochs and incidents, then the checkpoint, whose document, with the digests of its
other files, comes last; so a checkpoint that a kill has torn has none, and is passed over. Opening a run brings the
copy to what lies at the address: what is newer here no other machine has seen, and it is computed again.

The journal has a name of its own for each driver there: a write that was under way when its driver was put to sleep
may end after another one has followed, whose bits could not be had again without its own. The highest name counts.
"""

import contextlib
import json
import re
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from millrace.errors import CheckpointError, TakenOverError, UsageError
from millrace.model import CHECKPOINT_DOCUMENT, CHECKPOINT_FILES, from_files, save_files
from millrace.runs.owner import OWNERS, RunOwner
from millrace.runs.working_copy import copy_faults, undisturbed
from millrace.storage import Folder, Stat, remove, try_lock, write_whole

CHECKPOINTS, BEST = "checkpoints", "best"
JOURNAL = "journal.bin"
JOURNALS = re.compile(r"journal(-\d{6}-[0-9a-f]{8})?\.bin")  # at an address; earlier releases gave it no number
# The journal first, and read last: who reads while a driver sends has all updates of the epochs that it sees.
GROWING = (JOURNAL, "metrics.jsonl", "epochs.jsonl", "stages.jsonl", "incidents.jsonl")
ATTEMPTS, AGAIN = 5, 0.2  # to read a run whose driver replaces files meanwhile; seconds between two
PATIENCE, PAUSE = 120.0, 5.0  # seconds that an address may not answer to its driver, and between two tries


class Mirror:
    """store: the truth. copy: the folder of the working copy. Errors: CheckpointError of either."""

    def __init__(self, store: Folder, copy: Path) -> None:
        self._store, self._copy = store, copy
        self._seen: dict[str, tuple[str, Stat]] = {}  # of files at the address, when they were the same here
        self._sent: dict[str, tuple[int, int]] = {}  # size and time here of what was sent last
        self._best = b""  # the document of the best checkpoint, as sent last
        self._older: list[str] = []  # journals at the address, of drivers that were here before
        self.ask: Callable[[], None] = _no_check  # before each write: whether this is still the run's owner
        self.journal = JOURNAL  # the owner's, by its name at the address

    def refuse_if_used(self) -> None:
        """UsageError where something lies at the address, other than the claim of a driver that has not begun."""
        if any(not name.startswith(f"{OWNERS}/") for name in self._store.stats()):
            raise not_empty(self._store.location)

    def refresh(self, lock: Path) -> None:
        """Bring the copy up to date to be read; while a process of this machine holds the lock it is newer than what
        lies at the address, and left alone."""
        with undisturbed(self._copy):
            free = try_lock(lock)
            if free is not None:
                free.release()
                self._pull(keep=lock.name)

    def begin(self, config: str | None, name: str, keep: str) -> None:
        """Bring the copy up to date for the run's owner. config: the text of a new run's configuration, put under its
        name; UsageError where another run lies there by now."""
        if config is not None:
            self.refuse_if_used()
        with undisturbed(self._copy):
            self._pull(keep)
            if config is not None:
                with copy_faults(self._copy):
                    write_whole(self._copy / name, config.encode())
        if config is None:
            self.sweep()
        else:
            self.send(name)

    def _pull(self, keep: str) -> None:
        """Make the copy what lies at the address: files, the newest whole checkpoint, the best one. All else in it is
        removed, but the file `keep`."""
        for _ in range(ATTEMPTS):
            with copy_faults(self._copy), contextlib.suppress(FileNotFoundError):
                return self._pull_once(keep)
            time.sleep(AGAIN)
        raise CheckpointError(f"{self._store.location} changes faster than it can be read", do="try it once more")

    def _pull_once(self, keep: str) -> None:
        stats = self._store.stats()
        files = {name: (name, stat) for name, stat in stats.items() if "/" not in name}
        self._older = sorted(filter(JOURNALS.fullmatch, files), key=lambda name: (name != JOURNAL, name))
        for name in self._older:
            files[JOURNAL] = files.pop(name)
        checkpoints, best = _whole(stats, CHECKPOINTS), _whole(stats, BEST)
        for path in list(self._copy.iterdir()):
            if path.name not in {*files, keep, CHECKPOINTS, *([BEST] if best else [])}:
                remove(path)
        for name, (there, stat) in sorted(files.items(), key=lambda item: item[0] == JOURNAL):
            if self._seen.get(name) != (there, stat) or not (self._copy / name).is_file():
                write_whole(self._copy / name, self._store.data(there))
                self._seen[name] = there, stat
        fetched = set()
        for name in reversed(checkpoints):
            fetched.add(name)
            if self._fetch(name, self._copy / name):
                break
        (self._copy / CHECKPOINTS).mkdir(exist_ok=True)
        for path in list((self._copy / CHECKPOINTS).iterdir()):
            if f"{CHECKPOINTS}/{path.name}" not in fetched:
                remove(path)
        if best:
            self._fetch(best[-1], self._copy / BEST)
            self._best = (self._copy / BEST / CHECKPOINT_DOCUMENT).read_bytes()

    def _fetch(self, name: str, target: Path) -> bool:
        """Have a checkpoint here as it lies there; whether it is whole. A damaged one is kept, to be named."""
        document = self._store.data(f"{name}/{CHECKPOINT_DOCUMENT}")
        here = _files(target)
        if here.get(CHECKPOINT_DOCUMENT) != document or not _is_whole(here):
            here = {file: self._store.data(f"{name}/{file}") for file in CHECKPOINT_FILES}
            save_files(target, here)
        return _is_whole(here)

    def send(self, name: str) -> None:
        """Put one file of the copy, where it has changed."""
        path = self._copy / name
        stat = path.stat() if path.is_file() else None
        if stat is not None and self._sent.get(name) != (stat.st_size, stat.st_mtime_ns):
            self.ask()
            self._store.put(self.journal if name == JOURNAL else name, [path.read_bytes()])
            self._sent[name] = stat.st_size, stat.st_mtime_ns

    def send_checkpoint(self, path: Path, kept: int) -> None:
        """Put a checkpoint and what belongs to it; then remove all but the `kept` newest that are whole."""
        self._send_best()
        for name in GROWING:
            self.send(name)
        name = f"{CHECKPOINTS}/{path.name}"
        self._put(name, _files(path))
        older = [other for other in _whole(self._store.stats(CHECKPOINTS), CHECKPOINTS) if other < name]
        self._clear(CHECKPOINTS, {name, *older[len(older) - kept + 1 :]})
        while self._older and JOURNAL in self._sent:  # what they say of checkpoints here the owner's says too
            self.ask()
            if (journal := self._older.pop()) != self.journal:
                self._store.remove(journal)

    def _send_best(self) -> None:
        files = _files(self._copy / BEST)
        if files and files[CHECKPOINT_DOCUMENT] != self._best:
            name = f"{BEST}/step-{int(json.loads(files[CHECKPOINT_DOCUMENT])['step']):010d}"
            self._put(name, files)
            self._clear(BEST, {name})
            self._best = files[CHECKPOINT_DOCUMENT]

    def sweep(self, last: int | None = None) -> None:
        """Remove torn checkpoints, and those of steps after the `last` that counts."""
        whole = _whole(self._store.stats(CHECKPOINTS), CHECKPOINTS)
        good = {name for name in whole if last is None or int(name.rpartition("-")[2]) <= last}
        self._clear(CHECKPOINTS, good)

    def _put(self, name: str, files: Mapping[str, bytes]) -> None:
        for file in sorted(files, key=lambda file: file == CHECKPOINT_DOCUMENT):
            self.ask()
            self._store.put(f"{name}/{file}", [files[file]])

    def _clear(self, under: str, keep: Collection[str]) -> None:
        """Remove all checkpoints but some; a document first, so that what is left by a kill is seen to be torn."""
        stats = self._store.stats(under)
        for file in sorted(stats, key=lambda name: not name.endswith(CHECKPOINT_DOCUMENT)):
            if file.rpartition("/")[0] not in keep:
                self.ask()
                self._store.remove(file)


def _whole(stats: Mapping[str, Stat], under: str) -> list[str]:
    """The folders of checkpoints that have all their files, oldest first."""
    files: dict[str, set[str]] = {}
    for name in stats:
        folder, _, file = name.rpartition("/")
        if folder.startswith(f"{under}/step-"):
            files.setdefault(folder, set()).add(file)
    return sorted(folder for folder, there in files.items() if there == set(CHECKPOINT_FILES))


def _files(folder: Path) -> dict[str, bytes]:
    """The files of a checkpoint's folder; none where one is missing."""
    try:
        return {name: (folder / name).read_bytes() for name in CHECKPOINT_FILES}
    except OSError:
        return {}


def _is_whole(files: Mapping[str, bytes]) -> bool:
    try:
        from_files(files)
    except CheckpointError:
        return False
    return True


def patiently(send: Callable[[], None], owner: RunOwner | None, notice: Callable[[str], None]) -> None:
    """Send to an address that may be out of reach for a while; `notice` hears of it. The owner is asked first whether
    it still is. Errors: TakenOverError at once, CheckpointError once patience ends; without an owner there is none."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            if owner is not None:
                owner.verify()
            send()
            return
        except TakenOverError:
            raise
        except CheckpointError as error:
            left = until - time.monotonic() - PAUSE
            if owner is None or left < 0:
                raise
            notice(f"{error.what} ({error.got}): trying again for {left:.0f} s")
        time.sleep(PAUSE)


def _no_check() -> None:
    """A process that has not taken the run has none to lose."""


def not_empty(location: str) -> UsageError:
    """The error for a folder in which a run shall be made."""
    return UsageError(
        f"{location} is not empty",
        expected="a new or an empty folder",
        do="choose another `out`, or `millrace.resume` if a run lies there",
    )
