"""How cost grows with work, on one thread but for the clients; part `growth` of `make bench`.

Each figure is the cost of k times the work over k times that of one, in the same round: 1 is linear.

  images       draws and warp of 256·k images of 28×28
  pixels       draws and warp of 64 images with k times the pixels of 28×28
  parameters   the gradient of 256 rows, of a network with a hidden layer k times as wide as 250: k times the parameters
  slots        the gradient of 1,024 rows in k slots: the same work, so the figure is the cost of k over that of one.
               Each slot is a matrix product of its own, and reads the weights and writes a gradient anew
  clients      an epoch of 10,000 images to each of k clients at once, of one `millrace serve`: each asks for its own
               batches, so these are made k times, on all cores; one client alone waits where the server does not
  shared       the same where the server makes each batch once for all that are near each other (`--share 64`)
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import numpy as np

from benchmarks.results import Row
from benchmarks.rounds import Effort, take_turns, timed
from benchmarks.served import serving
from benchmarks.service import Side
from benchmarks.stream import kept
from benchmarks.warp import POLICY
from millrace.model import Network, NetworkOptions
from millrace.pipeline.draw import draw
from millrace.pipeline.warp import warp
from millrace.workers.blas import one_blas_thread

ROUNDS, SERVED_ROUNDS = 15, 5
LINEAR = "promised: linear, which is 1"
Works = Mapping[int, Callable[[], object]]  # how many times the work → the work
INPUTS, CLASSES, ROWS, HIDDEN = 784, 10, 1024, 250


def images(times: int, side: int = 28, count: int = 256) -> Callable[[], object]:
    """Draws and warp of so many times the images."""
    pixels = np.random.default_rng(0).integers(0, 256, (count * times, 1, side, side), np.uint8)
    rows = np.arange(len(pixels))

    def work() -> object:
        drawn = draw(POLICY, rows, height=side, width=side, seed=0, epoch=0)
        return warp(pixels, rows, drawn.matrices)

    return work


def gradients(width: int, rows: int, slots: int) -> Callable[[], object]:
    """Gradients of all rows, slot by slot."""
    network = Network(NetworkOptions(hidden=(HIDDEN * width,)), inputs=INPUTS, classes=CLASSES)
    weights, size = network.initial(seed=0), rows // slots
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((rows, INPUTS), np.float32), rng.integers(0, CLASSES, rows).astype(np.uint8)
    out, workspace = np.empty_like(weights), network.workspace(size)

    def work() -> object:
        for first in range(0, rows, size):
            network.gradient(weights, x[first : first + size], y[first : first + size], out, workspace)
        return out

    return work


def clients(address: str, times: int) -> Callable[[], object]:
    """Epochs by so many clients at once, each with a connection of its own; another epoch each time, so that none is
    left over from the time before."""
    side = Side(address)

    def work() -> object:
        ticket = side.next_epoch()
        with ThreadPoolExecutor(times) as pool, ExitStack() as open_ones:
            connections = [open_ones.enter_context(side.connect()) for _ in range(times)]
            return list(pool.map(side.read, connections, [ticket] * times))

    return work


def rows(effort: Effort) -> Iterator[Row]:
    """A row for each kind of work."""
    few = 2 if effort.quick else 5
    for name, flags in (("clients", []), ("clients, shared", ["--share", "64"])):
        with tempfile.TemporaryDirectory() as folder:
            rng = np.random.default_rng(0)
            noise = rng.integers(0, 256, (1000 if effort.quick else 10_000, 1, 28, 28), np.uint8)
            with serving(kept(folder, noise, rng.integers(0, 10, len(noise), np.uint8))[0], *flags) as address:
                works = {times: clients(address, times) for times in (1, 2, 4, 8)[:few]}
                yield _row(name, works, effort, rounds=SERVED_ROUNDS)
    with one_blas_thread():
        yield _row("images", {times: images(times) for times in (1, 2, 4, 8, 16)[:few]}, effort, note=LINEAR)
        pixels = {scale**2: images(1, 28 * scale, 64) for scale in (1, 2, 4, 8)[:few]}
        yield _row("pixels", pixels, effort, note=LINEAR)
        yield _row("parameters", {times: gradients(times, 256, 1) for times in (1, 2, 4, 8, 16)[:few]}, effort)
        slots = {times: gradients(4, ROWS, times) for times in (1, 2, 4, 8, 16)[:few]}
        yield _row("slots", slots, effort, same_work=True)


def _row(
    what: str, works: Works, effort: Effort, *, same_work: bool = False, rounds: int = ROUNDS, note: str = ""
) -> Row:
    warm = 1 if rounds < ROUNDS else 3
    found = take_turns({str(times): timed(work, warm) for times, work in works.items()}, effort.rounds(rounds))
    values = {
        f"millrace, ×{times}": [
            cost / one / (1 if same_work else times) for cost, one in zip(found[str(times)], found["1"], strict=True)
        ]
        for times in works
        if times > 1
    }
    unit = "cost for the same work, of that of ×1"
    return Row(f"{what} ×1 to ×{max(works)}", unit, values, less_is_better=True, note=note)
