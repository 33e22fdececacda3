"""Servers as processes: `millrace serve`, killed and started again at the same port."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).parents[3]
DEADLINE = 60.0


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Served:
    """`millrace serve DATASET …` in a process of its own, from `start` to `kill`."""

    def __init__(
        self, folder: Path, *words: str, port: int | None = None, token: str | None = None, cwd: Path = ROOT
    ) -> None:
        self.port, self._words, self._token, self._cwd = port or free_port(), words, token, cwd
        self.address = f"grpc://127.0.0.1:{self.port}"
        self.ready, self._log = folder / f"ready-{self.port}", folder / f"log-{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def launch(self) -> "Served":
        """Start it, without waiting for it."""
        command = [sys.executable, "-m", "millrace", "serve", *self._words]
        command += ["--port", str(self.port), "--ready-file", str(self.ready)]
        environment = {name: value for name, value in os.environ.items() if name != "MILLRACE_TOKEN"}
        environment["PYTHONPATH"] = str(ROOT)
        if self._token is not None:
            environment["MILLRACE_TOKEN"] = self._token
        self.ready.unlink(missing_ok=True)  # or it would be taken for the new one's, for the time that Python starts in
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self._cwd, env=environment, stdout=log, stderr=log)
        return self

    def start(self) -> "Served":
        """Start it, and wait until it answers."""
        self.launch()
        until = time.monotonic() + DEADLINE
        while not self.ready.exists():
            if self._process is None or self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(self.said)
            time.sleep(0.05)
        return self

    @property
    def said(self) -> str:
        """What it has written."""
        return self._log.read_text()

    def status(self, name: str) -> int:
        """A number that the system has of the process, such as VmRSS (KiB) or Threads."""
        assert self._process is not None
        text = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(next(line for line in text.splitlines() if line.startswith(f"{name}:")).split()[1])

    def memory(self) -> int:
        """The bytes that the process has in memory."""
        return self.status("VmRSS") << 10

    def send(self, number: int) -> None:
        """Send a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self) -> int:
        """How it ended, once it has."""
        assert self._process is not None
        code, self._process = self._process.wait(DEADLINE), None
        return code

    def kill(self, number: int = signal.SIGKILL) -> int:
        """End it by a signal; how it ended."""
        if self._process is None:
            return 0
        self.send(number)
        return self.wait()

    def __enter__(self) -> "Served":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
