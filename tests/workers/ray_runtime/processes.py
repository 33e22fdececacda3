"""The processes of a Ray that a test started."""

import os
from pathlib import Path


def descendants(kind: str, root: int | None = None) -> list[int]:
    """The processes below this one, or below `root`, whose command line begins so, oldest first."""
    parents: dict[int, int] = {}
    commands: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                commands[int(entry.name)] = (entry / "cmdline").read_text()
            except (OSError, IndexError):
                continue

    def ours(process: int) -> bool:
        while process in parents:
            process = parents[process]
            if process == (root or os.getpid()):
                return True
        return False

    return sorted(p for p, command in commands.items() if command.startswith(kind) and ours(p))


def with_environment(mark: str) -> list[tuple[int, str]]:
    """The processes that were started with this NAME=VALUE in their environment, and their command lines."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if mark.encode() in (entry / "environ").read_bytes().split(b"\0"):
                    found.append((int(entry.name), (entry / "cmdline").read_text().replace("\0", " ")))
            except OSError:
                continue
    return found
