"""What a run reports while it goes on: frozen records, handed to an observer in order."""

from collections.abc import Callable
from dataclasses import dataclass

from millrace.runs import StageLine


@dataclass(frozen=True)
class RunStarted:
    """The run begins, or goes on at `step` > 0. dataset: its name; exported: whether it is an export, whose rows are
    taken as they stand; test_samples: how many it has to test on."""

    folder: str
    step: int
    total_steps: int
    steps_per_epoch: int
    epochs: int
    samples: int
    validation_samples: int
    parameters: int
    batch: int
    slots: int
    workers: int
    augmenters: int
    dataset: str
    exported: bool
    test_samples: int


@dataclass(frozen=True)
class StepDone:
    """One update of the weights. `loss` is the mean over the batch before the update, in nats;
    `accuracy` a fraction of the batch; `rate` the learning rate; `waiting` the share of the workers'
    time since the step before in which they waited for data; `samples_per_second` since the step before;
    `staleness`, of a stale run, how many versions the weights were ahead of those that the gradient was taken at. The
    fields are those of a line of metrics.jsonl, which has no staleness where it is None."""

    step: int
    epoch: int
    loss: float
    accuracy: float
    rate: float
    samples_per_second: float
    waiting: float
    staleness: int | None = None


@dataclass(frozen=True)
class EpochDone:
    """One pass over the training samples: means over the epoch, and the validation split where there is one."""

    epoch: int
    step: int
    loss: float
    accuracy: float
    rate: float
    samples_per_second: float
    waiting: float
    validation_loss: float | None
    validation_accuracy: float | None
    seconds: float


@dataclass(frozen=True)
class StagesDone:
    """Where the time of the latest steps went, role by role; it comes about once a second, more rarely later."""

    line: StageLine


@dataclass(frozen=True)
class CheckpointWritten:
    """A checkpoint stands whole in the run's folder; `step` updates are in it."""

    step: int
    path: str


@dataclass(frozen=True)
class Notice:
    """Something the user should know that is no error: another environment, more workers than slots."""

    text: str


@dataclass(frozen=True)
class RunDone:
    """The run ended after its last step, or was stopped (`stopped`) with a checkpoint at `step`. copied_per_step: bytes
    of batches, gradients and weights that were copied between processes, per step computed here; 0 in local mode."""

    step: int
    stopped: bool
    seconds: float
    test_loss: float | None
    test_accuracy: float | None
    copied_per_step: float = 0.0


Event = RunStarted | StepDone | EpochDone | StagesDone | CheckpointWritten | Notice | RunDone
Observer = Callable[[Event], None]


class Reporter:
    """Hands events to an observer until it raises something, whatever it is: a closed pipe, a fault of its own.

    The error is kept in `failure` and nothing more is said, so that the run can write a checkpoint before it raises it.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self.failure: BaseException | None = None

    def __call__(self, event: Event) -> None:
        if self.failure is None:
            try:
                self._observer(event)
            except BaseException as error:
                self.failure = error
