"""What rounding sums of gradients costs and saves: time of the kernels, bytes, and the error that it makes.

    python -m benchmarks.wire [--rounds 21] [--mirror URL]

MNIST's network of the lecture (784-999-299-10), batches of 2,048 in slots of 128, after a few steps of SGD. Errors are
those of the whole sum, against its own norm. That slots alone are rounded, or that 65,536 numbers share their
largest/127, is computed here and is no option of a run.
"""

import dataclasses
from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks.rounds import arguments, mnist, ratio, table, take_turns, timed
from millrace.model import CHUNK, Floats, Rounding
from millrace.workers.blas import one_blas_thread
from millrace.workers.gradient_worker import gradient_worker
from millrace.workers.job import Job
from millrace.workers.setup import Setup
from millrace.workers.slot import Slot
from millrace.workers.tree import Block, root

STEPS, RATE = 12, np.float32(0.1)
WIRES = ("bfloat16", "int8")
Round = Callable[[Floats, Block], Floats]


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.set_defaults(rounds=21)
    options = parser.parse_args()
    job = Job(dataset="mnist", batch=2048, slot_size=128)
    setup = Setup(job, mnist(options.mirror))
    with one_blas_thread():
        leaves = _slots(setup)
        _times(setup, leaves[0], options.rounds)
    print()
    parameters = setup.network.parameters
    for wire in ("float32", *WIRES):
        size = dataclasses.replace(setup, job=dataclasses.replace(job, wire=wire)).gradient_bytes
        print(f"{wire:<10}{size:>12,} bytes of a block's gradient, {8 * size / parameters:.2f} bits a parameter")
    print()
    _errors(leaves)


def _slots(setup: Setup) -> list[Floats]:
    """The gradients of a step's slots, as they are before any rounding."""
    worker, weights, slots = gradient_worker(setup), setup.network.initial(0), setup.order.slots(0)

    def take(step: int, slot: int) -> tuple[Slot, float]:
        return Slot.made(setup.stream, step, slot), 0.0

    for step in range(STEPS):
        made = worker.compute(weights, step, root(slots), slots, take)
        weights = weights - RATE * made.gradient / np.float32(made.samples)
        worker.recycle(made.gradient)
    return [worker.compute(weights, STEPS, Block(slot, 1), slots, take).gradient for slot in range(slots)]


def _times(setup: Setup, gradient: Floats, rounds: int) -> None:
    worker, weights, made = gradient_worker(setup), setup.network.initial(0), Slot.made(setup.stream, 0, 0)
    other, sums = gradient.copy(), gradient.copy()

    def slot() -> None:
        worker.recycle(worker.compute(weights, 0, Block(0, 1), 2, lambda step, slot: (made, 0.0)).gradient)

    contenders: dict[str, Callable[[], object]] = {
        "a slot's gradient": slot,
        "an addition": lambda: np.add(sums, other, out=sums),
    }
    for wire in WIRES:
        how, rounded = Rounding(wire, 0), gradient.copy()
        how.apply(rounded, 0, 0, 1)
        packed = how.pack(rounded)
        contenders[f"{wire}: rounding"] = partial(how.apply, sums, 0, 0, 1)
        contenders[f"{wire}: packing"] = partial(how.pack, rounded)
        contenders[f"{wire}: unpacking"] = partial(how.unpack, packed, len(gradient))
    found = take_turns({name: timed(work) for name, work in contenders.items()}, rounds)
    print(table(found, f"µs, {len(gradient):,} parameters"))
    for wire in WIRES:
        print(f"rounding to {wire} to a slot's gradient  {ratio(found, f'{wire}: rounding', next(iter(found))):.3f}")


def _errors(leaves: list[Floats]) -> None:
    rng = np.random.default_rng(0)

    def by_chunk(sums: Floats, node: Block) -> Floats:
        made = np.empty_like(sums)
        for at in range(0, len(sums), CHUNK):
            part = sums[at : at + CHUNK]
            scale = float(np.abs(part).max()) / 127 or 1.0
            made[at : at + CHUNK] = np.floor(part / scale + rng.random(len(part))) * scale
        return made

    def by(wire: str) -> Round:
        def rounded(sums: Floats, node: Block) -> Floats:
            made = sums.copy()
            Rounding(wire, 0).apply(made, STEPS, *node)
            return made

        return rounded

    ways: dict[str, Round] = {wire: by(wire) for wire in WIRES}
    ways["int8 by max/127 of 65,536"] = by_chunk
    print(f"{'error of the sum, % of its norm':<40}{'slots':>8}{'each node':>12}{'slots alone':>14}")
    for slots in (2, 4, 8, 16):
        exact = _summed(leaves[:slots], lambda sums, node: sums, every=True)
        for name, way in ways.items():
            errors = [_summed(leaves[:slots], way, every=every) - exact for every in (True, False)]
            shares = [100 * float(np.linalg.norm(error) / np.linalg.norm(exact)) for error in errors]
            print(f"{name:<40}{slots:>8}{shares[0]:>12.2f}{shares[1]:>14.2f}")


def _summed(leaves: list[Floats], way: Round, *, every: bool) -> Floats:
    """The sum along the tree; every: whether nodes above the slots are rounded too."""
    level, size = [way(leaf, Block(slot, 1)) for slot, leaf in enumerate(leaves)], 1
    while len(level) > 1:
        size *= 2
        level = [level[at] + level[at + 1] for at in range(0, len(level), 2)]
        if every and len(level) > 1:
            level = [way(sums, Block(number * size, size)) for number, sums in enumerate(level)]
    return level[0]


if __name__ == "__main__":
    main()
