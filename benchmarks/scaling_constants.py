"""The constants of benchmarks/scaling_model.py, measured: kernels on one thread, Ray between two nodes behind cards."""

import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
import ray

from benchmarks.cards import HEAD, PORT, Cards, cluster
from benchmarks.processes import cpu_seconds
from benchmarks.rounds import timed
from benchmarks.scaling_model import Constants
from benchmarks.scaling_runs import LARGE, steps
from millrace import datasets
from millrace.cores import worked
from millrace.model import FLOAT32, NetworkOptions, OptimizerOptions, Rounding
from millrace.workers.blas import one_blas_thread
from millrace.workers.gradient_worker import gradient_worker
from millrace.workers.job import Job
from millrace.workers.parameter_server import ParameterServer
from millrace.workers.setup import Setup
from millrace.workers.slot import Slot
from millrace.workers.tree import Block

ROUNDS, NODES = 9, 3
SIZE, SMALL = 24_000_000, 200_000  # bytes of an object; the small one is just too large to travel within a message
DEADLINE = 240.0  # seconds


def measure() -> Constants:
    """All of them, in two or three minutes."""
    with one_blas_thread():
        kernels = _kernels()
    cards = Cards(NODES)
    hop = _hop(cards)
    with cluster(cards, NODES) as address:
        found = _between(cards)
        idle = _idle()
        little = ["--network.hidden", "4"]
        step = statistics.median(steps(address, little, workers=1, servers=1, batch=16, slot=8, count=60))
    return Constants(**kernels, **found, step=step, hop=hop, idle=idle)


def _idle() -> float:
    """Cores that a node's processes take, over some seconds, once what was before has settled; the head is a node."""
    time.sleep(3)
    begun, used = time.perf_counter(), cpu_seconds(os.getpid())
    time.sleep(10)
    return (cpu_seconds(os.getpid()) - used) / (time.perf_counter() - begun) / (NODES + 1)


def _kernels() -> dict[str, Any]:
    """Seconds for each parameter, with the network that the runs have."""
    found: dict[str, Any] = {}
    slots = {rows: _slot(rows) for rows in (8, 64)}
    found["row"] = (slots[64] - slots[8]) / 56
    found["slot"] = slots[8] - 8 * found["row"]
    job = Job(batch=16, slot_size=8, network=NetworkOptions(hidden=LARGE), optimizer=OptimizerOptions(name="sgd"))
    setup = Setup(job, datasets.load(datasets.find("digits")))
    count = setup.network.parameters
    rng = np.random.default_rng(0)
    sums, other = rng.standard_normal((2, count), np.float32)
    found["add"] = _each(lambda: np.add(sums, other), count)
    out = np.empty(count, np.float32)
    thirds = np.array_split(sums, 3)
    found["join"] = _each(lambda: np.concatenate(thirds, out=out), count)
    server = ParameterServer(setup)
    made = [gradient_worker(setup).compute(server.view, 0, Block(k, 1), 2, _take(setup)) for k in range(2)]

    def update() -> float:
        for k, sums_of in enumerate(made):
            server.contribute(server.version, Block(k, 1), sums_of)
        begun = time.perf_counter()
        server.update()
        return time.perf_counter() - begun

    found["update"] = statistics.median(update() for _ in range(ROUNDS)) / count
    for wire in ("bfloat16", "int8"):
        how, rounded = Rounding(wire, 0), sums.copy()
        how.apply(rounded, 0, 0, 1)
        packed = how.pack(rounded)
        found.setdefault("round", {})[wire] = _each(partial(how.apply, other, 0, 0, 1), count)
        found.setdefault("pack", {})[wire] = _each(partial(how.pack, rounded), count)
        found.setdefault("unpack", {})[wire] = _each(partial(how.unpack, packed, count), count)
    return found


def _slot(rows: int) -> float:
    job = Job(batch=2 * rows, slot_size=rows, network=NetworkOptions(hidden=LARGE), wire=FLOAT32)
    setup = Setup(job, datasets.load(datasets.find("digits")))
    worker, weights, take = gradient_worker(setup), setup.network.initial(0), _take(setup)
    return _each(
        lambda: worker.recycle(worker.compute(weights, 0, Block(0, 1), 2, take).gradient), setup.network.parameters
    )


def _take(setup: Setup) -> Callable[[int, int], tuple[Slot, float]]:
    made = [Slot.made(setup.stream, 0, slot) for slot in range(2)]
    return lambda step, slot: (made[slot], 0.0)


def _each(work: Callable[[], object], count: int) -> float:
    measure = timed(work)
    return statistics.median(measure() for _ in range(ROUNDS)) / 1e6 / count


@ray.remote(num_cpus=1, scheduling_strategy="SPREAD")
class Node:
    """An actor on a node of its own, which does with others what workers and servers do; it looks at its watch."""

    async def answer(self, what: bytes) -> bytes:
        return what

    async def take(self, array: Any) -> None:
        """As the one server takes a gradient."""

    async def view(self, size: int) -> list[Any]:
        """As a server publishes a view."""
        return [ray.put(_bytes(size))]

    async def pass_on(self, references: list[Any], other: Any) -> None:
        """As the lead of several servers tells another one where its part lies."""
        await other.hold.remote([references[0]])

    async def hold(self, parts: list[Any]) -> None:
        """As that one takes it."""
        await parts[0]

    def put(self, size: int, times: int) -> tuple[float, float]:
        """Seconds of a put, and of the machine's cores meanwhile; as all that follow."""
        return _watched(lambda: ray.put(_bytes(size)), times)

    def call(self, other: Any, times: int) -> tuple[float, float]:
        return _watched(lambda: ray.get(other.answer.remote(b"x" * 1000)), times)

    def send(self, other: Any, size: int, times: int) -> tuple[float, float]:
        return _watched(lambda: ray.get(other.take.remote(_bytes(size))), times)

    def fetch(self, other: Any, size: int, times: int) -> tuple[float, float]:
        return _watched(lambda: ray.get(ray.get(other.view.remote(size))[0]), times)

    def part(self, lead: Any, other: Any, size: int, times: int) -> tuple[float, float]:
        return _watched(lambda: ray.get(lead.pass_on.remote([ray.put([_bytes(size)])], other)), times)


@cache
def _bytes(size: int) -> Any:
    return np.ones(size, np.uint8)


def _watched(work: Callable[[], object], times: int) -> tuple[float, float]:
    for _ in range(3):
        work()
    begun, used = time.perf_counter(), worked() or 0.0
    for _ in range(times):
        work()
    return (time.perf_counter() - begun) / times, ((worked() or 0.0) - used) / times


def _between(cards: Cards) -> dict[str, Any]:
    """What Ray takes between two nodes, in a process that begins where Ray's token is; and what cards carry for it."""
    before = cards.traffic()
    # Imported there, not its main module: Ray's processes find the functions beside an actor by their module.
    code = f"import json; from benchmarks.scaling_constants import between; print(json.dumps(between('{HEAD}:{PORT}')))"
    command = [sys.executable, "-c", code]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=DEADLINE)
    found: dict[str, Any] = json.loads(told.stdout.splitlines()[-1])
    carried = sum(now.taken - then.taken for now, then in zip(cards.traffic(), before, strict=True))
    found["payload"] = found.pop("bytes") / carried
    return found


def between(address: str) -> dict[str, float]:
    """The constants of Ray, and the bytes of all objects that one node sent to another."""
    ray.init(address=address, log_to_driver=False)
    one, two, three = (Node.options(max_concurrency=8).remote() for _ in range(3))  # type: ignore[attr-defined]
    found = dict[str, float]()

    def got(call: Any, *arguments: Any) -> tuple[float, float]:
        return ray.get(call.remote(*arguments), timeout=DEADLINE)  # type: ignore[no-any-return]

    got(one.call, two, 50)
    found["call"], found["call_core"] = got(one.call, two, 500)
    put, _ = got(one.put, SIZE, 40)
    found["put"] = put / SIZE
    slopes = list[tuple[float, float]]()
    for name, call, *others in (("sum", one.send, two), ("view", one.fetch, two), ("part", one.part, two, three)):
        small, large = got(call, *others, SMALL, 100), got(call, *others, SIZE, 20)
        slopes.append(((large[0] - small[0]) / (SIZE - SMALL), (large[1] - small[1]) / (SIZE - SMALL)))
        found[name], found[f"{name}_core"] = small
    print(slopes, file=sys.stderr)
    found["stream"], found["move"] = (statistics.fmean(values) - found["put"] for values in zip(*slopes, strict=True))
    ray.shutdown()
    return found | {"bytes": 3 * (103 * SMALL + 23 * SIZE)}


ECHO = """
import socket
with socket.create_server(("0.0.0.0", 9999)) as server:
    print(flush=True)
    line, _ = server.accept()
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while word := line.recv(1):
        line.send(word)
"""


def _hop(cards: Cards) -> float:
    """Seconds of a message on a TCP connection to a node: half of a way there and back."""
    echo = subprocess.Popen([*cards.inside(0), sys.executable, "-c", ECHO], stdout=subprocess.PIPE)
    try:
        assert echo.stdout is not None
        echo.stdout.readline()
        with socket.create_connection((cards.address(0), 9999), timeout=10) as line:
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            begun = time.perf_counter()
            for _ in range(2000):
                line.send(b"x")
                line.recv(1)
            return (time.perf_counter() - begun) / 4000
    finally:
        echo.kill()
        echo.wait(10)
