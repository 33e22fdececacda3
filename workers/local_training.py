"""Train a job in this process."""

import threading

from millrace.datasets import Dataset
from millrace.model import Checkpoint, differences, fingerprint
from millrace.runs.folder import RunFolder
from millrace.workers.blas import one_blas_thread
from millrace.workers.events import Notice, Observer, RunDone
from millrace.workers.job import Job, Place
from millrace.workers.local_runtime import LocalRuntime, cores
from millrace.workers.setup import Setup
from millrace.workers.trainer import Trainer, server_state


def train(
    job: Job,
    place: Place,
    dataset: Dataset,
    folder: RunFolder,
    observer: Observer,
    stop: threading.Event,
    checkpoint: Checkpoint | None = None,
) -> RunDone:
    """Train from the start, or on from a checkpoint, until the end or until `stop` is set.

    The folder must be owned (`RunFolder.own`). A checkpoint of other data, another network or another environment:
    see `RunFolder.latest` and `model.differences`; the last is announced here and never refused.
    """
    setup = Setup(job, dataset)
    if checkpoint is not None:
        folder.drop_after(checkpoint.step)
        for difference in differences(fingerprint(), checkpoint.fingerprint):
            observer(Notice(f"another environment than the checkpoint's: {difference}; bits may differ from here on"))
    with one_blas_thread():
        runtime = LocalRuntime(setup, place, server_state(checkpoint) if checkpoint else None)
        try:
            threads = place.most_workers or cores()
            return Trainer(setup, place, runtime, folder, observer, stop, checkpoint, threads).run()
        finally:
            runtime.close()
