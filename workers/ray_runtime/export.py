"""Ray actors that write the shards of an export, on any number of nodes that see its folder."""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError

from millrace.cores import cores
from millrace.datasets.exported import Record
from millrace.errors import DeadlineError, MillraceError, UsageError
from millrace.pipeline.export import Done, ExportPlan, ShardWriter, check_claimed
from millrace.storage import Folder
from millrace.workers.ray_runtime.capacity import check_capacity
from millrace.workers.ray_runtime.causes import cause_of, why
from millrace.workers.ray_runtime.cluster import MIB, Need, connected, inside_job, resources
from millrace.workers.ray_runtime.handover import (
    MAPPED,
    Handover,
    MappedNodes,
    TableOffer,
    offered,
    patience,
    received,
    this_node,
)

STORE = 1024 * MIB  # shared memory of an own Ray
SHARD = 1800.0  # seconds that one shard may take
START = 180.0  # seconds in which a first actor, or a new one where none is left, must come
TABLE = 300.0  # seconds for the object store's part of the dataset to come
LOOK = 0.5  # seconds between two looks at whether to stop
TRIES = 4  # actors that one shard may cost, and starts in a row that may fail

LOGS = "look into the logs of Ray on its nodes, and at their memory"


class ShardActor:
    """Writes shards; the dataset lies in the node's shared memory, or in a file there, once."""

    def __init__(self, work: list[Any]) -> None:
        self._work: _Work = ray.get(work[0], timeout=TABLE)

    def ready(self) -> str:
        """This node, once work can begin. Errors: UsageError where it does not see the export's folder, DataError where
        its disk has no room for the table."""
        node, work = this_node(), self._work
        check_claimed(work.plan, work.folder, f"node {node[:8]}")
        self._writer = ShardWriter(work.plan, received(work.data, TABLE), work.folder, work.known)
        return node

    def alive(self) -> None:
        """Answer."""

    def shard(self, index: int) -> Done:
        """Make sure that a shard is whole."""
        return self._writer.shard(index)


class _Work(NamedTuple):
    """What a `ShardWriter` is made of on any node."""

    plan: ExportPlan
    data: Handover
    folder: Folder
    known: Mapping[int, Record]


class _Crew:
    """The actors of one export. Where one is lost another is asked for, and its shard is dealt again at once: the
    cluster may have no room for a new one before the others are done."""

    def __init__(self, work: Any, offer: TableOffer, size: int, note: Callable[[str], None]) -> None:
        self._kind: Any = ray.remote(ShardActor)
        self._work, self._offer, self._note = work, offer, note
        self._mapped = MappedNodes(offer)
        self._coming: dict[Any, Any] = {}
        self._idle: list[Any] = []
        self._asked: dict[Any, Any] = {}  # idle before another was lost: whether they still live is not known
        self._running: dict[Any, tuple[Any, int]] = {}
        self._left: deque[int] = deque()
        self._lost: Counter[int] = Counter()
        self._failed_starts = 0
        self._failed: BaseException | None = None
        for _ in range(size):
            self._hire()

    def deal(self, indices: Sequence[int], stopped: Callable[[], bool]) -> Iterator[Done]:
        """One shard at a time for each actor; after an error or a stop nothing new is begun."""
        self._left = deque(indices)
        waited = 0.0
        while True:
            ended = self._failed is not None or stopped()
            while self._idle and self._left and not ended:
                actor, index = self._idle.pop(), self._left.popleft()
                self._running[actor.shard.remote(index)] = actor, index
            if not self._running and (ended or not self._left):
                break
            done, _ = ray.wait([*self._running, *self._coming, *self._asked], timeout=LOOK)
            waited = 0.0 if done else waited + LOOK
            self._check_patience(waited)
            for reference in done:
                if reference in self._coming:
                    self._arrived(reference)
                elif reference in self._asked:
                    self._answered(reference)
                elif (found := self._finished(reference)) is not None:
                    yield found
        if self._failed is not None:
            raise self._failed

    def close(self) -> None:
        waiting = [*self._coming.values(), *self._asked.values(), *self._idle]
        for actor in [*waiting, *(actor for actor, _ in self._running.values())]:
            ray.kill(actor)

    def _hire(self) -> None:
        actor = self._kind.options(num_cpus=1, scheduling_strategy="SPREAD").remote([self._work])
        self._coming[actor.ready.remote()] = actor

    def _arrived(self, reference: Any) -> None:
        actor = self._coming.pop(reference)
        try:
            node = ray.get(reference, timeout=SHARD)
        except RayTaskError as error:
            self._fail(cause_of(error))
        except RayError as error:
            self._failed_starts += 1
            if self._failed_starts < TRIES:
                self._hire()
            else:
                self._fail(MillraceError("the cluster starts no actor", got=why(error), do=LOGS))
        else:
            self._failed_starts = 0
            for name, where, cause in self._mapped.fresh([node]):
                self._note(f"{MAPPED}: {name} on node {where[:8]} ({cause})")
            self._idle.append(actor)

    def _answered(self, reference: Any) -> None:
        actor = self._asked.pop(reference)
        with suppress(RayError):  # lost too, before it had a shard: it costs none a try
            ray.get(reference, timeout=SHARD)
            self._idle.append(actor)

    def _finished(self, reference: Any) -> Done | None:
        actor, index = self._running.pop(reference)
        try:
            done: Done = ray.get(reference, timeout=SHARD)
        except RayTaskError as error:
            self._idle.append(actor)
            self._fail(cause_of(error))
        except RayActorError as error:
            self._lost[index] += 1
            if self._lost[index] >= TRIES:
                shard = f"each of {TRIES} actors was lost with shard {index}"
                self._fail(MillraceError(shard, got=why(error), do=LOGS))
            self._left.appendleft(index)
            self._hire()
            self._asked |= {idle.alive.remote(): idle for idle in self._idle}
            self._idle.clear()
        except RayError as error:
            self._fail(error)
        else:
            self._idle.append(actor)
            return done
        return None

    def _fail(self, error: BaseException) -> None:
        self._failed = self._failed or error

    def _check_patience(self, waited: float) -> None:
        if self._running and waited > SHARD:
            raise DeadlineError("no shard was finished", expected=f"one within {SHARD:g} s", got="none")
        if not self._running and waited > START and waited > START + patience(self._offer):
            raise DeadlineError(
                "no actor could begin",
                expected=f"a free CPU, and the data there, within {START + patience(self._offer):.0f} s",
                got=f"{resources('available').get('CPU', 0):g} CPUs are free",
                do="wait for other runs on the cluster, or add nodes",
            )


class RayExecutor:
    """An executor, as `export_local.LocalExecutor`, of actors. actors: 0 for as many as there are CPUs. address: of a
    cluster that runs already; None: an own Ray on this machine, it joins no other. note: hears which nodes map the
    table."""

    def __init__(self, writer: ShardWriter, actors: int, address: str | None, note: Callable[[str], None]) -> None:
        self._writer, self._actors, self._address, self._note = writer, actors, address, note

    def run(self, indices: Sequence[int], stopped: Callable[[], bool]) -> Iterator[Done]:
        """Each index done, in the order in which they are."""
        local = self._writer.folder.local
        if inside_job() and local is not None and local.is_relative_to(Path.cwd()):
            raise UsageError(
                f"{local} lies in this job's copy of the project, which goes with the job",
                expected="a folder that stays",
                do="give `out` an absolute path, or an address such as s3://bucket/folder",
            )
        with connected(self._address, Need(self._actors or cores(), STORE)) as own:
            wanted = self._actors or int(resources("cluster").get("CPU", 0)) or cores()
            if not own:
                check_capacity(1)
            writer = self._writer
            offer, table = offered(writer.dataset)
            work = _Work(writer.plan, Handover(ray.put(offer), ray.put(table)), writer.folder, writer.known)
            crew = _Crew(ray.put(work), offer, min(wanted, max(1, len(indices))), self._note)
            try:
                yield from crew.deal(indices, stopped)
            finally:
                crew.close()


def executor(
    writer: ShardWriter, workers: int, address: str | None = None, note: Callable[[str], None] = lambda text: None
) -> RayExecutor:
    """The executor of `--runtime ray`. note: hears what is no fault."""
    return RayExecutor(writer, workers, address or ("auto" if inside_job() else None), note)
