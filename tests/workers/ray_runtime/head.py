"""A cluster of the tests alone: `ray start --head --block` with its own home, token, ports and folder."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ray._private.services import get_node_ip_address

ROOT = Path(__file__).resolve().parents[3]
START, LEAVE = 120.0, 45.0  # seconds


class Head(NamedTuple):
    """Its address, its dashboard's URL, the home in which its token lies, and the environment of its processes."""

    address: str
    dashboard: str
    home: Path
    environment: dict[str, str]

    def lose(self) -> None:
        """SIGKILL of its raylet, and of the store that all nodes ask who is there."""
        for process in _processes(self.home.parent):
            with contextlib.suppress(OSError):
                name = Path(f"/proc/{process}/cmdline").read_bytes().partition(b"\0")[0]
                if name.endswith((b"/raylet", b"/gcs_server")):
                    os.kill(process, signal.SIGKILL)

    def millrace(self, *words: str, seconds: float, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command of this project on the head's machine, as its user."""
        command = [sys.executable, "-m", "millrace", *words]
        environment = self.environment | {"PYTHONPATH": str(ROOT)} | variables
        return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=seconds)


def free_ports(count: int) -> list[int]:
    """Ports that no process listens on now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


@contextlib.contextmanager
def head(cpus: int = 4, store: int = 256 << 20, autoscaling: dict[str, object] | None = None) -> Iterator[Head]:
    """A head that runs; its processes end with the block, by their ids, and its folder goes. autoscaling: a cluster
    file, whose nodes are processes of this machine, made by Ray's fake provider."""
    folder = Path(tempfile.mkdtemp(prefix="ray-"))  # short: sockets lie in it, whose paths may have 107 bytes
    home = folder / "home"
    home.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "XDG_"))}
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    environment |= {"HOME": str(home), "RAY_AUTH_MODE": "token"}
    ray = [sys.executable, "-m", "ray.scripts.scripts"]
    subprocess.run([*ray, "get-auth-token", "--generate"], env=environment, check=True, capture_output=True, timeout=60)
    port, dashboard, client = free_ports(3)
    ports = [f"--port={port}", f"--dashboard-port={dashboard}", f"--ray-client-server-port={client}"]
    ports += ["--min-worker-port=0", "--max-worker-port=0", "--dashboard-agent-listen-port=0"]
    size = [f"--num-cpus={cpus}", f"--object-store-memory={store}"]
    rest = ["--include-dashboard=true", "--dashboard-host=127.0.0.1", "--disable-usage-stats"]
    if autoscaling is not None:
        provider = {"type": "fake_multinode", "gcs_address": f"{get_node_ip_address()}:{port}"}  # type: ignore[no-untyped-call]
        (folder / "cluster.json").write_text(json.dumps(autoscaling | {"provider": provider}))
        rest.append(f"--autoscaling-config={folder / 'cluster.json'}")
        environment |= {"RAY_FAKE_CLUSTER": "1", "AUTOSCALER_UPDATE_INTERVAL_S": "1"}
    with (folder / "log").open("w") as log:
        command = [*ray, "start", "--head", "--block", *ports, *size, *rest, f"--temp-dir={folder}"]
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log)
        try:
            until = time.monotonic() + START
            while not (folder / "ray_current_cluster").exists():  # written when all its processes are there
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < until, (folder / "log").read_text()
                time.sleep(0.2)
            address = (folder / "ray_current_cluster").read_text().strip()
            yield Head(address, f"http://127.0.0.1:{dashboard}", home, environment)
        finally:
            _end(process, folder)


def _end(process: "subprocess.Popen[bytes]", folder: Path) -> None:
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(LEAVE)
    for left in _processes(folder):
        with contextlib.suppress(OSError):
            os.kill(left, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


def _processes(folder: Path) -> Iterator[int]:
    """Those whose command line names the folder."""
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and str(folder).encode() in (entry / "cmdline").read_bytes():
                yield int(entry.name)
