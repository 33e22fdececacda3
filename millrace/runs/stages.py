"""Where a run's time went: the stages that a thread can be in, and a line of stages.jsonl for a stretch of steps."""

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any, NamedTuple

# The stages, by number. Each moment of a thread belongs to one of them, so that all of them are its time.
DRAW, WARP, LEDGER, DATA, COMPUTE, SEND, OTHERS, TRAINER, UPDATE, PUBLISH, VALIDATE, CHECKPOINT, RECORD, IDLE = range(
    14
)

STAGES: Mapping[str, str] = {
    "draw": "order and draws",
    "warp": "warp",
    "ledger": "digest for the ledger",
    "data": "waiting for data",
    "compute": "forward and backward",
    "send": "adding and sending",
    "others": "waiting for others",
    "trainer": "waiting for the trainer",
    "update": "update",
    "publish": "publishing",
    "validate": "validation",
    "checkpoint": "checkpoints",
    "record": "metrics and display",
    "idle": "idle",
}
NAMES = tuple(STAGES)
ROLES = ("worker", "augmenter", "server", "trainer")
WAITING = ("data", "others", "trainer", "idle")  # in these a thread needs no core


class Spent(NamedTuple):
    """What one thread, or several together, did: for each stage the seconds in it, how often it was entered, and the
    sum of the squares of the single stretches."""

    seconds: tuple[float, ...]
    counts: tuple[int, ...]
    squares: tuple[float, ...]

    @classmethod
    def none(cls) -> "Spent":
        """Nothing yet."""
        return cls(*(((0,) * len(NAMES),) * 3))

    def since(self, before: "Spent | None") -> "Spent":
        """What came after `before`; all where there is none, or where the thread began anew since then."""
        if before is None or sum(self.counts) < sum(before.counts):
            return self
        # A thread counts while it is read, so a sum may be a stretch behind another.
        parts = (tuple(max(a - b, 0) for a, b in zip(*pair, strict=True)) for pair in zip(self, before, strict=True))
        return Spent(*parts)  # type: ignore[arg-type]

    def plus(self, other: "Spent") -> "Spent":
        """Both together."""
        parts = (tuple(a + b for a, b in zip(*pair, strict=True)) for pair in zip(self, other, strict=True))
        return Spent(*parts)  # type: ignore[arg-type]


class RoleTime(NamedTuple):
    """The time of a role: how many threads it had, and by the name of a stage (seconds, how often, sum of squares)."""

    threads: int
    stages: Mapping[str, tuple[float, int, float]]

    @property
    def seconds(self) -> float:
        """Of all its threads together."""
        return sum(seconds for seconds, _, _ in self.stages.values())

    def share(self, *stages: str) -> float:
        """The part of its time that it was in these stages."""
        return sum(self.stages[name][0] for name in stages if name in self.stages) / max(self.seconds, 1e-12)


class StageLine(NamedTuple):
    """A line of stages.jsonl: what each role did in the `steps` steps up to `step`, that included, which took so many
    seconds. slots: of a full step, each of `rows` samples. room: how many slots may be made ahead. cores: of all
    machines that compute. cpu: seconds of them that the run's process used; 0 where several processes compute. stale:
    whether it is of a stale run. others: seconds of the cores that other programs used; 0 where that is not known.
    parameters: of the network."""

    step: int
    steps: int
    seconds: float
    runtime: str
    cores: int
    slots: int
    rows: int
    batch: int
    room: int
    stale: bool
    cpu: float
    roles: Mapping[str, RoleTime]
    others: float = 0.0
    parameters: int = 0

    def as_dict(self) -> dict[str, object]:
        """The line, JSON."""
        roles = {
            role: {
                "threads": time.threads,
                "stages": {name: [_short(s), count, _short(sq)] for name, (s, count, sq) in time.stages.items()},
            }
            for role, time in self.roles.items()
        }
        times = {name: _short(getattr(self, name)) for name in ("seconds", "cpu", "others")}
        return {**self._asdict(), **times, "roles": roles}

    @classmethod
    def of(cls, line: Mapping[str, Any]) -> "StageLine | None":
        """The line that a file has; None where it is none, as after damage."""
        try:
            roles = {
                role: RoleTime(
                    int(time["threads"]),
                    {
                        name: (float(s), int(n), float(sq))
                        for name, (s, n, sq) in time["stages"].items()
                        if name in STAGES
                    },
                )
                for role, time in line["roles"].items()
                if role in ROLES
            }
            numbers = {name: int(line[name]) for name in ("step", "steps", "cores", "slots", "rows", "batch", "room")}
            runtime, stale = str(line["runtime"]), bool(line["stale"])
            seconds, cpu = float(line["seconds"]), float(line["cpu"])
            others, parameters = float(line.get("others", 0.0)), int(line.get("parameters", 0))  # older lines lack them
        except (KeyError, TypeError, ValueError, AttributeError):
            return None
        return cls(
            **numbers,
            seconds=seconds,
            cpu=cpu,
            runtime=runtime,
            stale=stale,
            roles=roles,
            others=others,
            parameters=parameters,
        )


def by_role(spent: Mapping[str, Spent]) -> dict[str, RoleTime]:
    """The threads of each role together, by name (`worker-3`): those that did anything."""
    found: dict[str, list[Spent]] = {}
    for name, one in spent.items():
        if sum(one.seconds) > 0:
            found.setdefault(name.partition("-")[0], []).append(one)
    roles = {}
    for role in ROLES:
        if role in found:
            total = reduce(Spent.plus, found[role])
            stages = {name: (s, n, squares) for name, s, n, squares in zip(NAMES, *total, strict=True) if s > 0}
            roles[role] = RoleTime(len(found[role]), stages)
    return roles


def halted(roles: Mapping[str, RoleTime]) -> dict[str, RoleTime]:
    """Workers on Ray know that they wait, the server knows for whom: while it waits for the trainer, so do they all."""
    found, server, worker = dict(roles), roles.get("server"), roles.get("worker")
    if server is None or worker is None or "others" not in worker.stages or "trainer" not in server.stages:
        return found
    others, count, squares = worker.stages["others"]
    moved = min(others, server.stages["trainer"][0] * worker.threads)
    times = server.stages["trainer"][1]
    stages = {**worker.stages, "others": (others - moved, count, squares), "trainer": (moved, times, 0.0)}
    found["worker"] = worker._replace(stages=stages)
    return found


def together(lines: Sequence[StageLine]) -> StageLine | None:
    """All lines as one: sums of times, and of the rest what the last line has; None where there is none.

    Lines of another place than the last (other workers, another runtime) are left out: their times say little about it.
    So is what workers waited when there was no step to compute any more."""
    stepping = [line for line in lines if line.steps]
    if not stepping:
        return None
    # Actors say what they did now and then, not at each line: one that has no word of workers fits any other.
    last = next((line for line in reversed(stepping) if "worker" in line.roles), stepping[-1])
    silent = last.runtime == "ray"
    same = [line for line in stepping if _place(line) == _place(last) or (silent and "worker" not in line.roles)]
    seconds = sum(line.seconds for line in same)
    ends = [line._replace(roles={"trainer": line.roles["trainer"]}) for line in lines if _ends(line)]
    roles = {}
    for role in last.roles:
        stages: dict[str, tuple[float, int, float]] = {}
        for time in (line.roles[role] for line in (*same, *ends) if role in line.roles):
            for name, (s, count, squares) in time.stages.items():
                a, b, c = stages.get(name, (0.0, 0, 0.0))
                stages[name] = a + s, b + count, c + squares
        roles[role] = RoleTime(last.roles[role].threads, stages)
    cpu, others = sum(line.cpu for line in same), sum(line.others for line in same)
    return last._replace(steps=sum(line.steps for line in same), seconds=seconds, cpu=cpu, others=others, roles=roles)


def _ends(line: StageLine) -> bool:
    return not line.steps and "trainer" in line.roles


def _place(line: StageLine) -> tuple[object, ...]:
    counts = tuple(line.roles[role].threads for role in ("worker", "augmenter") if role in line.roles)
    return line.runtime, line.cores, line.slots, line.rows, line.room, counts


def _short(value: float) -> float:
    return float(f"{value:.6g}")
