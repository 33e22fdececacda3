"""Nodes of Ray on this machine, each behind a network card of limited speed both ways (Linux, no root needed).

Each node lives in a network namespace of its own; a virtual cable joins it to a switch, to which the head and the
driver are connected without a limit. HTB holds what goes into the cable at either end to the card's rate, so a node
sends and takes in at that rate at the same time, as a card does. `go_inside` begins a command anew in namespaces in
which it may do so; whatever it started ends with it.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from millrace.user_cache import user_cache

INSIDE = "MILLRACE_BENCHMARK_INSIDE"  # set in the namespaces
HEAD, PORT = "10.9.0.254", 6379
STORE = 1 << 30
DEADLINE = 60.0  # seconds for a node to start
FAST = "100gbit"  # as good as no limit
RAY = [sys.executable, "-m", "ray.scripts.scripts"]


class Traffic(NamedTuple):
    """Bytes that a node has sent and taken in."""

    sent: int
    taken: int


def go_inside(module: str) -> None:
    """Return where this process is inside; else become that module's command, with the same arguments, inside."""
    if INSIDE in os.environ:
        return
    os.environ |= {INSIDE: "1", "MILLRACE_CACHE": str(user_cache()), "PYTHONPATH": str(Path(__file__).parents[1])}
    spaces = ["unshare", "-rnmp", "--fork", "--kill-child", "--mount-proc"]
    os.execvp("unshare", [*spaces, sys.executable, "-m", module, *sys.argv[1:]])


class Cards:
    """The cards of so many nodes; node k of them has the address 10.9.0.(k + 1)."""

    def __init__(self, nodes: int) -> None:
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "switch", "type", "bridge")
        run("ip", "addr", "add", f"{HEAD}/24", "dev", "switch")
        run("ip", "link", "set", "switch", "up")
        self._holders = [subprocess.Popen(["unshare", "-n", "sleep", "infinity"]) for _ in range(nodes)]
        time.sleep(0.5)  # until they are in namespaces of their own
        for node, holder in enumerate(self._holders):
            run("ip", "link", "add", f"port{node}", "type", "veth", "peer", "name", "card", "netns", str(holder.pid))
            run("ip", "link", "set", f"port{node}", "master", "switch", "up")
            run(*self.inside(node), "ip", "link", "set", "lo", "up")
            run(*self.inside(node), "ip", "addr", "add", f"{self.address(node)}/24", "dev", "card")
            run(*self.inside(node), "ip", "link", "set", "card", "up")
            for prefix, device in self._ends(node):
                run(*prefix, "tc", "qdisc", "add", "dev", device, "root", "handle", "1:", "htb", "default", "1")
                run(*prefix, "tc", "class", "add", *_class(device, FAST))

    def address(self, node: int) -> str:
        """Where the node is reached."""
        return f"10.9.0.{node + 1}"

    def inside(self, node: int) -> list[str]:
        """What runs a command on the node."""
        return ["nsenter", "-t", str(self._holders[node].pid), "-n"]

    def limit(self, rate: str) -> None:
        """The speed of all cards each way, as `tc` writes it."""
        for node in range(len(self._holders)):
            for prefix, device in self._ends(node):
                run(*prefix, "tc", "class", "change", *_class(device, rate))

    def traffic(self) -> list[Traffic]:
        """Of each node until now."""
        nodes = range(len(self._holders))
        return [Traffic(*(_sent(prefix, device) for prefix, device in self._ends(node))) for node in nodes]

    def _ends(self, node: int) -> list[tuple[list[str], str]]:
        """Both ends of the cable: what the node sends goes into the first, what it takes in into the second."""
        return [(self.inside(node), "card"), ([], f"port{node}")]


def _class(device: str, rate: str) -> list[str]:
    size = "8mb" if rate == FAST else "256kb"
    burst = ["burst", size, "cburst", size, "quantum", "60000"]
    return ["dev", device, "parent", "1:", "classid", "1:1", "htb", "rate", rate, *burst]


def _sent(prefix: list[str], device: str) -> int:
    text = run(*prefix, "tc", "-s", "class", "show", "dev", device)
    found = re.search(r"Sent (\d+) bytes", text)
    if found is None:
        raise OSError(f"tc shows no bytes: {text}")
    return int(found[1])


@contextmanager
def cluster(cards: Cards, nodes: int, cpus: int = 2) -> Iterator[str]:
    """The address of a Ray with a head that has no CPU for actors, and the first nodes behind the cards."""
    with ExitStack() as stack:
        # Short, since Ray's sockets lie in it.
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True))
        os.environ |= {"HOME": folder, "RAY_AUTH_MODE": "token", "RAY_ADDRESS": f"{HEAD}:{PORT}"}
        run(*RAY, "get-auth-token", "--generate")
        os.environ.pop("RAY_ADDRESS")
        head = ["--head", f"--port={PORT}", f"--node-ip-address={HEAD}", "--num-cpus=0", f"--temp-dir={folder}"]
        head += ["--include-dashboard=false", "--ray-client-server-port=10001"]
        log = stack.enter_context((Path(folder) / "log").open("w"))
        started = list[subprocess.Popen[bytes]]()

        def start(prefix: list[str], arguments: list[str]) -> None:
            command = [*prefix, *RAY, "start", "--block", "--disable-usage-stats", *arguments]
            command += [f"--object-store-memory={STORE}", "--min-worker-port=0", "--max-worker-port=0"]
            started.append(subprocess.Popen(command, stdout=log, stderr=log))
            until = time.monotonic() + DEADLINE
            while (Path(folder) / "log").read_text().count("Ray runtime started") < len(started):
                if started[-1].poll() is not None or time.monotonic() > until:
                    raise OSError((Path(folder) / "log").read_text())
                time.sleep(0.1)

        try:
            start([], head)
            for node in range(nodes):
                mine = [f"--address={HEAD}:{PORT}", f"--node-ip-address={cards.address(node)}", f"--num-cpus={cpus}"]
                start(cards.inside(node), mine)
            yield f"{HEAD}:{PORT}"
        finally:
            for process in reversed(started):
                process.terminate()
            for process in reversed(started):
                process.wait(DEADLINE)


def run(*command: str) -> str:
    """What a command writes; CalledProcessError where it fails."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
