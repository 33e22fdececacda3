"""The dispatcher under everything that a network and mortal workers do: messages lost, late, repeated, out of order."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from millrace.workers.dispatcher import Dispatcher
from millrace.workers.tree import Block, Partial
from tests.workers.runs import STEPS
from tests.workers.test_parameter_server import partial, plain, plain_weights, setup

NAMES = ("a", "b", "c", "d")
Message = tuple[int, Block, Partial]


class Members(RuleBasedStateMachine):
    """Members are told what to compute; what they send lies in a net that delivers, repeats or loses it as it likes."""

    def __init__(self) -> None:
        super().__init__()
        self.dispatcher = Dispatcher(setup())
        self.dispatcher.allow(STEPS)
        self.net: list[Message] = []
        self.old: list[Message] = []  # what was delivered before: it may come again
        self.updates = 0

    @rule(name=st.sampled_from(NAMES))
    def join(self, name: str) -> None:
        self.dispatcher.join(name)

    @rule(name=st.sampled_from(NAMES))
    def leave(self, name: str) -> None:
        self.dispatcher.leave(name)

    @rule()
    def wait_too_long(self) -> None:
        self.dispatcher.loosen()

    @rule(name=st.sampled_from(NAMES))
    def work(self, name: str) -> None:
        self.net += self._computed(name)

    @precondition(lambda self: self.net)
    @rule(data=st.data(), loss=st.sampled_from([False, False, False, True]))
    def deliver(self, data: st.DataObject, loss: bool) -> None:
        message = self.net.pop(data.draw(st.integers(0, len(self.net) - 1)))
        if not loss:
            self._deliver(message)

    @precondition(lambda self: self.old)
    @rule(data=st.data())
    def deliver_again(self, data: st.DataObject) -> None:
        self._deliver(data.draw(st.sampled_from(self.old[-8:])))

    @precondition(lambda self: self.dispatcher.version < STEPS)
    @rule(data=st.data())
    def somebody_sends_a_block_that_nobody_asked_for(self, data: st.DataObject) -> None:
        step = self.dispatcher.version
        slots = setup().order.slots(step)
        size = data.draw(st.sampled_from([size for size in (1, 2, 4) if size < 2 * slots]))
        block = Block(data.draw(st.integers(0, (slots - 1) // size)) * size, size)
        self._deliver((step, block, partial(step, block)))

    @rule()
    def the_server_starts_again_from_its_snapshot(self) -> None:
        self.dispatcher = Dispatcher(setup(), self.dispatcher.server.snapshot())
        self.dispatcher.allow(STEPS)

    @precondition(lambda self: self.dispatcher.version < STEPS)
    @rule(name=st.sampled_from(NAMES))
    def calm(self, name: str) -> None:
        """All that is under way is lost; one member that works on finishes the step, once the wait is too long."""
        before = self.dispatcher.version
        self.net.clear()
        self.dispatcher.join(name)
        self.dispatcher.loosen()
        for _ in range(2 * setup().order.slots(before)):
            for message in self._computed(name):
                self._deliver(message)
            if self.dispatcher.version > before:
                return
        raise AssertionError(f"step {before} lacks {self.dispatcher.server.missing()}")

    @invariant()
    def holds(self) -> None:
        assert self.dispatcher.version == self.updates
        assert self.dispatcher.server.snapshot().weights.tobytes() == plain_weights(self.updates)

    def _computed(self, name: str) -> list[Message]:
        """What a member sends for its next task."""
        task = self.dispatcher.task(name)
        if task is None:
            return []
        assert task.step == self.dispatcher.version
        return [(task.step, block, partial(task.step, block)) for block in task.blocks]

    def _deliver(self, message: Message) -> None:
        step, block, sent = message
        # A gradient is added to in place: what comes again was computed again.
        fresh = partial(step, block)._replace(loss=sent.loss)
        update = self.dispatcher.contribute(step, block, fresh)
        self.old.append(message)
        if update is not None:
            assert update == plain()[self.updates]
            self.updates += 1


TestMembers = Members.TestCase
TestMembers.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)
