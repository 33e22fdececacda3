"""Compute a run again, in this process: a stale one from its journal, any other from its configuration alone."""

import threading
from collections.abc import Sequence

from millrace.cores import cores
from millrace.runs import JournalRow, RunFolder
from millrace.workers.blas import one_blas_thread
from millrace.workers.events import Observer, Reporter, RunDone
from millrace.workers.job import Place
from millrace.workers.local_runtime import LocalRuntime
from millrace.workers.replay_server import ReplayServer
from millrace.workers.setup import Setup
from millrace.workers.stale_runtime import StaleRuntime
from millrace.workers.trainer import Trainer


def replay_here(
    setup: Setup,
    place: Place,
    folder: RunFolder,
    observer: Observer,
    stop: threading.Event,
    steps: int,
    rows: Sequence[JournalRow],
) -> RunDone:
    """Train from the first weights for so many steps, into a folder that is new and owned, or until `stop` is set.

    rows: of a stale run's journal, one a step; of another run they are not looked at.
    """
    report = Reporter(observer)
    with one_blas_thread():
        if setup.job.stale:
            runtime: LocalRuntime = StaleRuntime(setup, place, server=ReplayServer(setup, rows))
        else:
            runtime = LocalRuntime(setup, place)
        try:
            threads = place.most_workers or cores()
            return Trainer(setup, place, runtime, folder, report, stop, None, threads, steps).run()
        finally:
            runtime.close()
