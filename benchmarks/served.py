"""A `millrace serve` in a process of its own, below this one: a local one, or one of a Ray of its own (Linux)."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import processes
from benchmarks.loaders import BATCH, RANGES

PATIENCE = 120.0  # seconds until it says where it is
POLICY = [
    word
    for name, value in RANGES.items()
    for word in (f"--policy.{name}", *map(str, value if isinstance(value, tuple) else (value,)))
]


@contextlib.contextmanager
def serving(images: str, *flags: str) -> Iterator[str]:
    """Serve the folder of an images' file, whose labels lie beside it; the address."""
    folder = Path(images).parent
    ready = folder.with_name(f"{folder.name}-ready-{time.monotonic_ns()}")
    command = [sys.executable, "-m", "millrace", "serve", str(folder), "--test-share", "0", "--batch", str(BATCH)]
    command += ["--policy", "none", *POLICY, "--port", "0", "--ready-file", str(ready), *flags]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + PATIENCE
    try:
        while not ready.exists():
            if server.poll() is not None:
                raise OSError(f"the server ended with {server.returncode}: {' '.join(command)}")
            if time.monotonic() > until:
                raise OSError(f"the server did not answer within {PATIENCE:g} s")
            time.sleep(0.05)
        yield ready.read_text().strip().splitlines()[0]
    finally:
        processes.end(server)
        ready.unlink(missing_ok=True)
