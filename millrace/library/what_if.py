"""What if: how long a step would take in another place, by a simulation, with what that gets wrong of the run.

A run's record has the mean times of its slots, and not how these depend on rows and threads. That is assumed, within
bounds, from measurements of networks of 2,400 to 1,700,000 weights (`Assumed`); each answer says what the bounds make
of it.
"""

from dataclasses import dataclass, replace
from math import sqrt
from typing import NamedTuple

from millrace.library.simulation import Cost, Works, pressure, step_seconds
from millrace.reports.words import percent
from millrace.runs import WAITING, RoleTime, StageLine


class Assumed(NamedTuple):
    """What no record of a run says, in seconds.

    call, weight: of a slot's gradient whatever its rows: the calls, and for each weight a sum that is written once.
    make: of a slot's making whatever its rows. lock: how much longer a short slot takes where another thread of the
    process works: they take the interpreter's lock from each other at each call of a kernel. lock_times: the same,
    where the run had several threads, in times of what they waited for the lock; the rest goes into waking up, and what
    has left the caches meanwhile. crowd: by which part of that each thread beyond the second adds to it."""

    call: float
    weight: float
    make: float
    lock: float
    lock_times: float
    crowd: float

    def gradient(self, parameters: int) -> float:
        """Of a slot, whatever its rows."""
        return self.call + self.weight * parameters


LIKELY = Assumed(40e-6, 0.85e-9, 100e-6, 500e-6, 1.9, 0.5)
BOUNDS = Assumed(20e-6, 0.5e-9, 75e-6, 250e-6, 1.5, 0.2), Assumed(60e-6, 1.3e-9, 140e-6, 900e-6, 2.2, 0.8)
MOST_FIXED = 0.75  # of a slot's time
SEEN = 0.25  # of a slot's time beside others, at least, for the run to say what that costs
LONG = 3e-3  # seconds of a slot in which the lock is taken half as often
REPEATED = 0.05  # by which part two runs of one setting differ
SHARED_UPDATE = 200e-6  # seconds of an update for each that helps
LEAST = 0.01  # a change that is none
BUSY_TRAINER = ("record", "checkpoint")


@dataclass(frozen=True)
class WhatIf:
    """What a change would do. seconds: of a step, as it was times what the simulation says; change: of these, -0.2 is a
    fifth less. error: by which part the simulation misses the run as it was, what is assumed may be off, and runs
    differ anyway."""

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
    measured, was, likely = _step(line), step_seconds(works), _times(line, LIKELY)
    others = [_times(line, bound) for bound in BOUNDS]
    error, answers = abs(was / measured - 1), []
    for name, times in likely.items():
        off = max(abs(other[name] / times - 1) for other in others)
        answers.append(WhatIf(name, measured * times, times - 1, error + off + REPEATED))
    return Simulated(measured, was, tuple(answers))


def _times(line: StageLine, assumed: Assumed) -> dict[str, float]:
    """Each what-if's step, in times of the step as it was."""
    works = works_of(line, assumed)
    if works is None:
        return {}
    was = step_seconds(works)
    return {name: step_seconds(other) / was for name, other in variants(works, line.parameters, assumed).items()}


def variants(works: Works, parameters: int, assumed: Assumed = LIKELY) -> dict[str, Works]:
    """What is asked, and the step that it would be. parameters: of the network."""
    found = {
        "one more worker": _more_workers(works),
        "one more augmenter": replace(works, augmenters=works.augmenters + 1),
        "slots of twice the size": _larger_slots(works, parameters, assumed),
        "batches for free": replace(works, make=Cost(0.0)),
    }
    return {name: other for name, other in found.items() if other != works}


def works_of(line: StageLine, assumed: Assumed = LIKELY) -> Works | None:
    """The step that was measured; None of a stale run, or where too little was measured."""
    worker = line.roles.get("worker")
    if line.stale or worker is None or not line.steps or "compute" not in worker.stages or not _step(line):
        return None
    local, (part, load), (beside, seen) = line.runtime == "local", _sharing(line), _lock(line, assumed)
    left = 1 - seen * beside
    augmenter, server, trainer = (line.roles.get(role) for role in ("augmenter", "server", "trainer"))
    makers = [role for role in (worker, augmenter) if role is not None]
    updater, sides = server or worker, server.threads if server else 1  # several servers move side by side
    # Threads take the digest while they make a slot, actors where they compute it.
    making, computing = (
        (("draw", "warp", "ledger"), ("compute",)) if local else (("draw", "warp"), ("ledger", "compute"))
    )
    make, compute = _cost(makers, making, "warp", part), _cost([worker], computing, "compute", part)
    send = _seconds(worker, "send") * part / worker.stages["compute"][1]
    return Works(
        workers=worker.threads,
        augmenters=augmenter.threads if augmenter else 0,
        cores=line.cores,
        slots=line.slots,
        room=line.room * (1 if local else worker.threads),
        make=Cost(make.mean * left, make.deviation * left, make.mean * beside),
        compute=Cost(compute.mean * left, compute.deviation * left, (compute.mean + send) * beside),
        send=send * left,
        update=_seconds(updater, "update") * part / sides / line.steps,
        publish=(_seconds(updater, "publish") + _seconds(server, "send")) * part / sides / line.steps,
        aside=_seconds(trainer, *BUSY_TRAINER) * part / line.steps if local else 0.0,
        helping=local or augmenter is None,
        makers=not local,
        load=load,
        crowd=assumed.crowd,
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
    at_once, others = _busy(line) / line.seconds, line.others / line.seconds
    part = min(1.0, max(line.cores - others, 0.1) / max(at_once, 1e-12))
    return part, others / part


def _busy(line: StageLine) -> float:
    """Seconds in which the run's threads worked, or wanted to."""
    return sum(role.seconds - _seconds(role, *WAITING) for role in line.roles.values())


def _lock(line: StageLine, assumed: Assumed) -> tuple[float, float]:
    """How much longer the work for a slot takes beside another thread, as a part of the seconds that were measured, and
    for which part of them that was so. Actors are processes: nothing."""
    if line.runtime != "local":
        return 0.0, 0.0
    worker, augmenter = line.roles["worker"], line.roles.get("augmenter")
    alone = _idle(worker) ** (worker.threads - 1) * (_idle(augmenter) ** augmenter.threads if augmenter else 1.0)
    busy = _busy(line) * _sharing(line)[0]
    slot = busy / worker.stages["compute"][1]
    if 1 - alone < SEEN or not line.cpu:
        return assumed.lock / (1 + slot / LONG) / slot, 1 - alone
    least = BOUNDS[0].lock / (1 + slot / LONG) / slot
    pressed = pressure(worker.threads + (augmenter.threads if augmenter else 0), assumed.crowd)
    seen = assumed.lock_times * (busy - line.cpu) / busy / (1 - alone)
    return min(max(seen, least), MOST_FIXED / (1 - alone)) / pressed, (1 - alone) * pressed


def _idle(role: RoleTime) -> float:
    return role.share(*WAITING)


def _more_workers(works: Works) -> Works:
    """With one more; who was alone updated alone."""
    helped = SHARED_UPDATE * min(works.workers + 1, works.cores) if works.helping and works.workers == 1 else 0.0
    return replace(works, workers=works.workers + 1, update=works.update + helped)


def _larger_slots(works: Works, parameters: int, assumed: Assumed) -> Works:
    if works.slots == 1:
        return works
    slots = -(-works.slots // 2)
    more = works.slots / slots  # rows; the last slot of a batch may be shorter
    return replace(
        works,
        slots=slots,
        room=works.room // 2,
        workers=min(works.workers, slots),
        compute=_longer(works.compute, assumed.gradient(parameters), more),
        make=_longer(works.make, assumed.make, more),
    )


def _longer(cost: Cost, fixed: float, more: float) -> Cost:
    """Of so many times the rows."""
    once = min(fixed / max(cost.mean, 1e-12), MOST_FIXED)
    times = once + (1 - once) * more
    return Cost(cost.mean * times, cost.deviation * times, cost.beside)
