"""What Prometheus sees of a run, on each node's metrics port."""

import time

from ray.util.metrics import Counter, Gauge

from workers.parameter_server import Update

EVERY = 0.5  # seconds between two settings of a gauge


class ServerGauges:
    """The parameter server's gauges and counters, all named millrace_…."""

    def __init__(self) -> None:
        self._speed = Gauge("millrace_samples_per_second", "samples trained on per second")
        self._step = Gauge("millrace_step_seconds", "seconds between two updates of the weights")
        self._waiting = Gauge("millrace_data_waiting_share", "share of the workers' time spent waiting for data")
        self._flight = Gauge(
            "millrace_bytes_in_flight", "bytes of batches asked for and not used yet", tag_keys=("worker",)
        )
        self._retries = Gauge("millrace_lease_retries", "blocks that were leased again")
        self._steps = Counter("millrace_steps", "updates of the weights")
        self._next = 0.0
        self._samples, self._seconds, self._waited, self._done = 0, 0.0, 0.0, 0
        self._flights: dict[str, int] = {}

    def in_flight(self, worker: str, size: int) -> None:
        """A worker's bytes in flight."""
        self._flights[worker] = size

    def step(self, update: Update, seconds: float, waiting: float, retries: int) -> None:
        """A finished step; means over the time since the last setting."""
        self._samples += update.samples
        self._seconds += seconds
        self._waited += waiting * seconds
        self._done += 1
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + EVERY
        self._speed.set(self._samples / self._seconds)
        self._step.set(self._seconds / self._done)
        self._waiting.set(self._waited / self._seconds)
        self._retries.set(retries)
        self._steps.inc(self._done)
        for worker, size in self._flights.items():
            self._flight.set(size, tags={"worker": worker})
        self._samples, self._seconds, self._waited, self._done = 0, 0.0, 0.0, 0
