"""The trainer: watches a runtime, keeps metrics and checkpoints, measures at the epochs' edges. It moves no arrays."""

import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from millrace.datasets import images, labels
from millrace.errors import DeadlineError, Diverged
from millrace.model import Checkpoint, fingerprint
from millrace.runs import CHECKPOINT, IDLE, RECORD, VALIDATE, RunFolder, reproducible
from millrace.workers.beginning import started
from millrace.workers.checkpoints import TimeSpent, compose
from millrace.workers.clock import Clock
from millrace.workers.evaluation import Evaluation, evaluate
from millrace.workers.events import CheckpointWritten, EpochDone, Notice, Reporter, RunDone, StagesDone, StepDone
from millrace.workers.idle import idle_workers
from millrace.workers.job import Place
from millrace.workers.meter import Meter
from millrace.workers.parameter_server import ServerState, Update
from millrace.workers.records import Records
from millrace.workers.runtime import Rewound, Runtime
from millrace.workers.setup import Setup
from millrace.workers.standstill import Standstill
from millrace.workers.verdicts import Verdicts

POLL = 0.1  # seconds between two looks at the runtime
REST, AHEAD = 0.05, 8  # the longest rest after a look; taken only while at least so many steps may be computed
REPORT = 900.0  # seconds for the steps of a checkpoint to be reported, which are finished


class Trainer:
    """One run from a state to its end, to a stop, or to the step `until`. `report` is called from the thread that calls
    `run`."""

    def __init__(
        self,
        setup: Setup,
        place: Place,
        runtime: Runtime,
        folder: RunFolder,
        report: Reporter,
        stop: threading.Event,
        checkpoint: Checkpoint | None = None,
        threads: int = 1,
        until: int | None = None,
    ) -> None:
        self._setup, self._place, self._runtime = setup, place, runtime
        self._folder, self._report, self._stop, self._threads = folder, report, stop, threads
        self.clock = Clock(RECORD, traced=place.trace is not None)
        self._take_up(checkpoint)
        self._meter = Meter(setup, place, runtime, folder, self._step, self.clock)
        self._first = self._step
        self._standstill = Standstill(setup)
        self._until = setup.total_steps if until is None else until
        self._fingerprint = fingerprint()
        folder.notice = lambda text: report(Notice(text))

    def run(self) -> RunDone:
        """Train to the end, or until `stop` is set, or the observer fails, whose error is raised; a checkpoint is
        written in all three cases."""
        self._announce()
        self._runtime.start()
        try:
            while True:
                try:
                    return self._train()
                except Rewound:
                    self._rewind()
        except Diverged:
            with suppress(Diverged, Rewound):
                self._next(0.0)  # the last steps before it say most about it
            raise
        finally:
            self._records.close()
            self._meter.close()

    def _train(self) -> RunDone:
        self._allow()
        last_checkpoint = time.monotonic()
        while not self._ended and self._step < self._until and not self._stopped:
            self._next(POLL)
            self._rest()
            if time.monotonic() - last_checkpoint >= self._place.checkpoint_every:
                self._checkpoint()
                last_checkpoint = time.monotonic()
        done = self._end()
        if self._report.failure is not None:
            raise self._report.failure
        return done

    def _take_up(self, checkpoint: Checkpoint | None) -> None:
        """Be where the run was at this checkpoint; None: at its start."""
        self._step = checkpoint.step if checkpoint else 0
        kept = checkpoint.state if checkpoint else {}
        self._records = Records(self._setup, self._folder, checkpoint)
        self._spent = TimeSpent(**kept.get("trainer", {}))
        self._verdicts = Verdicts(self._setup.job, kept.get("verdicts"))
        self._pending: deque[Update] = deque()
        self._limit, self._seconds = 0, 0.0  # what the runtime may compute; how long the last step took
        best = (self._verdicts.best.epoch + 1) * self._setup.order.steps_per_epoch
        if checkpoint is not None and self._setup.job.stale and self._verdicts.keeps_best and best == self._step > 0:
            self._folder.write_best(checkpoint)  # see `_decide`

    def _rewind(self) -> None:
        """Go back to the newest checkpoint, as the runtime has."""
        self._records.close()
        digest, model = self._setup.dataset.digest, self._setup.network.text
        checkpoint = self._folder.latest(dataset_digest=digest, model=model)
        self._take_up(checkpoint)
        self._meter.rewind(self._step)
        where = "its newest checkpoint" if checkpoint is not None else "its start: there is no checkpoint yet"
        self._report(Notice(f"the run goes on from step {self._step:,}, {where}"))

    @property
    def _stopped(self) -> bool:
        return self._stop.is_set() or self._report.failure is not None

    @property
    def _ended(self) -> bool:
        return self._step >= self._setup.total_steps or self._verdicts.stop

    def _next(self, timeout: float, until: int | None = None) -> None:
        """Take in finished steps, waiting `timeout` for the first, but none from step `until` on."""
        if not self._pending:
            began = time.monotonic()
            with self.clock.within(IDLE):
                self._pending.extend(self._runtime.finished(timeout))
            if not self._pending:
                self._standstill.waited(time.monotonic() - began)
        while self._pending and (until is None or self._pending[0].step < until):
            self._record(self._pending.popleft())
        self._folder.check_owner()
        self._records.flush()
        if line := self._meter.look(self._step):
            self._report(StagesDone(line))

    def _rest(self) -> None:
        """Leave the cores to the workers for the next steps: each look interrupts one of them."""
        if self._limit - self._step >= AHEAD and not self._ended:
            with self.clock.within(IDLE):
                self._stop.wait(min(REST, 4 * self._seconds))

    def _announce(self) -> None:
        if idle := idle_workers(self._setup, self._place.most_workers, self._threads):
            self._report(Notice(idle))
        self._report(started(self._setup, self._runtime, self._folder, self._step))

    def _allow(self) -> None:
        """Up to the epoch's edge where there is something to do at it, else to the end."""
        if self._ended:
            return
        if self._verdicts.cuts:
            self._runtime.cut(self._verdicts.cuts)
        per_epoch = self._setup.order.steps_per_epoch
        edge = (self._step // per_epoch + 1) * per_epoch
        self._limit = min(edge if len(self._setup.split.validation) else self._setup.total_steps, self._until)
        self._runtime.allow(self._limit)

    def _record(self, update: Update) -> None:
        """A finished step: its line of metrics, its event, and what is due where it ends its epoch."""
        done = StepDone(
            step=update.step,
            epoch=self._setup.order.epoch(update.step),
            loss=update.loss / update.samples,
            accuracy=update.correct / update.samples,
            rate=update.rate,
            samples_per_second=round(update.samples / update.seconds, 1),
            waiting=round(update.waiting, 6),
            staleness=None if update.row is None else update.step - update.row.read,
        )
        self._records.step(done, update.row)
        self._step, self._seconds = update.step + 1, update.seconds
        self._standstill.moved(update.seconds)
        self._spent.seconds += update.seconds
        self._spent.epoch_seconds += update.seconds
        self._spent.epoch_waiting += update.seconds * update.waiting
        self._report(done)
        if self._step % self._setup.order.steps_per_epoch == 0:
            self._edge(update)
            self._allow()

    def _edge(self, update: Update) -> None:
        """The end of an epoch: its means, and the validation split, before the next step is allowed."""
        state = self._runtime.snapshot() if len(self._setup.split.validation) else None
        validation = self._validate(state) if state else None
        spent = self._spent
        seconds = max(spent.epoch_seconds, 1e-9)
        done = EpochDone(
            epoch=self._setup.order.epoch(update.step),
            step=update.step,
            loss=update.epoch_loss / update.epoch_samples,
            accuracy=update.epoch_correct / update.epoch_samples,
            rate=update.rate,
            samples_per_second=update.epoch_samples / seconds,
            waiting=min(spent.epoch_waiting / seconds, 1.0),
            validation_loss=validation.loss if validation else None,
            validation_accuracy=validation.accuracy if validation else None,
            seconds=spent.epoch_seconds,
        )
        self._folder.check_owner()
        self._records.epoch({**vars(done), "samples": update.epoch_samples, "ledger": update.ledger})
        spent.epoch_seconds = spent.epoch_waiting = 0.0
        self._report(done)
        if state is not None and validation is not None and self._verdicts.wanted:
            self._decide(done.epoch, validation.loss, state)

    def _decide(self, epoch: int, loss: float, state: ServerState) -> None:
        """What follows from the validation loss of an epoch."""
        cuts = self._verdicts.cuts
        better = self._verdicts.see(epoch, loss)
        if better and self._verdicts.keeps_best:
            if self._setup.job.stale:
                # A run that goes on from before this epoch has other weights after it: the best of a run must not be
                # of steps that do not count. So it is a checkpoint first, of which the best is made again if need be.
                self._checkpoint()
            self._folder.write_best(self._composed(state))
        if self._verdicts.cuts != cuts:
            self._report(Notice(f"epoch {epoch + 1}: the validation loss has stopped falling, the rate is cut"))
        if self._verdicts.stop:
            best = self._verdicts.best.epoch + 1
            self._report(Notice(f"stopped early after epoch {epoch + 1}; the best was epoch {best}"))

    def _validate(self, state: ServerState) -> Evaluation:
        setup, rows = self._setup, self._setup.split.validation
        held_out = setup.images[rows], setup.labels[rows]
        with self.clock.within(VALIDATE):
            return evaluate(setup.network, setup.inputs, state.served, *held_out, threads=self._threads)

    def _checkpoint(self) -> ServerState:
        """Write a checkpoint of the server's state, and of the trainer's at the very same step."""
        with self.clock.within(CHECKPOINT):
            return self._checkpointed()

    def _checkpointed(self) -> ServerState:
        state = self._runtime.snapshot()
        until = time.monotonic() + REPORT
        while self._step < state.version:
            self._next(POLL, until=state.version)
            if time.monotonic() > until:
                raise DeadlineError("a finished step was not reported", expected=state.version, got=self._step)
        self._records.sync()
        self._meter.take(self._step)
        path = self._folder.write(self._composed(state))
        self._report(CheckpointWritten(state.version, str(path)))
        return state

    def _composed(self, state: ServerState) -> Checkpoint:
        """The server's state and the trainer's as one checkpoint."""
        verdicts, incarnation = self._verdicts.as_dict(), self._folder.incarnation
        return compose(
            self._setup,
            state,
            self._spent,
            verdicts,
            incarnation=incarnation,
            fingerprint=self._fingerprint,
            journal=self._records.digest,
        )

    def _end(self) -> RunDone:
        """The last checkpoint; after the last step also the result, and the test set, once, unless `test` is off."""
        state = self._checkpoint()
        copied = self._runtime.copied / max(state.version - self._first, 1)
        done = RunDone(state.version, not self._ended, self._spent.seconds, None, None, round(copied, 1))
        if self._ended:
            measured = self._test(state.served) if self._place.test else None
            if self._place.test and measured is None:
                self._report(
                    Notice(f"{self._setup.dataset.spec.name} has no test images: nothing was measured on them")
                )
            found: dict[str, object] = {"reproducible": reproducible(self._folder.incidents)}
            if self._setup.job.stale:
                found["staleness"] = self._records.staleness
            if measured is not None:
                done = replace(done, test_loss=measured.loss, test_accuracy=measured.accuracy)
                found |= {"correct": measured.correct, "count": measured.count}
            if self._verdicts.keeps_best:
                found |= {"best_epoch": self._verdicts.best.epoch, "stopped_early": self._verdicts.stop}
            self._meter.end(self._step)
            self._folder.finish({**vars(done), **found})
        self._report(done)
        return done

    def _test(self, weights: npt.NDArray[np.float32]) -> Evaluation | None:
        """The measures of the test set; None where the dataset has none."""
        if not self._setup.dataset.test.num_rows:
            return None
        best = self._folder.best() if self._verdicts.keeps_best else None
        setup, test = self._setup, self._setup.dataset.test
        served = best.served if best else weights
        with self.clock.within(VALIDATE):
            return evaluate(setup.network, setup.inputs, served, images(test), labels(test), threads=self._threads)
