"""Rounded sums in a run: what is rounded, by hand; what it leaves alone; who may not ask for it."""

import dataclasses
from pathlib import Path

import pytest

from millrace.errors import Diverged, OptionError
from millrace.model import NetworkOptions, OptimizerOptions
from millrace.model import rounding as page
from millrace.model.layout import Floats
from millrace.model.options import BFLOAT16, FLOAT32, INT8
from millrace.workers.blas import one_blas_thread
from millrace.workers.dispatcher import Dispatcher
from millrace.workers.gradient_worker import gradient_worker
from millrace.workers.job import Job, Place
from millrace.workers.parameter_server import ParameterServer
from millrace.workers.records import identity
from millrace.workers.setup import Setup
from millrace.workers.slot import Slot
from millrace.workers.tree import Block, Partial, below_root, root
from tests.workers.runs import JOB, digits, train

STEP, SLOTS = 1, 4


def computed(job: Job, block: Block) -> Partial:
    setup = Setup(job, digits())
    assert setup.order.slots(STEP) == SLOTS
    with one_blas_thread():
        return gradient_worker(setup).compute(
            setup.network.initial(3), STEP, block, SLOTS, lambda step, slot: (Slot.made(setup.stream, step, slot), 0.0)
        )


def by_hand(block: Block, wire: str, *, whole: bool) -> Floats:
    """The sum of the block, whose slots are computed without rounding; each node rounded as the page has it."""
    if block.size == 1:
        sums = computed(JOB, block).gradient
    else:
        half = block.size // 2
        halves = [by_hand(Block(at, half), wire, whole=whole) for at in (block.start, block.start + half)]
        sums = halves[0] + halves[1]
    if block == root(SLOTS) and not whole:
        return sums
    how = page.to_int8 if wire == INT8 else page.to_bfloat16
    return how(sums, page.draws(JOB.seed, STEP, *block, 0, len(sums)))


@pytest.mark.parametrize("wire", [BFLOAT16, INT8])
@pytest.mark.parametrize("staleness", [0, 2])
def test_every_sum_that_may_travel_is_rounded(wire: str, staleness: int) -> None:
    """Of a stale run the whole step's, too: there it is one worker's."""
    job = dataclasses.replace(JOB, wire=wire, staleness=staleness)
    exact = {block: computed(JOB, block) for block in (Block(0, 1), Block(2, 2), Block(0, 4))}
    for block, plain in exact.items():
        made = computed(job, block)
        assert made.gradient.tobytes() == by_hand(block, wire, whole=staleness > 0).tobytes()
        assert made[1:] == plain[1:]
        assert made.gradient.tobytes() != plain.gradient.tobytes()


@pytest.mark.parametrize("wire", [BFLOAT16, INT8])
@pytest.mark.parametrize("workers", [1, 3])
def test_what_travels_packed_moves_the_weights_as_what_does_not(wire: str, workers: int) -> None:
    """Workers elsewhere, as `ray_runtime` has them, against one that adds a step up by itself."""
    job = dataclasses.replace(JOB, wire=wire, epochs=1)
    setup = Setup(job, digits())
    rounding, names = setup.rounding, [f"worker-{number}" for number in range(workers)]
    assert rounding is not None
    far, near, worker = Dispatcher(setup), ParameterServer(setup), gradient_worker(setup)

    def take(step: int, slot: int) -> tuple[Slot, float]:
        return Slot.made(setup.stream, step, slot), 0.0

    far.allow(setup.total_steps)
    for name in names:
        far.join(name)
    with one_blas_thread():
        while not far.ended:
            for name in names:
                task = far.task(name)
                parts = [part for block in task.blocks for part in below_root(block, task.slots)] if task else []
                for part in parts:
                    partial = worker.compute(far.server.view, far.version, part, setup.order.slots(far.version), take)
                    came = rounding.unpack(rounding.pack(partial.gradient), setup.network.parameters)
                    far.contribute(far.version, part, partial._replace(gradient=came), name)
        for step in range(setup.total_steps):
            slots = setup.order.slots(step)
            near.contribute(step, root(slots), worker.compute(near.view, step, root(slots), slots, take))
            near.update()
    assert far.server.snapshot().weights.tobytes() == near.snapshot().weights.tobytes()


def test_a_recipe_without_rounding_is_what_it_was() -> None:
    """Checkpoints, runs in their folders and journals are named by the recipe."""
    assert "wire" not in JOB.recipe
    assert dataclasses.replace(JOB, wire=FLOAT32) == JOB
    rounded = dataclasses.replace(JOB, wire=INT8)
    assert rounded.recipe == {**JOB.recipe, "wire": "int8"}
    assert identity(Setup(rounded, digits())) != identity(Setup(JOB, digits()))
    assert Setup(JOB, digits()).rounding is None


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning", "ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("wire", [FLOAT32, BFLOAT16, INT8])
def test_a_gradient_that_is_not_finite_ends_the_run(tmp_path: Path, wire: str) -> None:
    steep = dataclasses.replace(JOB, wire=wire, optimizer=OptimizerOptions("sgd", rate=1e30))
    steep = dataclasses.replace(steep, network=NetworkOptions(hidden=(12, 12)))
    with pytest.raises(Diverged):
        train(tmp_path / "run", steep, Place(workers=2))


@pytest.mark.parametrize("wrong", ["int4", "float16", "", 8, None])
def test_what_is_no_kind_of_rounding_is_refused(wrong: object) -> None:
    with pytest.raises(OptionError, match="wire"):
        dataclasses.replace(JOB, wire=wrong)  # type: ignore[arg-type]
