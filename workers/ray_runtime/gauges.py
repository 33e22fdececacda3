"""What Prometheus sees of a run, on the metrics port of the parameter server's node; Ray puts ray_ before each name."""

import time

from ray.util.metrics import Counter, Gauge

from millrace.workers.parameter_server import Update

EVERY = 0.5  # seconds between two settings of a gauge

GAUGES = {
    "millrace_samples_per_second": "samples trained on per second",
    "millrace_step_seconds": "seconds between two updates of the weights",
    "millrace_data_waiting_share": "share of the workers' time spent waiting for data",
    "millrace_gradient_norm": "Euclidean norm of the averaged gradient, before clipping",
    "millrace_lease_retries": "blocks that were leased again",
    "millrace_copied_bytes_per_step": "bytes of batches, gradients and weights copied between actors, per step",
}
IN_FLIGHT = "millrace_bytes_in_flight"
STEPS = "millrace_steps"


class ServerGauges:
    """The parameter server's gauges and counters, all named millrace_…; means over the time since the last setting."""

    def __init__(self) -> None:
        self._gauges = {name: Gauge(name, what) for name, what in GAUGES.items()}
        self._flight = Gauge(IN_FLIGHT, "bytes of batches asked for and not used yet", tag_keys=("worker",))
        self._steps = Counter(STEPS, "updates of the weights")
        self._next = 0.0
        self._samples, self._seconds, self._waited, self._done, self._copied = 0, 0.0, 0.0, 0, 0
        self._flights: dict[str, int] = {}

    @property
    def due(self) -> bool:
        """Whether the next step sets the gauges; it then needs the gradient's norm, which the others are spared."""
        return time.monotonic() >= self._next

    def in_flight(self, worker: str, size: int) -> None:
        """A worker's bytes in flight."""
        self._flights[worker] = size

    def leave(self, worker: str) -> None:
        """A worker is gone: nothing is in flight to it any more."""
        if self._flights.pop(worker, None) is not None:
            self._flight.set(0, tags={"worker": worker})

    def step(self, update: Update, retries: int, copied: int) -> None:
        """A finished step; retries and copied (bytes) count from the server's start."""
        self._samples += update.samples
        self._seconds += update.seconds
        self._waited += update.waiting * update.seconds
        self._done += 1
        if update.norm is None:
            return
        self._next = time.monotonic() + EVERY
        self._set("millrace_samples_per_second", self._samples / self._seconds)
        self._set("millrace_step_seconds", self._seconds / self._done)
        self._set("millrace_data_waiting_share", self._waited / self._seconds)
        self._set("millrace_gradient_norm", update.norm)
        self._set("millrace_lease_retries", retries)
        self._set("millrace_copied_bytes_per_step", (copied - self._copied) / self._done)
        self._steps.inc(self._done)
        for worker, size in self._flights.items():
            self._flight.set(size, tags={"worker": worker})
        self._samples, self._seconds, self._waited, self._done, self._copied = 0, 0.0, 0.0, 0, copied

    def _set(self, name: str, value: float) -> None:
        self._gauges[name].set(value)
