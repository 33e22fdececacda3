"""The dispatcher: one parameter server, its leases and its members, without threads, processes or clocks of its own."""

from typing import NamedTuple

from millrace.workers.leases import Leases
from millrace.workers.parameter_server import ParameterServer, ServerState, Update
from millrace.workers.setup import Setup
from millrace.workers.tree import Block, Partial


class Task(NamedTuple):
    """What a member computes now: blocks of a step, of which `slots` exist, at the weights of that version; and the
    lease that it holds of the steps after, (rank, members). read: of a stale run, the version of the weights that are
    there now, which must be copied before the next contribution."""

    step: int
    slots: int
    blocks: list[Block]
    lease: tuple[int, int]
    read: int = -1


class Dispatcher:
    """Hands out tasks and takes contributions; updates the weights with the last one of a step.

    `allow` bounds the steps that are handed out. A contribution may be late, repeated, or from a member that has left:
    it counts if it is for this step and its slots are free, and is dropped whole otherwise.
    """

    def __init__(self, setup: Setup, state: ServerState | None = None, server: ParameterServer | None = None) -> None:
        self._setup = setup
        self.server = server or ParameterServer(setup, state)
        self.leases = Leases()
        self.limit = self.server.version
        self.retries = 0  # blocks handed out beyond the standing shares
        self.begin()

    @property
    def version(self) -> int:
        return self.server.version

    @property
    def ended(self) -> bool:
        return self.version >= self._setup.total_steps

    def allow(self, limit: int) -> None:
        """Steps below the limit may be handed out."""
        self.limit = limit

    def join(self, name: str) -> None:
        """A worker is there (again)."""
        self.leases.join(name)
        if not self.ended and len(self.leases.members) == 1:
            # The first member after a time without any holds what is left of the step.
            self.leases.loosen(self.server.missing())

    def leave(self, name: str) -> None:
        """A worker is gone: its slots go to the others."""
        self.leases.leave(name)

    def loosen(self) -> None:
        """The step takes too long: what is missing goes to whoever is idle."""
        self.leases.loosen(self.server.missing())

    def task(self, name: str) -> Task | None:
        """Work for an idle worker, None where there is none now."""
        if self.ended or self.version >= self.limit:
            return None
        fresh = not self.leases.has_begun(name)
        blocks = self.leases.assign(name, self.server.missing())
        if not blocks:
            return None
        self.retries += 0 if fresh else len(blocks)
        return Task(self.version, self._setup.order.slots(self.version), blocks, self.leases.standing(name))

    def contribute(self, step: int, block: Block, partial: Partial, name: str = "", read: int = -1) -> Update | None:
        """Take a contribution; the update, if it was the step's last. name, read: whose, and at which weights, which a
        stale run asks."""
        _, complete = self.server.contribute(step, block, partial)
        if not complete:
            return None
        update = self.server.update()
        self.begin()
        return update

    def begin(self) -> None:
        """The server has opened a step: every member holds its share of it."""
        if not self.ended:
            self.leases.begin(self._setup.order.slots(self.version))
