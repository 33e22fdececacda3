"""A download in progress: the bytes so far, and what is needed to go on with them later."""

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from millrace.storage.files import rename, written_aside


@dataclass(frozen=True)
class Notes:
    """Where the bytes came from: address, validator (strong ETag or date) and size of the whole file."""

    url: str
    validator: str | None
    total: int | None


class Partial:
    """`FILE.part` beside the place of the finished file, and its notes in `FILE.part.json`."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(target.name + ".part")
        self._notes = target.with_name(target.name + ".part.json")

    def notes(self) -> Notes | None:
        """The notes, if they can be read; without them the bytes are of no use."""
        try:
            found = Notes(**json.loads(self._notes.read_bytes()))
        except (OSError, ValueError, TypeError):
            return None
        return found if isinstance(found.url, str) else None

    def resumable(self, url: str, *, same_everywhere: bool) -> int:
        """How many bytes can be gone on from at this address.

        Another address may have other bytes, so it starts from zero, unless the digest of the file
        as sent is known and so all addresses must have the same ones.
        """
        notes = self.notes()
        if notes is None or not (same_everywhere or notes.url == url):
            return 0
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def begin(self, start: int, notes: Notes) -> int:
        """Keep the first `start` bytes, drop the rest; a file descriptor at that place. Notes go first."""
        if start == 0:
            self.discard()
        with written_aside(self._notes) as file:
            file.write(json.dumps(asdict(notes)).encode())
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o644)
        os.ftruncate(handle, start)
        os.lseek(handle, start, os.SEEK_SET)
        return handle

    def finish(self) -> None:
        """Give the complete and verified file its name."""
        rename(self.path, self.target)
        self._notes.unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove bytes and notes."""
        for path in (self.path, self._notes):
            with suppress(OSError):
                path.unlink(missing_ok=True)
