"""The run's folder: configuration, metrics, checkpoints and result, safe against crashes and second owners.

config.yaml          the resolved configuration
metrics.jsonl        one line a step
epochs.jsonl         one line an epoch
incidents.jsonl      one line for each failure that was survived
stages.jsonl         where the time went, a line for each second or so; see `runs.stages`
journal.bin          of a stale run: which update read which weights; see `runs.journal`
checkpoints/step-…   the newest checkpoints, each a folder
best/                the checkpoint of the best epoch, where the run stops early
result.json          written last: the run is finished
owners/              who trains, or trained last; see `runs.owner`
lock                 held by the process that trains; on this machine it is free the moment that process ends

The folder lies on a disk, or at an address of any filesystem that pyarrow knows (`s3://bucket/run`); then `path` is a
working copy in the user's cache, and `runs.mirror` keeps it and the address together; the journal is
`journal-<incarnation>-<owner>.bin` there.
"""

import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from filelock import FileLock

from millrace.errors import CheckpointError, MismatchError, UsageError
from millrace.model import Checkpoint, load, save
from millrace.runs.json_lines import append_line
from millrace.runs.mirror import BEST, CHECKPOINTS, Mirror, not_empty, patiently
from millrace.runs.owner import SETTLE, Claim, RunOwner, newest_claim
from millrace.runs.working_copy import is_address, undisturbed, working_copy
from millrace.storage import Folder, faults, holder, is_shared, is_temporary, sweep, try_lock, write_whole

CONFIG, METRICS, EPOCHS, RESULT, LOCK = "config.yaml", "metrics.jsonl", "epochs.jsonl", "result.json", "lock"
INCIDENTS, STAGE_LINES, JOURNAL = "incidents.jsonl", "stages.jsonl", "journal.bin"
KEPT = 2  # checkpoints kept: the newest, and one more in case the newest is damaged


class RunFolder:
    """A folder that holds one run. `create` makes it, `open` finds it, `own` takes it for training.

    location: what people type, an address or an absolute path. path: where its files are read and written."""

    def __init__(self, location: Path | str) -> None:
        self._store = Folder(str(location), CheckpointError)
        self.location = self._store.location
        self.path = self._store.local or working_copy(self.location)
        self._mirror = Mirror(self._store, self.path) if self._store.local is None else None
        self.notice: Callable[[str], None] = _ignore
        self._new: str | None = None
        self._lock: FileLock | None = None
        self._owner: RunOwner | None = None

    @classmethod
    def create(cls, location: Path | str, config_yaml: str) -> "RunFolder":
        """Make the folder of a new run; UsageError where something else lies there. At an address it is made by
        `own`: of two drivers that begin at once only one writes."""
        folder = cls(location)
        if folder._mirror is not None:
            folder._mirror.refuse_if_used()
            folder._new = config_yaml
            return folder
        if folder.path.exists() and (not folder.path.is_dir() or not all(map(_is_left, folder.path.iterdir()))):
            raise not_empty(folder.location)
        do = "choose another `out`"
        with faults(f"the run's folder {folder.path}", "cannot be made", CheckpointError, do=do, full=do):
            folder.path.mkdir(parents=True, exist_ok=True)
            # It makes the folder a run, so what is killed before leaves room for another try.
            write_whole(folder.path / CONFIG, config_yaml.encode())
            (folder.path / CHECKPOINTS).mkdir(exist_ok=True)
        return folder

    @classmethod
    def open(cls, location: Path | str) -> "RunFolder":
        """The run in this folder; UsageError where there is none. Of an address the newest state is fetched, unless
        a process of this machine trains the run: then the copy is newer."""
        folder = cls(location)
        if folder._mirror is not None:
            folder._mirror.refresh(folder.path / LOCK)
        if not folder.is_run(folder.path):
            raise UsageError(
                f"{folder.location} holds no run", expected=f"a folder with {CONFIG}", do="look at the path once more"
            )
        return folder

    @staticmethod
    def is_run(location: Path | str) -> bool:
        """Whether a run lies in this folder."""
        if is_address(location):
            return Folder(str(location)).size(CONFIG) is not None
        return (Path(location) / CONFIG).is_file()

    @property
    def shared(self) -> bool:
        """Whether other machines may see the folder too: it is at an address, or on a network filesystem."""
        return self._mirror is not None or is_shared(self.path)

    @property
    def metrics(self) -> Path:
        return self.path / METRICS

    @property
    def epochs(self) -> Path:
        return self.path / EPOCHS

    @property
    def incidents(self) -> Path:
        return self.path / INCIDENTS

    @property
    def stages(self) -> Path:
        return self.path / STAGE_LINES

    @property
    def journal(self) -> Path:
        return self.path / JOURNAL

    def config_text(self) -> str:
        """The resolved configuration, YAML."""
        return (self.path / CONFIG).read_text()

    def own(self) -> None:
        """Take the run for this process; UsageError where another process trains it, here or on another machine.
        `release` lets it go; so does the end of the process, on this machine at once."""
        with undisturbed(self.path) if self._mirror is not None else nullcontext():
            self._lock = try_lock(self.path / LOCK)
        if self._lock is None:
            raise _held(self.location, holder(self.path / LOCK))
        try:
            settle = SETTLE if self.shared else 0.0
            self._owner = RunOwner.take(self._store, locked=self._mirror is None, settle=settle)
            self._begin()
        except BaseException:
            self.release()
            raise

    def _begin(self) -> None:
        """What the new owner finds is made what it goes on from."""
        if self._mirror is None:
            sweep(self.path / CHECKPOINTS)
            for name in (BEST, RESULT, METRICS, EPOCHS, JOURNAL):
                sweep(self.path, name)
        else:
            self._mirror.ask = self.check_owner
            if self._owner is not None:
                self._mirror.journal = f"journal-{self._owner.claim.key}.bin"
            self._mirror.begin(self._new, CONFIG, keep=LOCK)
            self._new = None
        before = self._owner.before if self._owner else None
        if before is not None and not before.released:
            cause, step = f"{before.process} ended without a word", max(map(_step, self.checkpoints()), default=0)
            self.note_incident("driver went on", f"incarnation {self.incarnation}", "", cause, step)
            self.publish(INCIDENTS)

    def release(self) -> None:
        """Let another process have the run."""
        if self._owner is not None:
            self._owner.release()
            self._owner = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    @property
    def incarnation(self) -> int:
        """How often the run was taken, this time included; 0 where this process has not taken it."""
        return self._owner.claim.incarnation if self._owner else 0

    @property
    def lost(self) -> bool:
        """Whether another driver is known to have taken the run from this one."""
        return self._owner is not None and self._owner.lost

    def last_owner(self) -> Claim | None:
        """Who trains the run, or trained it last; None where it was never trained."""
        return newest_claim(self._store)

    def check_owner(self) -> None:
        """Raise TakenOverError where the run is lost to another driver; to be asked before anything is written."""
        if self._owner is not None:
            self._owner.check()

    def note_incident(self, kind: str, who: str, node: str, cause: str, step: int) -> None:
        """Write down what went wrong and was survived."""
        line = {"time": time.time(), "step": step, "kind": kind, "who": who, "node": node, "cause": cause}
        append_line(self.incidents, line)

    def checkpoints(self) -> list[Path]:
        """The folders of the checkpoints, oldest first."""
        return sorted(path for path in (self.path / CHECKPOINTS).glob("step-*") if path.is_dir())

    def latest(self, *, dataset_digest: str | None = None, model: str | None = None) -> Checkpoint | None:
        """The newest checkpoint that is whole; None where there is none. A damaged one is passed over if an older
        one is whole, else its error is raised; so is that of a checkpoint of another dataset or model."""
        damaged: CheckpointError | None = None
        for path in reversed(self.checkpoints()):
            try:
                return load(path, dataset_digest=dataset_digest, model=model)
            except MismatchError:
                raise
            except CheckpointError as error:
                damaged = damaged or error
        if damaged is not None:
            raise damaged
        return None

    def write(self, checkpoint: Checkpoint) -> Path:
        """Write a checkpoint, and at an address all that belongs to it, then drop all but the newest ones. Errors:
        TakenOverError, before anything is written, where the run is lost to another driver."""
        self._verified()
        path = save(self.path / CHECKPOINTS / f"step-{checkpoint.step:010d}", checkpoint)
        for old in self.checkpoints()[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)
        self._sent(lambda mirror: mirror.send_checkpoint(path, KEPT))
        return path

    def write_best(self, checkpoint: Checkpoint) -> Path:
        """Keep this checkpoint as the best so far; an address has it with the next checkpoint."""
        self._verified()
        return save(self.path / BEST, checkpoint)

    def best(self) -> Checkpoint | None:
        """The checkpoint that early stopping holds for the best; None where the run keeps none."""
        return load(self.path / BEST) if (self.path / BEST).is_dir() else None

    def drop_after(self, step: int) -> None:
        """Remove checkpoints of later steps: the run goes on from this one."""
        for path in self.checkpoints():
            if _step(path) > step:
                shutil.rmtree(path, ignore_errors=True)
        if self._mirror is not None and self._owner is not None:
            self._mirror.sweep(last=step)

    @property
    def finished(self) -> bool:
        return (self.path / RESULT).is_file()

    def result(self) -> dict[str, Any]:
        """What `finish` wrote."""
        return dict(json.loads((self.path / RESULT).read_bytes()))

    def finish(self, result: Mapping[str, object]) -> None:
        """Write the result: the run needs no more steps. CheckpointError where the disk has no room for it."""
        self._verified()
        do = "free space on the disk, then go on with `millrace.resume`"
        with faults(f"the result {self.path / RESULT}", "cannot be written", CheckpointError, do=do, full=do):
            write_whole(self.path / RESULT, (json.dumps(result, indent=1) + "\n").encode())
        self.publish(RESULT)

    def publish(self, name: str) -> None:
        """Have a file that was written into `path` at the run's address too."""
        self._sent(lambda mirror: mirror.send(name))

    def _verified(self) -> None:
        """Raise TakenOverError where the run is lost. At an address it is asked when something is sent: the working
        copy is this machine's alone."""
        if self._owner is not None and self._mirror is None:
            self._owner.verify()

    def _sent(self, send: Callable[[Mirror], None]) -> None:
        """Send to the address, where there is one. The owner does it patiently, and asks first whether it still is."""
        if (mirror := self._mirror) is not None:
            patiently(lambda: send(mirror), self._owner, self.notice)


def _is_left(path: Path) -> bool:
    """Whether a killed `create` has left this."""
    return path.name.startswith(f".{CONFIG}.") and is_temporary(path)


def _step(checkpoint: Path) -> int:
    """The step that a checkpoint's folder is named after."""
    return int(checkpoint.name.removeprefix("step-"))


def _held(location: str, by: str) -> UsageError:
    """The error for a run whose lock file is held by a process of this machine, perhaps by another thread of this."""
    here = by == f"process {os.getpid()}"
    who, do = ("this", "wait for that call to end") if here else ("another", "wait for it, or stop it")
    return UsageError(f"{who} process trains the run in {location}", expected="one driver at a time", got=by, do=do)


def _ignore(text: str) -> None:
    """A notice that no display asked for."""
