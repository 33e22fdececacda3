"""A process as others know it: enough to know, on the same machine, whether it still runs."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path

ENDED = "ZX"  # states of a process that runs no more, though it still has a number


@dataclass(frozen=True)
class Process:
    """host, pid: for people. boot: the kernel's id of its start; namespace: the numbers' own space, since containers
    on one kernel each count from 1; started: clock ticks from boot to the process's start, since numbers are used
    again. Empty and 0 where the system does not say (no /proc)."""

    host: str
    pid: int
    boot: str
    namespace: str
    started: int

    @classmethod
    def here(cls) -> "Process":
        """This process."""
        boot = _text("/proc/sys/kernel/random/boot_id").strip()
        try:
            namespace = os.readlink("/proc/self/ns/pid")
        except OSError:
            namespace = ""
        return cls(socket.gethostname(), os.getpid(), boot, namespace, _state(os.getpid())[1])

    def shares_kernel(self, other: "Process") -> bool:
        """Whether both run on one kernel, so that a file lock of one is seen by the other."""
        return self.boot == other.boot and (bool(self.boot) or self.host == other.host)

    def is_gone(self, here: "Process") -> bool:
        """Whether this process has certainly ended, as far as the process `here` can see."""
        if not self.boot or (self.boot, self.namespace) != (here.boot, here.namespace):
            return False
        state, started = _state(self.pid)
        return not state or state in ENDED or started != self.started

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def mapped_by(folder: Path) -> list[int]:
    """The numbers of the processes that have files of this folder in their memory, as far as this one may see and the
    system says (/proc). Where it does not, those that have lose nothing: mapped bytes outlive a file's name."""
    inside = f" {os.path.realpath(folder)}/"
    numbers = sorted(int(path.name) for path in Path("/proc").glob("[0-9]*"))
    return [number for number in numbers if inside in _text(f"/proc/{number}/maps")]


def _text(path: str) -> str:
    try:
        return Path(path).read_text(errors="surrogateescape")
    except OSError:
        return ""


def _state(pid: int) -> tuple[str, int]:
    """State letter and start of a process; ("", 0) where there is none. See proc(5), `stat`, fields 3 and 22."""
    fields = _text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return (fields[0], int(fields[19])) if len(fields) > 19 else ("", 0)
