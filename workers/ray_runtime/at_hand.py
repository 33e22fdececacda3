"""A dataset whose table lies in this user's cache: the driver of an own Ray opens it while Ray starts, and no process
has to be started for it."""

import threading

import ray

from millrace.datasets import Dataset, find, is_cached, load
from millrace.workers.job import Job
from millrace.workers.ray_runtime.handover import Handover, offered

OPENED = 600.0  # seconds; files of one's own are looked through, however many they are


class AtHand:
    """The dataset, opened in a thread that begins at once."""

    def __init__(self, job: Job, *, mirror: str | None, offline: bool) -> None:
        self._job, self._mirror, self._offline = job, mirror, offline
        self._dataset: Dataset | None = None
        self._thread = threading.Thread(target=self._open, name="at-hand", daemon=True)
        self._thread.start()

    def dataset(self) -> Dataset | None:
        """The dataset; None where its table does not lie in the cache, where it cannot be opened, or not soon: whoever
        fetches it says why."""
        self._thread.join(OPENED)
        return self._dataset

    def _open(self) -> None:
        try:
            spec = find(self._job.dataset, self._job.reading)
            if is_cached(spec, mirror=self._mirror):
                self._dataset = load(spec, mirror=self._mirror, offline=self._offline)
        except Exception:
            self._dataset = None


def handed(dataset: Dataset) -> Handover:
    """What this process hands over itself. Errors: those of `offered`."""
    return Handover(*map(ray.put, offered(dataset)))
