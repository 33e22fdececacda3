"""One schedule, from the first step to the verdict."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from subprocess import TimeoutExpired

from tests.chaos.faults import VERBS
from tests.chaos.findings import Finding, Harness
from tests.chaos.schedule import Schedule
from tests.chaos.stage import Stage
from tests.chaos.verdict import gone, judge, twin

PATIENCE = 120.0  # seconds for a step, or for the end


@dataclass(frozen=True)
class Played:
    """struck: the faults that came; missed: those that did not, since the run was over or this machine cannot.
    log: what happened when."""

    struck: int
    missed: tuple[str, ...]
    log: tuple[str, ...]


def play(schedule: Schedule) -> Played:
    """Play it in a folder of its own. Errors: Finding with what happened until then, Harness."""
    stage = Stage(schedule, PATIENCE)
    try:
        with _told(stage):
            with _cluster(stage):
                other = None if schedule.stale else twin(stage)
                stage.say("the twin is there")
                struck, missed = _strike(stage)
                stage.finish()
                judge(stage, other)
            gone(stage)
            stage.say("judged")
            return Played(struck, tuple(missed), tuple(stage.log))
    finally:
        stage.close()


def _strike(stage: Stage) -> tuple[int, list[str]]:
    struck, missed = 0, []
    for fault in stage.schedule.faults:
        if why := stage.limits.get(fault.verb):
            missed.append(f"{fault}: {why}")
        elif not stage.reach(fault.step):
            missed.append(f"{fault}: the run was over")
        elif stage.driver is not None:
            stage.say(str(fault))
            if VERBS[fault.verb](stage, stage.driver, fault):
                struck += 1
            else:
                missed.append(f"{fault}: nobody there")
    return struck, missed


@contextmanager
def _cluster(stage: Stage) -> Iterator[None]:
    """The nodes that the run asks for, if any."""
    if not stage.schedule.nodes:
        yield
        return
    from tests.chaos.cluster import cluster  # Ray reads the environment as it is imported

    with cluster(stage.schedule.nodes, stage.environment) as stage.cluster:
        stage.place += ["--address", stage.cluster.address]
        yield


@contextmanager
def _told(stage: Stage) -> Iterator[None]:
    """An error says what had been done."""
    try:
        yield
    except (Finding, Harness) as error:
        raise type(error)("\n".join([str(error), *stage.log, _last(stage)])) from error
    except TimeoutExpired as error:
        raise Finding("\n".join([str(error), *stage.log, _last(stage)])) from error
    except KeyboardInterrupt:  # of what takes too long, too
        stage.say("interrupted")
        print(*stage.log, _last(stage), sep="\n", flush=True)
        raise


def _last(stage: Stage) -> str:
    """What the driver says that is there now."""
    driver = stage.driver
    return "" if driver is None or driver.poll() is not None else f"the driver, still there:\n{driver.said[-4000:]}"
