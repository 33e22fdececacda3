"""Machines that share nothing but an S3 server: each a home and a cache of its own, on this one."""

import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from millrace.storage.folder import Folder
from millrace.user_cache import user_cache
from tests.conftest import share_kernels
from tests.workers.programs import Program, end, run, start

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "squeamish-ossifrage", "AWS_REGION": "us-east-1"}


@dataclass(frozen=True)
class Machine:
    """The environment of the processes of one machine."""

    environment: Mapping[str, str]
    started: list[Program] = field(default_factory=list)

    @classmethod
    def new(cls, home: Path) -> "Machine":
        """An empty machine; the machine code alone is shared, since to compile it takes long."""
        share_kernels(home / "cache", user_cache() / "kernels")
        folders = {name: str(home / name.lower()) for name in ("XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME")}
        return cls({**CREDENTIALS, **folders, "HOME": str(home), "MILLRACE_CACHE": str(home / "cache")})

    def run(self, *arguments: str) -> str:
        """The output of a command that must end with exit code 0."""
        return run(*arguments, environment=self.environment)

    def start(self, *arguments: str) -> Program:
        """Begin a command; it is ended with the machine."""
        self.started.append(start(*arguments, environment=self.environment))
        return self.started[-1]

    def close(self) -> None:
        """End what still runs."""
        for process in self.started:
            if not process.output.closed:
                end(process, 0, signal.SIGKILL)

    def fail(self, *arguments: str) -> tuple[int, str]:
        """Exit code and output of a command."""
        return end(start(*arguments, environment=self.environment), 120)


Machines = Callable[[str], Machine]


def objects(address: str) -> dict[str, bytes]:
    """All that lies at an address, by name."""
    folder = Folder(address)
    return {name: folder.read(name).to_pybytes() for name in folder.names()}


def final(found: Mapping[str, bytes]) -> tuple[bytes, bytes]:
    """Weights and optimizer of the newest checkpoint among these files."""
    newest = max(name.rpartition("/")[0] for name in found if name.startswith("checkpoints/"))
    return found[f"{newest}/weights.safetensors"], found[f"{newest}/optimizer.safetensors"]


def files(folder: Path) -> dict[str, bytes]:
    """All files of a folder, by name."""
    return {os.path.relpath(path, folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
