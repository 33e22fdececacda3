"""The dispatcher of a stale run: whole batches to whoever is idle, an update for each that comes."""

from millrace.workers.dispatcher import Dispatcher, Task
from millrace.workers.parameter_server import ServerState, Update
from millrace.workers.setup import Setup
from millrace.workers.stale_server import Grant, StaleServer
from millrace.workers.tree import Block, Partial, root


class StaleDispatcher(Dispatcher):
    """Members have no shares of a step. A batch whose member leaves, or is too slow, is handed out again; what that
    member brings for it later is dropped whole. After an update that failed nothing is taken or handed out: each call
    for it raises what went wrong."""

    server: StaleServer

    def __init__(self, setup: Setup, state: ServerState | None = None) -> None:
        super().__init__(setup, state, StaleServer(setup, state))
        self._failure: Exception | None = None

    def join(self, name: str) -> None:
        self.server.grants.lose(number(name))
        self.leases.join(name)

    def leave(self, name: str) -> None:
        self.server.grants.lose(number(name))
        self.leases.leave(name)

    def loosen(self) -> None:
        """No update comes: the batch that is out for the longest goes to whoever is idle."""
        latest = self.server.grants.latest
        if latest is not None:
            self.server.grants.lose(latest)

    def task(self, name: str) -> Task | None:
        if self._failure is not None:
            raise self._failure
        if name not in self.leases.members:
            return None
        grant = self.server.grants.take(number(name), self.version, self.limit)
        if grant is None:
            return None
        slots = self._setup.order.slots(grant.batch)
        return Task(grant.batch, slots, [root(slots)], (0, 1), grant.read)

    def contribute(self, step: int, block: Block, partial: Partial, name: str = "", read: int = -1) -> Update | None:
        if self._failure is not None:
            raise self._failure
        try:
            return self.server.give(number(name), Grant(step, read), partial)
        except Exception as error:
            self._failure = error
            raise


def number(name: str) -> int:
    """Of a worker: 3 for `worker-3`."""
    return int(name.rpartition("-")[2])
