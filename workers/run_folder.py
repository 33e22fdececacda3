"""The run's folder: configuration, metrics, checkpoints and result, safe against crashes and second owners.

config.yaml          the resolved configuration
metrics.jsonl        one line a step
epochs.jsonl         one line an epoch
checkpoints/step-…   the newest checkpoints, each a folder
best/                the checkpoint of the best epoch, where the run stops early
result.json          written last: the run is finished
lock                 held by the process that trains
"""

import fcntl
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from errors import CheckpointError, UsageError
from model import Checkpoint, load, save, sweep

CONFIG, METRICS, EPOCHS, RESULT, LOCK = "config.yaml", "metrics.jsonl", "epochs.jsonl", "result.json", "lock"
CHECKPOINTS = "checkpoints"
BEST = "best"
INCIDENTS = "incidents.jsonl"
KEPT = 2  # checkpoints kept: the newest, and one more in case the newest is damaged


class RunFolder:
    """A folder that holds one run. `create` makes it, `open` finds it, `own` takes it for training."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path).absolute()
        self._lock: IO[str] | None = None

    @classmethod
    def create(cls, path: Path, config_yaml: str) -> "RunFolder":
        """Make the folder of a new run; UsageError where something else lies there."""
        folder = cls(path)
        if folder.path.exists() and (not folder.path.is_dir() or any(map(_is_strange, folder.path.iterdir()))):
            raise UsageError(
                f"{folder.path} is not empty",
                expected="a new or an empty folder",
                do="choose another --out, or `millrace resume` if a run lies there",
            )
        try:
            folder.path.mkdir(parents=True, exist_ok=True)
            # It makes the folder a run, so what is killed before leaves room for another try.
            write_whole(folder.path / CONFIG, config_yaml.encode())
            (folder.path / CHECKPOINTS).mkdir(exist_ok=True)
        except OSError as error:
            raise CheckpointError(
                f"the run's folder {folder.path} cannot be made",
                got=error.strerror or repr(error),
                do="choose another --out",
            ) from error
        return folder

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """The run in this folder; UsageError where there is none."""
        folder = cls(path)
        if not folder.is_run(folder.path):
            raise UsageError(
                f"{folder.path} holds no run", expected=f"a folder with {CONFIG}", do="look at the path once more"
            )
        return folder

    @staticmethod
    def is_run(path: Path) -> bool:
        """Whether a run lies in this folder."""
        return (Path(path) / CONFIG).is_file()

    @property
    def metrics(self) -> Path:
        return self.path / METRICS

    @property
    def epochs(self) -> Path:
        return self.path / EPOCHS

    @property
    def incidents(self) -> Path:
        return self.path / INCIDENTS

    def config_text(self) -> str:
        """The resolved configuration, YAML."""
        return (self.path / CONFIG).read_text()

    def own(self) -> None:
        """Take the run for this process; UsageError where another process trains it. Free again when that ends."""
        handle = (self.path / LOCK).open("a+")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            handle.seek(0)
            owner = handle.read().strip() or "unknown"
            handle.close()
            raise UsageError(
                f"another process trains the run in {self.path}", got=f"process {owner}", do="wait for it, or stop it"
            ) from error
        handle.truncate(0)
        handle.write(f"{os.getpid()}\n")
        handle.flush()
        self._lock = handle
        sweep(self.path / CHECKPOINTS)

    def release(self) -> None:
        """Let another process have the run."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def checkpoints(self) -> list[Path]:
        """The folders of the checkpoints, oldest first."""
        return sorted(path for path in (self.path / CHECKPOINTS).glob("step-*") if path.is_dir())

    def latest(self, *, dataset_digest: str | None = None, model: str | None = None) -> Checkpoint | None:
        """The newest checkpoint that is whole; None where there is none. A damaged one is passed over if an older
        one is whole, else its error is raised; so is that of a checkpoint of another dataset or model."""
        damaged: CheckpointError | None = None
        for path in reversed(self.checkpoints()):
            try:
                load(path)
            except CheckpointError as error:
                damaged = damaged or error
                continue
            return load(path, dataset_digest=dataset_digest, model=model)
        if damaged is not None:
            raise damaged
        return None

    def write(self, checkpoint: Checkpoint) -> Path:
        """Write a checkpoint, then drop all but the newest ones."""
        path = save(self.path / CHECKPOINTS / f"step-{checkpoint.step:010d}", checkpoint)
        for old in self.checkpoints()[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)
        return path

    def write_best(self, checkpoint: Checkpoint) -> Path:
        """Keep this checkpoint as the best so far."""
        return save(self.path / BEST, checkpoint)

    def best(self) -> Checkpoint | None:
        """The checkpoint that early stopping holds for the best; None where the run keeps none."""
        return load(self.path / BEST) if (self.path / BEST).is_dir() else None

    def drop_after(self, step: int) -> None:
        """Remove checkpoints of later steps: the run goes on from this one."""
        for path in self.checkpoints():
            if int(path.name.removeprefix("step-")) > step:
                shutil.rmtree(path, ignore_errors=True)

    @property
    def finished(self) -> bool:
        return (self.path / RESULT).is_file()

    def result(self) -> dict[str, Any]:
        """What `finish` wrote."""
        return dict(json.loads((self.path / RESULT).read_bytes()))

    def finish(self, result: Mapping[str, object]) -> None:
        """Write the result: the run needs no more steps."""
        write_whole(self.path / RESULT, (json.dumps(result, indent=1) + "\n").encode())


def _is_strange(path: Path) -> bool:
    """Whether this is something else than what a killed `create` leaves."""
    return not (path.name.startswith(f".{CONFIG}.") and path.name.endswith(".partial"))


def write_whole(path: Path, data: bytes) -> None:
    """Write a small file aside, flush it, rename it."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with aside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
