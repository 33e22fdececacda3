"""What if: how long a step would take in another place, by a simulation, with what that gets wrong of the run."""

from dataclasses import dataclass, replace
from math import sqrt

from millrace.library.simulation import Cost, Works, step_seconds
from millrace.reports.words import percent
from millrace.runs import WAITING, RoleTime, StageLine

# Of a slot, whatever its rows: the call, and sums that are written once, which cost what so many rows do. Measured:
# 11 rows for a network of 784-999-299-10, 25 for smaller ones.
CALL, FIXED_ROWS = 20e-6, 18.0
LEAST = 0.01  # a change that is none
BUSY_TRAINER = ("record", "checkpoint")


@dataclass(frozen=True)
class WhatIf:
    """What a change would do. seconds: of a step, as it was times what the simulation says; change: of these, -0.2 is a
    fifth less. error: by which part the simulation misses the run as it was."""

    what: str
    seconds: float
    change: float
    error: float


@dataclass(frozen=True)
class Simulated:
    """What was measured of a step, and what the simulation says of it: seconds, without what the trainer had everybody
    wait for. error: by which part it misses it. answers: to each what-if; none of a stale run, whose workers wait for
    nobody, and where too little was measured."""

    measured: float
    simulated: float
    answers: tuple[WhatIf, ...]

    @property
    def error(self) -> float:
        return abs(self.simulated / self.measured - 1)

    @property
    def rows(self) -> list[list[str]]:
        """In words, for a table: what if, the step that it would be, the change, the simulation's own error."""
        return [
            [answer.what, f"{1000 * answer.seconds:.2f} ms", _changed(answer), f"± {percent(answer.error)}"]
            for answer in self.answers
        ]


def _changed(answer: WhatIf) -> str:
    """The change, and whether it is larger than what the simulation gets wrong anyway."""
    if abs(answer.change) < LEAST:
        return "no difference"
    within = ", which is within its error" if abs(answer.change) <= answer.error else ""
    return f"{percent(abs(answer.change), 0)} {'less' if answer.change < 0 else 'more'}{within}"


def simulated(line: StageLine) -> Simulated | None:
    """The answers for a run; None where they cannot be had."""
    works = works_of(line)
    if works is None:
        return None
    measured, was = _step(line), step_seconds(works)
    error = abs(was / measured - 1)
    answers = []
    for name, other in variants(works, line.batch).items():
        change = step_seconds(other) / was - 1
        answers.append(WhatIf(name, measured * (1 + change), change, error))
    return Simulated(measured, was, tuple(answers))


def variants(works: Works, batch: int) -> dict[str, Works]:
    """What is asked, and the step that it would be."""
    found = {
        "one more worker": replace(works, workers=works.workers + 1),
        "one more augmenter": replace(works, augmenters=works.augmenters + 1),
        "slots of twice the size": _larger_slots(works, batch),
        "batches for free": replace(works, make=Cost(0.0)),
    }
    return {name: other for name, other in found.items() if other != works}


def works_of(line: StageLine) -> Works | None:
    """The step that was measured; None of a stale run, or where too little was measured."""
    worker = line.roles.get("worker")
    if line.stale or worker is None or not line.steps or "compute" not in worker.stages or not _step(line):
        return None
    local, (part, load) = line.runtime == "local", _sharing(line)
    augmenter, server, trainer = (line.roles.get(role) for role in ("augmenter", "server", "trainer"))
    makers = [role for role in (worker, augmenter) if role is not None]
    updater = server or worker
    # Threads take the digest while they make a slot, actors where they compute it.
    making, computing = (
        (("draw", "warp", "ledger"), ("compute",)) if local else (("draw", "warp"), ("ledger", "compute"))
    )
    return Works(
        workers=worker.threads,
        augmenters=augmenter.threads if augmenter else 0,
        cores=line.cores,
        slots=line.slots,
        room=line.room * (1 if local else worker.threads),
        make=_cost(makers, making, "warp", part),
        compute=_cost([worker], computing, "compute", part),
        send=_seconds(worker, "send") * part / worker.stages["compute"][1],
        update=_seconds(updater, "update") * part / line.steps,
        publish=(_seconds(updater, "publish") + (_seconds(server, "send") if server else 0.0)) * part / line.steps,
        aside=_seconds(trainer, *BUSY_TRAINER) * part / line.steps if local else 0.0,
        helping=local or augmenter is None,
        makers=not local,
        load=load,
    )


def _seconds(role: RoleTime | None, *stages: str) -> float:
    return sum(role.stages[name][0] for name in stages if name in role.stages) if role else 0.0


def _cost(roles: list[RoleTime], stages: tuple[str, ...], each: str, part: float) -> Cost:
    """Of a slot, in stages that it goes through one after the other; it was in the stage `each` once."""
    times = sum(role.stages[each][1] for role in roles if each in role.stages)
    if not times:
        return Cost(0.0)
    mean = variance = 0.0
    for name in stages:
        parts = [role.stages[name] for role in roles if name in role.stages]
        one = sum(seconds for seconds, _, _ in parts) / times
        mean, variance = mean + one, variance + max(sum(squares for _, _, squares in parts) / times - one * one, 0.0)
    return Cost(mean * part, sqrt(variance) * part)


def _step(line: StageLine) -> float:
    """Seconds of a step, without the time in which all waited for the trainer."""
    worker = line.roles["worker"]
    return (worker.seconds - _seconds(worker, "trainer", "idle")) / worker.threads / line.steps


def _sharing(line: StageLine) -> tuple[float, float]:
    """Which part of the seconds of a thread that worked it had a core, and how many threads of others wanted one at the
    same time: where more want to work than there are cores, they share them."""
    busy = sum(role.seconds - _seconds(role, *WAITING) for role in line.roles.values())
    at_once = busy / line.seconds
    fair = min(1.0, line.cores / max(at_once, 1e-12))
    part = min(line.cpu / max(busy, 1e-12), fair) if line.cpu else fair
    return part, max(line.cores / part - at_once, 0.0) if part < 1 else 0.0


def _larger_slots(works: Works, batch: int) -> Works:
    if works.slots == 1:
        return works
    slots = -(-works.slots // 2)
    before, after = batch / works.slots, batch / slots
    compute, make = works.compute, works.make
    call = min(CALL / max(compute.mean, 1e-12), 1.0)
    longer = call + (1 - call) * (FIXED_ROWS + after) / (FIXED_ROWS + before)
    return replace(
        works,
        slots=slots,
        room=works.room // 2,
        workers=min(works.workers, slots),
        compute=Cost(compute.mean * longer, compute.deviation * longer),
        make=Cost(make.mean * after / before, make.deviation * after / before),
    )
