"""What the worker processes of PyTorch's DataLoader agree on: where the pass begins that they share.

Each process has a copy of the loader, and unless they persist a new set of them is started for every pass from the
original, which has seen none of its batches. Without this each pass would be the first epoch again.
"""

import json
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from millrace.errors import DataError, DeadlineError, UsageError
from millrace.storage import faults

DEADLINE = 60.0  # seconds to wait for the other workers of a pass
KEPT = 16  # passes that are remembered
ADVICE = "make room, or name another folder for temporary files by the variable TMPDIR"


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


class WorkerPasses:
    """A small file, shared through its path by a loader and all its copies: the passes begun, and the step that was
    placed since, if any."""

    def __init__(self, step: int) -> None:
        with faults("the folder for temporary files", "cannot be written", do=ADVICE, full=ADVICE):
            self._folder = Path(tempfile.mkdtemp(prefix="millrace-"))
        weakref.finalize(self, _remove, self._folder, os.getpid())
        self._write({"step": step, "passes": []})

    def place(self, step: int) -> None:
        """The next pass begins at this step."""
        with self._locked():
            self._write({**self._read(), "step": step})

    @property
    def last(self) -> int | None:
        """The first step of the pass that workers have begun last; None where they have begun none since `place`."""
        found = self._read()
        return None if found["step"] is not None else int(found["passes"][-1]["first"])

    def check_state(self) -> None:
        """Raise a UsageError where only the consumer of a DataLoader knows how many batches it has had."""
        if self.last is not None:
            raise UsageError(
                "the worker processes of a DataLoader iterate: how many batches it has handed out is not known here",
                do="count the steps and keep stream.at(steps).state(), or iterate without num_workers",
            )

    def first(self, key: list[int], worker: int, following: Callable[[int], int]) -> int:
        """The first step of the pass that `key` names, the same for all workers; `following` gives the one after a pass
        that began at a step. A worker that asks twice by the same key (the seed was set again) begins another pass."""
        with self._locked():
            found = self._read()
            # A slow worker may ask for a pass that the others have left already.
            known = [one for one in found["passes"] if one["key"] == key and worker not in one["workers"]]
            if known:
                known[-1]["workers"].append(worker)
                self._write(found)
                return int(known[-1]["first"])
            first = following(found["passes"][-1]["first"]) if found["step"] is None else found["step"]
            begun = {"key": key, "workers": [worker], "first": first}
            self._write({"step": None, "passes": [*found["passes"][-KEPT:], begun]})
            return int(first)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = FileLock(self._folder / "lock", timeout=DEADLINE)
        with self._faults("cannot be locked"):
            try:
                lock.acquire()
            except Timeout as error:
                raise DeadlineError(
                    f"{lock.lock_file} was held by another worker process", expected=f"it within {DEADLINE:.0f} s"
                ) from error
        try:
            yield
        finally:
            lock.release()

    def _read(self) -> dict[str, Any]:
        with self._faults("cannot be read"):
            return json.loads((self._folder / "passes.json").read_bytes())  # type: ignore[no-any-return]

    def _write(self, content: dict[str, Any]) -> None:
        # A worker may be ended at any moment, and what it was writing must not be read.
        temporary = self._folder / f"passes-{os.getpid()}"
        with self._faults("cannot be written"):
            temporary.write_text(json.dumps(content))
            temporary.replace(self._folder / "passes.json")

    def _faults(self, what: str) -> AbstractContextManager[None]:
        """The folder lies where the loader was made: elsewhere, and once that process has ended, it is not."""
        place = f"{self._folder}, by which the worker processes of a DataLoader agree,"
        return faults(place, what, DataError, do="make the loader in this process, anew", full=ADVICE)
