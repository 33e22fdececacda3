"""What a place to run must offer the trainer; local threads and Ray actors are two of them."""

from collections.abc import Sequence
from typing import Protocol

from millrace.runs import Spent
from millrace.workers.parameter_server import ServerState, Update


class Rewound(Exception):
    """The server of a stale run was lost, with all that came since the newest checkpoint: from there it goes on, and
    what was reported since does not count. Any call of a runtime may raise it."""


class Runtime(Protocol):
    """Steps are computed by themselves as far as they are allowed to; the trainer only watches."""

    kind: str  # local or ray
    workers: int
    augmenters: int
    copied: int  # bytes of arrays copied between processes so far

    @property
    def cores(self) -> int:
        """Of all machines that compute."""

    def start(self) -> None:
        """Begin with the step that the server's state asks for."""

    def allow(self, limit: int) -> None:
        """Steps below `limit` may be computed."""

    def cut(self, epochs: Sequence[int]) -> None:
        """The epochs from whose beginning on the plateau schedule cuts the rate; comes before their steps."""

    def finished(self, timeout: float) -> list[Update]:
        """The steps finished since the last call, in order, after waiting `timeout` seconds at most for the
        first; raises what went wrong in a worker, once the steps finished before it have been handed out."""

    def snapshot(self) -> ServerState:
        """Copies of the server's state, from between two steps."""

    def spent(self) -> dict[str, Spent]:
        """What each thread that computes has done so far, by role and number: `worker-0`, `augmenter-1`, `server`."""

    def close(self) -> None:
        """End the workers; never raises what `finished` would."""
