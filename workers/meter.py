"""The meter: where the time of a run goes, as a line of stages.jsonl for each stretch of steps."""

from time import perf_counter, process_time

from millrace.cores import worked
from millrace.runs import RECORD, JsonLines, RunFolder, Spent, StageLine, by_role, halted
from millrace.workers.clock import Clock
from millrace.workers.job import Place
from millrace.workers.runtime import Runtime
from millrace.workers.setup import Setup

OFTEN = 1.0  # seconds of a line at least
SHARE = 1 / 200  # of all the time so far: so a run of days has some thousand lines
MIB = 1 << 20


class Meter:
    """Writes lines into the run's folder from step `step` on; what is there of later steps is cut. clock: the
    trainer's."""

    def __init__(
        self, setup: Setup, place: Place, runtime: Runtime, folder: RunFolder, step: int, clock: Clock
    ) -> None:
        self._setup, self._runtime, self._folder, self._clock = setup, runtime, folder, clock
        bound = place.read_ahead * MIB
        self._room = max(1, bound // setup.stream.slot_bytes) if bound else 0
        self._lines = JsonLines(folder.stages, "step", step)
        self._step = step
        self._before: dict[str, Spent] = {}  # what was made ahead of the run's start counts too
        clock.begin(RECORD)
        self._began = self._last = perf_counter()
        self._cpu, self._machine = process_time(), worked()

    def rewind(self, step: int) -> None:
        """The run goes on from an earlier step: lines of later ones are cut, what was done for them counts for none."""
        self._lines.close()
        self._lines = JsonLines(self._folder.stages, "step", step)
        self._step, self._before, self._last = step, self._spent(), perf_counter()
        self._cpu, self._machine = process_time(), worked()

    def look(self, step: int) -> StageLine | None:
        """The steps below `step` are done: their line, where it is time for one."""
        now = perf_counter()
        due = now - self._last >= max(OFTEN, SHARE * (now - self._began))
        return self.take(step) if due and step > self._step else None

    def take(self, step: int) -> StageLine:
        """The line of all since the last one, which may be of no step: then it has what the trainer did since."""
        now, cpu, machine, order = perf_counter(), process_time(), worked(), self._setup.order
        spent = self._spent()
        local, used = self._runtime.kind == "local", cpu - self._cpu
        line = StageLine(
            step=step - 1,
            steps=step - self._step,
            seconds=now - self._last,
            runtime=self._runtime.kind,
            cores=self._runtime.cores,
            slots=order.most_slots,
            rows=min(order.slot, order.batch),
            batch=order.batch,
            room=self._room,
            stale=self._setup.job.stale,
            cpu=used if local else 0.0,
            roles=halted(by_role({name: one.since(self._before.get(name)) for name, one in spent.items()})),
            others=max(machine - self._machine - used, 0.0) if local and machine and self._machine else 0.0,
            parameters=self._setup.network.parameters,
        )
        self._step, self._last, self._cpu, self._before, self._machine = step, now, cpu, spent, machine
        self._lines.write(line.as_dict())
        self._lines.flush()
        return line

    def end(self, step: int) -> None:
        """The last line, which an address has too when this returns."""
        self.take(step)
        self._folder.publish(self._folder.stages.name)

    def close(self) -> None:
        """Flush to the disk and close; nothing is written where the run is another driver's by now."""
        self._lines.abandon() if self._folder.lost else self._lines.close()

    def _spent(self) -> dict[str, Spent]:
        return {**self._runtime.spent(), "trainer": self._clock.spent}
