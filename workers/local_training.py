"""Train a job in this process."""

import threading

from millrace.cores import cores
from millrace.model import Checkpoint
from millrace.runs import RunFolder
from millrace.workers.blas import one_blas_thread
from millrace.workers.checkpoints import take_up
from millrace.workers.events import Observer, Reporter, RunDone
from millrace.workers.job import Place
from millrace.workers.local_runtime import LocalRuntime
from millrace.workers.setup import Setup
from millrace.workers.stale_runtime import StaleRuntime
from millrace.workers.trace import write_trace
from millrace.workers.trainer import Trainer


def train(
    setup: Setup,
    place: Place,
    folder: RunFolder,
    observer: Observer,
    stop: threading.Event,
    checkpoint: Checkpoint | None = None,
) -> RunDone:
    """Train from the start, or on from a checkpoint, until the end or until `stop` is set.

    The folder must be owned (`RunFolder.own`). A checkpoint of other data, another network or another environment:
    see `RunFolder.latest` and `model.differences`; the last is announced here and never refused.
    """
    report = Reporter(observer)
    state = take_up(checkpoint, folder, report)
    with one_blas_thread():
        runtime = (StaleRuntime if setup.job.stale else LocalRuntime)(setup, place, state)
        try:
            threads = place.most_workers or cores()
            trainer = Trainer(setup, place, runtime, folder, report, stop, checkpoint, threads)
            try:
                return trainer.run()
            finally:
                runtime.close()
                clocks = {**runtime.clocks, "trainer": trainer.clock}
                write_trace(place.trace, {name: clock.stretches or () for name, clock in clocks.items()}, report)
        finally:
            runtime.close()
