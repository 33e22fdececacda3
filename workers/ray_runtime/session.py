"""A run's time on Ray: connect, fetch, train, leave nothing behind."""

import shlex
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import ray

from millrace.cores import cores
from millrace.errors import TrainingError, UsageError
from millrace.model import Checkpoint
from millrace.runs import RunFolder
from millrace.workers.blas import one_blas_thread
from millrace.workers.checkpoints import server_state, take_up
from millrace.workers.clock import Clock
from millrace.workers.events import Notice, Observer, Reporter, RunDone
from millrace.workers.job import Job, Place
from millrace.workers.parameter_server import ServerState
from millrace.workers.ray_runtime.actors import Actors
from millrace.workers.ray_runtime.at_hand import AtHand
from millrace.workers.ray_runtime.augmenters import places
from millrace.workers.ray_runtime.capacity import check_capacity, demanded
from millrace.workers.ray_runtime.cluster import MIB, Need, alive_nodes, connected, inside_job, metrics_addresses
from millrace.workers.ray_runtime.last_words import last_words
from millrace.workers.ray_runtime.runtime import RayRuntime
from millrace.workers.ray_runtime.staffing import Incident, Staff
from millrace.workers.ray_runtime.variables import variables
from millrace.workers.ray_runtime.watch import Watch
from millrace.workers.segment import spans
from millrace.workers.setup import Setup
from millrace.workers.trace import write_trace
from millrace.workers.trainer import Trainer

CHECKPOINT_EVERY = 10.0  # seconds at most: what is lost with a server is computed again
OWN_STORE = 1024 * MIB  # shared memory of an own Ray; it is taken only as it is used
LEAVE = 10.0


class RaySession:
    """A connection to Ray with the run's data in its shared memory; `setup.dataset` is read there without a copy."""

    def __init__(self, job: Job, place: Place, actors: Actors, staff: Staff) -> None:
        self._place, self._actors, self._staff = place, actors, staff
        self.setup = Setup(job, actors.dataset())

    def train(
        self, folder: RunFolder, observer: Observer, stop: threading.Event, checkpoint: Checkpoint | None = None
    ) -> RunDone:
        """As `workers.local_training.train`, with actors; ends in the same bytes, unless the run is stale."""
        setup, report = self.setup, Reporter(observer)
        _warn_of_a_local_folder(folder, report)
        state = take_up(checkpoint, folder, report)

        def latest() -> ServerState | None:
            newest = folder.latest(dataset_digest=setup.dataset.digest, model=setup.network.text)
            return server_state(newest) if newest is not None else None

        incident = _incidents(folder, report)
        watch = Watch(lambda text: report(Notice(text)), incident, "batches" if setup.job.stale else "slots")
        runtime = RayRuntime(setup, self._actors, self._staff, latest, incident, state, watch)
        report(Notice(f"metrics for Prometheus: {' '.join(metrics_addresses()[:3])}"))
        every = min(self._place.checkpoint_every, CHECKPOINT_EVERY)
        place = replace(self._place, checkpoint_every=every)
        try:
            trainer = Trainer(setup, place, runtime, folder, report, stop, checkpoint, cores())
            try:
                with last_words(_if_ended(folder)):
                    return trainer.run()
            finally:
                self._trace(trainer.clock, report)
        finally:
            runtime.close()

    def _trace(self, clock: Clock, report: Reporter) -> None:
        """Write what the actors kept, where that is asked for. clock: the trainer's."""
        if self._place.trace is None:
            return
        self._actors.stop(LEAVE)
        kept = self._actors.stretches(LEAVE)
        write_trace(self._place.trace, {**kept, "trainer": clock.stretches or ()}, report)


def _if_ended(folder: RunFolder) -> str:
    """What is said where the driver is ended with its node."""
    error = TrainingError(
        "this program was ended without a word of its own",
        got="kill -9, or the loss of its node or of the cluster's head, at which Ray ends it at once",
        do=f"millrace resume {shlex.quote(folder.location)}, with --runtime local or ray if the cluster is gone",
    )
    return f"error: {error}\n"


def _warn_of_a_local_folder(folder: RunFolder, observer: Observer) -> None:
    if inside_job() and Path(folder.location).is_relative_to(Path.cwd()):
        observer(
            Notice(
                f"the run's folder {folder.location} lies in this job's copy of the project, which goes with the "
                f"cluster: give `out` an absolute path or an address such as s3://bucket/run"
            )
        )
    nodes = len(alive_nodes())
    if nodes > 1 and not folder.shared:
        observer(
            Notice(
                f"the run's folder {folder.location} lies on this machine alone, and the cluster has {nodes} nodes: "
                f"if this machine is lost, so is the run; keep it elsewhere with `out=s3://bucket/run` (or gs://), "
                f"or on a disk that other nodes see too"
            )
        )


def _incidents(folder: RunFolder, observer: Observer) -> Incident:
    """What went wrong and was survived: a line in the run's folder and a notice."""

    def incident(kind: str, who: str, node: str, cause: str, step: int) -> None:
        folder.note_incident(kind, who, node, cause, step)
        observer(Notice(f"{kind}: {who}{f' on node {node[:8]}' if node else ''} ({cause})"))

    return incident


def _check_stale(job: Job, place: Place, note: Callable[[str], None]) -> None:
    """Refuse, or say of, what a stale run has no use for."""
    if place.servers > 1:
        raise UsageError(
            "the weights of a stale run lie on one server",
            expected="`servers=1`, or `staleness=0`",
            got=f"servers {place.servers}, staleness {job.staleness}",
            do="leave out one of them",
        )
    if place.augmenters:
        note("augmenters are of no use to a stale run on Ray, whose workers make their batches: there will be none")


def _staff(job: Job, place: Place, alone: bool) -> Staff:
    """How many actors there are. alone: on an own Ray, whose CPUs are as many as a run asks for. There an augmenter has
    to find a core beside the workers: where it takes a worker's, the others wait for that one at every step."""
    least, augmenters = place.least_workers or cores(), place.augmenters
    if alone and augmenters is None:
        augmenters = int(cores() > least)
    return Staff(least, max(least, place.most_workers), 0 if job.stale else augmenters)


@contextmanager
def session(job: Job, place: Place, note: Callable[[str], None] = lambda text: None) -> Iterator[RaySession]:
    """Connect, check that the cluster is large enough, and fetch the data; ends every actor, and an own Ray, after.
    note: hears what is waited for."""
    if job.stale:
        _check_stale(job, place, note)
    alone = place.address is None and not ray.is_initialized()
    staff = _staff(job, place, alone)
    extra = 1 if staff.augmenters is None else staff.augmenters
    need = Need(staff.most + extra + place.servers, OWN_STORE)
    with ExitStack() as stack:
        stack.enter_context(variables(own=alone))  # before the thread that opens the data
        at_hand = AtHand(job, mirror=place.mirror, offline=place.offline) if alone else None
        own = stack.enter_context(connected(place.address, need))
        stack.enter_context(one_blas_thread())
        if not own:
            stack.enter_context(demanded(need.cpus))
            makers = len(places()) if staff.augmenters is None else staff.augmenters
            check_capacity(staff.least + makers + place.servers, note=note)
        actors = Actors(
            job,
            mirror=place.mirror,
            offline=place.offline,
            bound=max(1, place.read_ahead) * MIB,
            mixed=place.mixed_cpus,
            augmenters=staff.augmenters,
            servers=place.servers,
            traced=place.trace is not None,
            dataset=at_hand.dataset() if at_hand is not None else None,
        )
        try:
            actors.begin(staff.least, note)
            found = RaySession(job, place, actors, staff)
            spans(found.setup.network.parameters, place.servers)  # refuses more servers than there are parts
            yield found
        finally:
            actors.close(LEAVE)
