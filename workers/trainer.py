"""The trainer: watches a runtime, keeps metrics and checkpoints, measures at the epochs' edges. It moves no arrays."""

import threading
import time
from collections import deque
from dataclasses import asdict, dataclass, replace

import numpy as np
import numpy.typing as npt

from millrace.datasets import images, labels
from millrace.errors import DeadlineError
from millrace.model import Checkpoint, fingerprint
from millrace.runs.folder import RunFolder
from millrace.runs.incidents import reproducible
from millrace.runs.json_lines import Lines
from millrace.workers.evaluation import Evaluation, evaluate
from millrace.workers.events import CheckpointWritten, EpochDone, Notice, Observer, RunDone, RunStarted, StepDone
from millrace.workers.job import Place
from millrace.workers.parameter_server import ServerState
from millrace.workers.runtime import Finished, Runtime
from millrace.workers.setup import Setup
from millrace.workers.verdicts import Verdicts

POLL = 0.1  # seconds between two looks at the runtime
REST, AHEAD = 0.05, 8  # the longest rest after a look; taken only while at least so many steps may be computed
DEADLINE = 900.0  # seconds without a finished step after which the run is given up


@dataclass
class Progress:
    """What the trainer itself remembers, kept in checkpoints: seconds of training, those of the current epoch, and
    the seconds of these that a worker waited for data."""

    seconds: float = 0.0
    epoch_seconds: float = 0.0
    epoch_waiting: float = 0.0


class Trainer:
    """One run from a state to its end or to a stop. `observer` is called from the thread that calls `run`."""

    def __init__(
        self,
        setup: Setup,
        place: Place,
        runtime: Runtime,
        folder: RunFolder,
        observer: Observer,
        stop: threading.Event,
        checkpoint: Checkpoint | None = None,
        threads: int = 1,
    ) -> None:
        self._setup, self._place, self._runtime = setup, place, runtime
        self._folder, self._observer, self._stop, self._threads = folder, observer, stop, threads
        self._first = self._step = checkpoint.step if checkpoint else 0
        kept = checkpoint.state.get("trainer", {}) if checkpoint else {}
        self._progress = Progress(**kept)
        self._verdicts = Verdicts(setup.job, checkpoint.state.get("verdicts") if checkpoint else None)
        self._pending: deque[Finished] = deque()
        self._seen = time.monotonic()
        self._limit, self._seconds = 0, 0.0  # what the runtime may compute; how long the last step took
        self._steps = Lines(folder.metrics, "step", self._step)
        self._epochs = Lines(folder.epochs, "epoch", self._step // setup.order.steps_per_epoch)
        self._fingerprint = fingerprint()
        folder.notice = lambda text: observer(Notice(text))

    def run(self) -> RunDone:
        """Train to the end, or until `stop` is set; a checkpoint is written in both cases."""
        self._announce()
        self._runtime.start()
        self._allow()
        last_checkpoint = time.monotonic()
        try:
            while not self._ended and not self._stop.is_set():
                self._next(POLL)
                self._rest()
                if time.monotonic() - last_checkpoint >= self._place.checkpoint_every:
                    self._checkpoint()
                    last_checkpoint = time.monotonic()
            return self._end()
        finally:
            for lines in (self._steps, self._epochs):
                if self._folder.lost:
                    lines.abandon()
                else:
                    lines.close()

    @property
    def _ended(self) -> bool:
        return self._step >= self._setup.total_steps or self._verdicts.stop

    def _next(self, timeout: float, until: int | None = None) -> None:
        """Take in finished steps, waiting `timeout` for the first, but none from step `until` on."""
        if not self._pending:
            self._pending.extend(self._runtime.finished(timeout))
            now = time.monotonic()
            self._seen = now if self._pending else self._seen
            if now - self._seen > DEADLINE:
                raise DeadlineError("no step was finished", expected=f"one within {DEADLINE:g} s", got="none")
        while self._pending and (until is None or self._pending[0].update.step < until):
            self._record(self._pending.popleft())
        self._folder.check_owner()
        self._steps.flush()

    def _rest(self) -> None:
        """Leave the cores to the workers for the next steps: each look interrupts one of them."""
        if self._limit - self._step >= AHEAD and not self._ended:
            self._stop.wait(min(REST, 4 * self._seconds))

    def _announce(self) -> None:
        setup, order = self._setup, self._setup.order
        slots = order.most_slots
        wanted = self._place.most_workers
        if wanted > slots or (not wanted and self._threads > slots):
            what = f"{wanted} workers" if wanted else f"{self._threads} cores"
            self._observer(
                Notice(
                    f"{what} for {slots} slot{'s'[: slots > 1]}: {slots} can work at once; "
                    f"a smaller --slot-size or a larger --batch would use more"
                )
            )
        self._observer(
            RunStarted(
                folder=self._folder.location,
                step=self._step,
                total_steps=setup.total_steps,
                steps_per_epoch=order.steps_per_epoch,
                epochs=setup.job.epochs,
                samples=order.samples,
                validation_samples=len(setup.split.validation),
                parameters=setup.network.parameters,
                batch=order.batch,
                slots=slots,
                workers=self._runtime.workers,
                augmenters=self._runtime.augmenters,
            )
        )

    def _allow(self) -> None:
        """Up to the epoch's edge where there is something to do at it, else to the end."""
        if self._ended:
            return
        if self._verdicts.cuts:
            self._runtime.cut(self._verdicts.cuts)
        per_epoch = self._setup.order.steps_per_epoch
        edge = (self._step // per_epoch + 1) * per_epoch
        self._limit = edge if len(self._setup.split.validation) else self._setup.total_steps
        self._runtime.allow(self._limit)

    def _record(self, finished: Finished) -> None:
        update, samples = finished.update, finished.update.samples
        epoch = self._setup.order.epoch(update.step)
        done = StepDone(
            step=update.step,
            epoch=epoch,
            loss=update.loss / samples,
            accuracy=update.correct / samples,
            rate=update.rate,
            samples_per_second=samples / finished.seconds,
            waiting=finished.waiting,
        )
        self._steps.write(
            {
                "step": done.step,
                "epoch": done.epoch,
                "loss": done.loss,
                "accuracy": done.accuracy,
                "rate": done.rate,
                "samples_per_second": round(done.samples_per_second, 1),
                "waiting": round(done.waiting, 6),
            }
        )
        self._step, self._seconds = update.step + 1, finished.seconds
        self._progress.seconds += finished.seconds
        self._progress.epoch_seconds += finished.seconds
        self._progress.epoch_waiting += finished.seconds * finished.waiting
        self._observer(done)
        if self._step % self._setup.order.steps_per_epoch == 0:
            self._edge(finished)
            self._allow()

    def _edge(self, last: Finished) -> None:
        """The end of an epoch: its means, and the validation split, before the next step is allowed."""
        state = self._runtime.snapshot() if len(self._setup.split.validation) else None
        validation = self._validate(state) if state else None
        update, progress = last.update, self._progress
        seconds = max(progress.epoch_seconds, 1e-9)
        done = EpochDone(
            epoch=self._setup.order.epoch(update.step),
            step=update.step,
            loss=update.epoch_loss / update.epoch_samples,
            accuracy=update.epoch_correct / update.epoch_samples,
            rate=update.rate,
            samples_per_second=update.epoch_samples / seconds,
            waiting=min(progress.epoch_waiting / seconds, 1.0),
            validation_loss=validation.loss if validation else None,
            validation_accuracy=validation.accuracy if validation else None,
            seconds=progress.epoch_seconds,
        )
        self._folder.check_owner()
        self._epochs.write({**vars(done), "samples": update.epoch_samples, "ledger": update.ledger})
        self._epochs.flush()
        progress.epoch_seconds = progress.epoch_waiting = 0.0
        self._observer(done)
        if state is not None and validation is not None and self._verdicts.wanted:
            self._decide(done.epoch, validation.loss, state)

    def _decide(self, epoch: int, loss: float, state: ServerState) -> None:
        """What follows from the validation loss of an epoch."""
        cuts = self._verdicts.cuts
        better = self._verdicts.see(epoch, loss)
        if better and self._verdicts.keeps_best:
            self._folder.write_best(self._composed(state))
        if self._verdicts.cuts != cuts:
            self._observer(Notice(f"epoch {epoch + 1}: the validation loss has stopped falling, the rate is cut"))
        if self._verdicts.stop:
            best = self._verdicts.best.epoch + 1
            self._observer(Notice(f"stopped early after epoch {epoch + 1}; the best was epoch {best}"))

    def _validate(self, state: ServerState) -> Evaluation:
        setup, rows = self._setup, self._setup.split.validation
        held_out = setup.images[rows], setup.labels[rows]
        return evaluate(setup.network, setup.inputs, state.served, *held_out, threads=self._threads)

    def _checkpoint(self) -> ServerState:
        """Write a checkpoint of the server's state, and of the trainer's at the very same step."""
        state = self._runtime.snapshot()
        until = time.monotonic() + DEADLINE
        while self._step < state.version:
            self._next(POLL, until=state.version)
            if time.monotonic() > until:
                raise DeadlineError("a finished step was not reported", expected=state.version, got=self._step)
        path = self._folder.write(self._composed(state))
        self._observer(CheckpointWritten(state.version, str(path)))
        return state

    def _composed(self, state: ServerState) -> Checkpoint:
        """The server's state and the trainer's as one checkpoint."""
        return Checkpoint(
            step=state.version,
            weights=state.weights,
            optimizer=state.optimizer,
            config=dict(self._setup.job.recipe),
            dataset_digest=self._setup.dataset.digest,
            model=self._setup.network.text,
            inputs=self._setup.inputs,
            data=self._setup.dataset.spec.described(self._setup.dataset.shape),
            fingerprint=self._fingerprint,
            state={
                "epoch_loss": state.epoch_loss,
                "epoch_correct": state.epoch_correct,
                "epoch_samples": state.epoch_samples,
                "ledger": state.ledger,
                "incarnation": self._folder.incarnation,
                "trainer": asdict(self._progress),
                "verdicts": self._verdicts.as_dict(),
            },
        )

    def _end(self) -> RunDone:
        """The last checkpoint; after the last step also the result, and the test set, once, unless it is barred."""
        state = self._checkpoint()
        copied = self._runtime.copied / max(state.version - self._first, 1)
        done = RunDone(state.version, not self._ended, self._progress.seconds, None, None, round(copied, 1))
        if self._ended:
            measured = None if self._place.no_test else self._test(state.served)
            found: dict[str, object] = {"reproducible": reproducible(self._folder.incidents)}
            if measured is not None:
                done = replace(done, test_loss=measured.loss, test_accuracy=measured.accuracy)
                found |= {"correct": measured.correct, "count": measured.count}
            if self._verdicts.keeps_best:
                found |= {"best_epoch": self._verdicts.best.epoch, "stopped_early": self._verdicts.stop}
            self._folder.finish({**vars(done), **found})
        self._observer(done)
        return done

    def _test(self, weights: npt.NDArray[np.float32]) -> Evaluation:
        best = self._folder.best() if self._verdicts.keeps_best else None
        setup, test = self._setup, self._setup.dataset.test
        served = best.served if best else weights
        return evaluate(setup.network, setup.inputs, served, images(test), labels(test), threads=self._threads)


def server_state(checkpoint: Checkpoint) -> ServerState:
    """The server's part of a checkpoint."""
    sums = [checkpoint.state[name] for name in ("epoch_loss", "epoch_correct", "epoch_samples", "ledger")]
    return ServerState(checkpoint.step, checkpoint.weights, checkpoint.optimizer, *sums)
