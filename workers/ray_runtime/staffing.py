"""Who works: workers and augmenters are watched, replaced, added where nodes came, given up for the server."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from ray.exceptions import RayError, RayTaskError

from millrace.errors import DeadlineError, MillraceError, TrainingError, UsageError
from millrace.runs import MIXED
from millrace.workers.ray_runtime.actors import Actors
from millrace.workers.ray_runtime.causes import cause_of, why
from millrace.workers.ray_runtime.cluster import resources
from millrace.workers.ray_runtime.handover import MAPPED
from millrace.workers.ray_runtime.messages import ServerLoss, Status

PERIOD = 1.0  # seconds between two looks at who could join
PLACED = 60.0  # seconds for a worker that joins to be there
UNSTAFFED = 300.0  # seconds that a run may be without any worker; a machine new to this program compiles kernels first
GIVE_WAY = 30.0  # seconds for the server to start, where others may hold the CPU that it needs
LOSSES = 20  # looks at which workers were lost, in a row without a step between; a node takes all of its at once

# What went wrong and was survived: (kind, who, node or "", cause, step).
Incident = Callable[[str, str, str, str, int], None]


@dataclass(frozen=True)
class Staff:
    """How many actors a run has: workers between least and most, augmenters (None: one per node)."""

    least: int
    most: int
    augmenters: int | None


class Staffing:
    """Keeps as many actors at work as the run wants and the cluster has CPUs for. `leave` says who left."""

    def __init__(self, actors: Actors, staff: Staff, incident: Incident, leave: Callable[[str], None]) -> None:
        self._actors, self._staff, self._incident, self._leave = actors, staff, incident, leave
        self._look_at = 0.0
        self._staffed = time.monotonic()
        self._rest, self._rest_until = PLACED, 0.0  # after a worker that joined nowhere
        self._version, self._losses = -1, 0
        self._foreign: set[str] = set()  # who was admitted with another environment
        self._grown: set[str] = set()  # workers beyond the least number that have not joined yet

    def begin(self) -> None:
        """Start what the least number of workers lacks."""
        self.wait_anew()
        for _ in range(self._staff.least - self._actors.worker_count):
            self._actors.add_worker()

    def wait_anew(self) -> None:
        """Give workers their whole time to join: while there is no server none can."""
        self._staffed = time.monotonic()

    def recall(self) -> None:
        """Start workers where all have ended since their work was done, and a lost server has steps to do again."""
        if not self._actors.worker_count:
            self.begin()

    def watch(self, step: int) -> None:
        """Replace workers that are gone; raise what went wrong in one that is not merely lost."""
        losses = self._losses + 1
        for name, node, error in self._actors.gone():
            self._leave(name)
            if error is None:
                continue
            cause = cause_of(error)
            if isinstance(cause, TrainingError) or not isinstance(cause, (MillraceError, RayError)):
                raise cause from error
            if isinstance(error, RayTaskError) and not isinstance(cause, (DeadlineError, RayError)):
                self._refused(name, node, cause, step)
                continue
            self._incident("worker lost", name, node, why(cause), step)
            self._losses = losses
            if self._losses > LOSSES:
                raise TrainingError(
                    "workers are lost again and again without a step between",
                    got=why(cause),
                    do="look at the logs of their nodes",
                ) from error
            if self._actors.worker_count < self._staff.least:
                self._actors.add_worker()

    def tend(self, status: Status, step: int) -> None:
        """Once a second: note who is where, say who was lost, and let in whom there are CPUs for."""
        for name, node in self._actors.note(dict(zip(status.members, status.nodes, strict=True))).items():
            if name in self._grown:
                self._grown.remove(name)
                self._incident("worker joined", name, node, "a CPU was free", step)
        self.say_mapped(step)
        for name in set(status.members) - self._actors.workers:
            # Ended here, a member there: its `join` was taken for lost and carried out later. Without this its share
            # of every step would wait for the straggler's deadline.
            self._leave(name)
        for name in status.foreign.keys() - self._foreign:
            self._foreign.add(name)
            node = dict(zip(status.members, status.nodes, strict=True)).get(name, "")
            self._incident(MIXED, name, node, status.foreign[name], step)
        self._losses = 0 if status.version > self._version else self._losses
        self._version = status.version
        # What follows asks Ray and takes CPU from the workers: once a second.
        now = time.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + PERIOD
        losses = self._actors.augmenters.watch()
        for loss in losses:
            self._incident("augmenter lost", *loss, step)
        # A worker that has not joined yet may hold a CPU that still counts as free: none is added until it has.
        # Workers first: they can do without an augmenter.
        free = 0 if self._actors.late_workers(0.0) else int(resources("available").get("CPU", 0))
        free -= self._grow() if free else 0
        if (free > 0 and self._actors.augmenters.fill(free)) or losses:
            self._actors.assign()
        self._check_staffed(status, now)

    def say_mapped(self, step: int) -> None:
        """Say of each node on which the run has processes, once, that they map the table from a file."""
        for mapped in self._actors.mapped():
            self._incident(MAPPED, *mapped, step)

    def give_way(self, step: int, waited: float) -> None:
        """Free a CPU for the parameter server, where it has none: an augmenter's, or that of one of several workers."""
        wanted = self._actors.held + self._actors.servers.count
        fits = resources("cluster").get("CPU", 0) >= wanted  # it only takes its time, then
        if resources("available").get("CPU", 0) >= 1 or (fits and waited < GIVE_WAY + self._actors.patience()):
            return
        loss = self._actors.give_up()
        if loss is not None:
            self._incident("gave way to the parameter server", *loss, step)

    def admit_server(self, different: str, step: int) -> bool:
        """Whether the server may stay though its environment differs from the run's; else it is started elsewhere."""
        self._actors.find_server()
        if not self._actors.mixed:
            self.refuse_foreign(ServerLoss("server", self._actors.server_node, different), step)
        elif self._actors.server_node not in self._foreign:
            self._foreign.add(self._actors.server_node)
            self._incident(MIXED, "server", self._actors.server_node, different, step)
        return self._actors.mixed

    def refuse_foreign(self, which: ServerLoss, step: int) -> None:
        """`refuse_server` where its environment differs from the run's."""
        refusal = UsageError(
            "every node has another environment than the run, so bits would differ",
            expected=self._actors.environment,
            got=which.cause,
            do="start the run on a machine like the cluster's, or pass `mixed_cpus=True`",
        )
        self.refuse_server(which, refusal, step)

    def refuse_server(self, which: ServerLoss, refusal: MillraceError, step: int) -> None:
        """Start the server, or several, elsewhere; the refusal is raised where there is no other node."""
        self._incident("parameter server refused", *which, step)
        self._actors.move_server(which.node, refusal)

    def _refused(self, name: str, node: str, cause: BaseException, step: int) -> None:
        self._incident("worker refused", name, node, why(cause), step)
        self._actors.avoid(node)
        if not self._actors.worker_count:
            raise cause
        least = min(self._staff.least, self._actors.worker_count)
        self._staff = Staff(least, self._staff.most, self._staff.augmenters)

    def _grow(self) -> int:
        """One more worker where one is wanted and a CPU is free; the number added."""
        now = time.monotonic()
        if self._actors.worker_count >= self._staff.most or now < self._rest_until:
            return 0
        name = self._actors.add_worker()
        if self._actors.worker_count > self._staff.least:
            self._grown.add(name)
        return 1

    def _check_staffed(self, status: Status, now: float) -> None:
        """Give up a worker that joins nowhere, and the run where none is at work."""
        if self._actors.worker_count > self._staff.least:
            late = self._actors.late_workers(PLACED)
            for name in late and self._actors.late_workers(PLACED + self._actors.patience())[:1]:
                self._actors.end_worker(name)
                self._rest_until, self._rest = now + self._rest, 2 * self._rest
        if status.members:
            self._staffed = now
        elif now - self._staffed > UNSTAFFED and now - self._staffed > UNSTAFFED + self._actors.patience():
            raise DeadlineError(
                "no worker is at work",
                expected=f"one within {UNSTAFFED:g} s",
                got=f"{resources('available').get('CPU', 0):g} of {resources('cluster').get('CPU', 0):g} CPUs free",
                do="add nodes with free CPUs, or ask for fewer `augmenters`",
            )
