"""The clock of a parameter server, and what its workers say of their own."""

from millrace.runs import IDLE, TRAINER, Spent
from millrace.workers.clock import Clock


class ServerClock(Clock):
    """Of the one event loop in which a server does everything."""

    __slots__ = ("_workers",)

    def __init__(self, traced: bool = False) -> None:
        super().__init__(traced=traced)
        self._workers: dict[str, Spent] = {}

    def hear(self, name: str, spent: Spent | None) -> None:
        """What a worker has done so far, where it says so."""
        if spent is not None:
            self._workers[name] = spent

    def leave(self, name: str) -> None:
        """A worker is gone."""
        self._workers.pop(name, None)

    def rest(self, halted: bool) -> None:
        """There is nothing to do until a call comes. halted: since the trainer allows no step now."""
        self.enter(TRAINER if halted else IDLE)

    @property
    def all(self) -> dict[str, Spent]:
        """What this server and its workers have done so far, by name."""
        return {**self._workers, "server": self.spent}
