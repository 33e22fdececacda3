"""What is done to which run, and when: a pure function of a seed, or a text that says the same."""

import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from random import Random

from tests.chaos.recipes import LOCAL, NODES, RAY, recipe

ACTORS = ("worker", "augmenter", "server", "fetcher")
RAYS = ("raylet", "gcs", "agent")
NODE = "node"
DRIVER = "driver"
LINKS = ("modem", "dsl")
PROGRAM = ".venv/bin/python -m tests.chaos"


@dataclass(frozen=True)
class Fault:
    """step: it comes when so many steps were written down. verb: what is done. who: to whom, or how. seconds: how
    long it lasts, or by how much a clock jumps. As text: STEP:VERB[:WHO][:SECONDS]."""

    step: int
    verb: str
    who: str = ""
    seconds: float = 0.0

    def __str__(self) -> str:
        return ":".join(
            [str(self.step), self.verb, *filter(None, [self.who, f"{self.seconds:g}" if self.seconds else ""])]
        )

    @classmethod
    def read(cls, text: str) -> "Fault":
        """Errors: ValueError where it is none."""
        step, verb, *rest = text.split(":")
        seconds = float(rest.pop()) if rest and not rest[-1].isalpha() else 0.0
        if len(rest) > 1 or not verb.isalpha():
            raise ValueError(f"{text!r} is no fault; expected STEP:VERB[:WHO][:SECONDS]")
        return cls(int(step), verb, rest[0] if rest else "", seconds)


@dataclass(frozen=True)
class Schedule:
    """A run, by its flags, and its faults in order of their steps. nodes: the CPUs of each node of a cluster; none
    where the run is local or has a Ray of its own."""

    job: tuple[str, ...]
    place: tuple[str, ...]
    faults: tuple[Fault, ...]
    nodes: tuple[int, ...] = ()

    @property
    def stale(self) -> bool:
        """Whether timing has a part in its bits."""
        return "--staleness" in self.job

    @property
    def slow(self) -> bool:
        """Whether its links are slow at times."""
        return any(fault.verb == "slow" for fault in self.faults)

    @property
    def where(self) -> str:
        """LOCAL, RAY or NODES."""
        return NODES if self.nodes else RAY if "ray" in self.place else LOCAL

    @property
    def words(self) -> list[str]:
        """The arguments that `read` takes."""
        found = [f"--job={shlex.join(self.job)}", f"--place={shlex.join(self.place)}"]
        found.append(f"--faults={' '.join(map(str, self.faults))}")
        return [*found, f"--nodes={' '.join(map(str, self.nodes))}"] if self.nodes else found

    @property
    def command(self) -> str:
        """A line for a shell that repeats it."""
        return f"{PROGRAM} {shlex.join(self.words)}"

    @classmethod
    def read(cls, job: str, place: str, faults: str, nodes: str = "") -> "Schedule":
        """What `words` says. Errors: ValueError."""
        found = tuple(map(Fault.read, faults.split()))
        return cls(tuple(shlex.split(job)), tuple(shlex.split(place)), found, tuple(map(int, nodes.split())))


def schedule(seed: int, number: int, wheres: Sequence[str], known: Collection[str] = ()) -> Schedule:
    """Schedule `number` of a seed. wheres: the kinds of places, which take turns. known: see `recipe`."""
    random, where = Random(f"{seed}/{number}"), wheres[number % len(wheres)]
    drawn = recipe(random, where, known)
    count = random.choice((1, 2, 3, 4, 6)) if where == LOCAL else random.choice((4, 6, 8, 10))
    steps = sorted(_moment(random, drawn.steps) for _ in range(count))
    faults = tuple(_fault(random, step, where) for step in steps)
    return Schedule(drawn.job, drawn.place, faults, (3, 2, 2) if where == NODES else ())


def _moment(random: Random, steps: int) -> int:
    """Mostly in the middle; at times before the first step, or after the last one."""
    return random.choice((0, steps)) if random.random() < 0.1 else random.randrange(1, steps)


def _fault(random: Random, step: int, where: str) -> Fault:
    """One that can happen there."""
    long = round(min(60.0, 0.5 * 2 ** random.expovariate(0.5)), 1)  # half a second to a minute, mostly a few
    signal = random.choice(("int", "term", "hup", "inttwice"))
    actor = random.choice(ACTORS if where != LOCAL else (DRIVER,))
    found = [
        Fault(step, "kill", DRIVER),
        Fault(step, "stop", signal),
        Fault(step, "pause", DRIVER, long),
        Fault(step, "close"),
        Fault(step, "full", seconds=min(long, 5.0)),
        Fault(step, "clock", seconds=float(random.choice((-86400, -60, -2, 2, 60, 86400)))),
        Fault(step, "second"),
        Fault(step, "damage", random.choice(("checkpoint", "metrics"))),
        Fault(step, "cut"),
        Fault(step, "read", random.choice(("audit", "report", "evaluate", "replay"))),
    ]
    weights = [8, 4, 4, 2, 4, 2, 2, 2, 4, 3]
    if where != LOCAL:
        found += [Fault(step, "kill", actor), Fault(step, "pause", actor, long)]
        weights = [4, 2, 2, 1, 2, 1, 1, 1, 1, 1, 28, 14]
    if where == RAY:
        found += [Fault(step, "kill", random.choice(RAYS)), Fault(step, "pause", random.choice(RAYS), long)]
        weights += [4, 2]
    if where == NODES:  # of one's own Ray: where a cluster loses its head, it is gone
        found += [Fault(step, "kill", NODE), Fault(step, "pause", NODE, long)]
        weights += [10, 6]
    if where != LOCAL:
        found.append(Fault(step, "slow", random.choice(LINKS), long))
        weights.append(3 if where == RAY else 8)
    return random.choices(found, weights)[0]
