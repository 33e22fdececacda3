"""One parameter server against several, on three nodes that take in a limited rate each.

    python -m benchmarks.servers [--rounds 3] [--servers 1 3] [--rates 1gbit 100gbit] [--steps 12]

A head for the driver and three nodes of Ray on this machine, in a network namespace of their own (`unshare -rn`, so no
root is needed and no other traffic is touched). What other nodes send to one passes a class of HTB with the rate of a
network card, on the port where its object store takes objects in; 100gbit is as good as no limit. What a node sends is
not limited. 15.9 million parameters (64-4000-3900-10), SGD, batches of 48 in slots of 16, one worker on each node, no
augmenters; digits. Contenders take turns, each turn is a command of its own: `millrace train --servers K`.

Seconds of a step: the median of a run's steps after the first three. MB that the busiest node took in per step, by
the classes' own count, checkpoints included.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ray.cluster_utils import Cluster

from benchmarks.ray import lines
from benchmarks.rounds import arguments, ratio, table, take_turns
from millrace.user_cache import user_cache

NODES, PORT, WARM = 3, 18_100, 3
STORE = 1 << 30
BATCH, SLOT = 48, 16
INSIDE = "MILLRACE_BENCHMARK_INSIDE"  # set in the namespace
TRAIN = ["-m", "millrace", "train", "--json", "--no-test", "--runtime", "ray", "--workers", str(NODES)]
TRAIN += ["--augmenters", "0", "--network.hidden", "4000", "3900", "--optimizer.name", "sgd", "--policy", "none"]
TRAIN += ["--optimizer.rate", "0.01", "--batch", str(BATCH), "--slot-size", str(SLOT), "--epochs", "1"]


class Link:
    """The loopback of this namespace, with a class for what each node takes in."""

    def __init__(self) -> None:
        _run("ip", "link", "set", "lo", "up")
        _run("tc", "qdisc", "add", "dev", "lo", "root", "handle", "1:", "htb")
        for node in range(NODES):
            _run("tc", "class", "add", *self._class(node, "100gbit"))
            port = ["match", "ip", "dport", str(PORT + node), "0xffff", "flowid", f"1:{node + 1}"]
            _run("tc", "filter", "add", "dev", "lo", "protocol", "ip", "parent", "1:", "prio", "1", "u32", *port)

    def limit(self, rate: str) -> None:
        """What each node may take in, as `tc` writes it."""
        for node in range(NODES):
            _run("tc", "class", "change", *self._class(node, rate))

    def taken(self) -> list[int]:
        """Bytes that each node has taken in until now."""
        found = re.findall(
            r"class htb (1:\d+) .*?Sent (\d+) bytes", _run("tc", "-s", "class", "show", "dev", "lo"), re.S
        )
        return [int(size) for _, size in sorted(found)]

    def _class(self, node: int, rate: str) -> list[str]:
        burst = ["burst", "1mb", "cburst", "1mb", "quantum", "200000"]
        return ["dev", "lo", "parent", "1:", "classid", f"1:{node + 1}", "htb", "rate", rate, *burst]


class Contender:
    """Runs with so many servers at one rate; `taken` has the MB that the busiest node took in per step."""

    def __init__(self, address: str, link: Link, servers: int, rate: str, steps: int) -> None:
        self._link, self._rate, self.taken = link, rate, list[float]()
        place = ["--address", address, "--servers", str(servers), "--subset", str(BATCH * (steps + WARM))]
        self._command = [*TRAIN, *place]

    def __call__(self) -> float:
        """Seconds of a step."""
        self._link.limit(self._rate)
        seconds, before = list[float](), list[int]()
        with tempfile.TemporaryDirectory() as folder:
            for line in lines([*self._command, "--out", f"{folder}/run"]):
                event = json.loads(line)
                if event["event"] == "step":
                    seconds.append(BATCH / event["samples_per_second"])
                    before = before or self._link.taken()
        after = self._link.taken()
        busiest = max(now - then for now, then in zip(after, before, strict=True))
        self.taken.append(busiest / (len(seconds) - 1) / 1e6)
        return statistics.median(seconds[WARM:])


@contextmanager
def cluster() -> Iterator[str]:
    """Its address; all of it ends with the block."""
    with tempfile.TemporaryDirectory(prefix="ray-") as folder:
        os.environ["HOME"] = folder  # Ray writes its token there
        made = Cluster()
        try:
            made.add_node(num_cpus=0, object_store_memory=STORE, temp_dir=folder, include_dashboard=False)
            for node in range(NODES):
                made.add_node(num_cpus=2, object_store_memory=STORE, object_manager_port=PORT + node)
            yield str(made.address)
        finally:
            made.shutdown()  # type: ignore[no-untyped-call]


def contest(options: argparse.Namespace) -> None:
    """All numbers of servers at all rates."""
    link = Link()
    with cluster() as address:
        contenders = {
            f"{rate}, servers {servers}": Contender(address, link, servers, rate, options.steps)
            for rate in options.rates
            for servers in options.servers
        }
        found = take_turns(contenders, options.rounds)
    print(table(found, "seconds a step"))
    print(table({name: one.taken for name, one in contenders.items()}, "MB a step, into the busiest node"))
    for rate in options.rates:
        first, *others = (f"{rate}, servers {servers}" for servers in options.servers)
        for other in others:
            print(f"{other}, time to that of {first}: {ratio(found, other, first):.3f}")


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.set_defaults(rounds=3)
    parser.add_argument("--servers", type=int, nargs="+", default=[1, NODES])
    parser.add_argument("--rates", nargs="+", default=["1gbit", "100gbit"])
    parser.add_argument("--steps", type=int, default=12, help="that are measured in a run")
    options = parser.parse_args()
    if INSIDE in os.environ:
        contest(options)
        return
    os.environ |= {INSIDE: "1", "MILLRACE_CACHE": str(user_cache()), "PYTHONPATH": str(Path(__file__).parents[1])}
    os.execvp("unshare", ["unshare", "-rn", sys.executable, "-m", "benchmarks.servers", *sys.argv[1:]])


if __name__ == "__main__":
    main()
