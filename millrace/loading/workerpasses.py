"""What the worker processes of PyTorch's DataLoader agree on: where the pass begins that they share.

Each process has a copy of the loader, and unless they persist a new set of them is started for every pass from the
original, which has seen none of its batches. Without this each pass would be the first epoch again.
"""

import json
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock

DEADLINE = 60.0  # seconds to wait for the other workers of a pass


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


class WorkerPasses:
    """A small file, shared through its path by a loader and all its copies."""

    def __init__(self, step: int) -> None:
        self._folder = tempfile.mkdtemp(prefix="millrace-")
        weakref.finalize(self, _remove, self._folder, os.getpid())
        self.place(step)

    def place(self, step: int) -> None:
        """The next pass begins at this step."""
        self._write({"step": step})

    @property
    def begun(self) -> bool:
        """Whether workers have begun a pass since `place`."""
        return "key" in self._read()

    def first(self, key: list[int], following: Callable[[int], int]) -> int:
        """The first step of the pass that `key` names, the same for all who ask; `following` gives the one after a pass
        that began at a step."""
        with FileLock(os.path.join(self._folder, "lock"), timeout=DEADLINE):
            found = self._read()
            if found.get("key") == key:
                return int(found["first"])
            first = found["step"] if "step" in found else following(found["first"])
            self._write({"key": key, "first": first})
            return int(first)

    def _read(self) -> dict[str, Any]:
        return json.loads(Path(self._folder, "pass.json").read_bytes())  # type: ignore[no-any-return]

    def _write(self, content: dict[str, Any]) -> None:
        Path(self._folder, "pass.json").write_text(json.dumps(content))
