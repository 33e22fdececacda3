"""The display of a run: a line per epoch, and on a terminal three lines below that redraw themselves."""

import dataclasses
import re
import time
from contextlib import ExitStack
from types import TracebackType

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from millrace.commands.downloads import Downloads
from millrace.commands.screen import Screen
from millrace.commands.stopping import Stopping
from millrace.commands.wording import in_flags
from millrace.reports.stalls import held_back
from millrace.reports.words import counted, in_words, percent, short
from millrace.settings.layers import Settings
from millrace.workers import CheckpointWritten, EpochDone, Event, Notice, RunDone, RunStarted, StagesDone, StepDone

MOST_LINES = 100  # epochs are thinned out so that a run never prints more lines than this
QUIET = 15.0  # seconds after which a plain log hears of the steps of a long epoch
SMOOTHING = 0.9  # of loss and accuracy in the redrawn lines


class RunDisplay:
    """An observer of a run, as a context. With `--json` every event is a line.

    done: the last event; None where there was nothing to train. closed: whether the reader of the output left, as
    `head` does; the run is stopped then. Before the run starts Ctrl-C ends the program, from then on it asks for a
    checkpoint (`stopping`); by then the display of downloads has gone."""

    def __init__(self, screen: Screen, settings: Settings, stopping: Stopping, downloads: Downloads) -> None:
        self._screen, self._settings, self._stopping, self._downloads = screen, settings, stopping, downloads
        self._started: RunStarted | None = None
        self.done: RunDone | None = None
        self.closed = False
        self._while_it_runs = ExitStack()
        self._live: Live | None = None
        self._last: StepDone | None = None
        self._loss = self._accuracy = 0.0
        self._begun = self._spoken = time.monotonic()
        self._first_step = 0
        self._stop_said = False
        self._held_back = ""

    @property
    def exported(self) -> bool:
        """Whether the run's dataset is an export."""
        return self._started is not None and self._started.exported

    @property
    def tested(self) -> bool:
        """Whether the run's dataset has test images."""
        return self._started is not None and self._started.test_samples > 0

    def __enter__(self) -> "RunDisplay":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._while_it_runs.close()

    def __call__(self, event: Event) -> None:
        """Take one event of the run. Nothing that becomes of the output ends the run without a checkpoint."""
        match event:
            case RunStarted():
                self._downloads.stop()
                self._while_it_runs.enter_context(self._stopping)
            case RunDone():
                self.done = event
        try:
            self._show(event)
        except BrokenPipeError:
            self.closed = True
            self._screen.mute()
            self._stopping.event.set()
        except OSError:
            self._screen.mute()  # the terminal has gone, or the log's disk is full: the run goes on without a word

    def _show(self, event: Event) -> None:
        if isinstance(event, Notice):
            event = Notice(in_flags(event.text))
        fields = event.line.as_dict() if isinstance(event, StagesDone) else dataclasses.asdict(event)
        self._screen.record(event=_name(event), **fields)
        match event:
            case RunStarted():
                self._start(event)
            case StepDone():
                self._step(event)
            case EpochDone():
                self._epoch(event)
            case Notice():
                self._screen.note(event.text)
            case RunDone():
                self._while_it_runs.close()
            case StagesDone():
                self._held_back = in_flags(held_back(event.line))
            case CheckpointWritten():
                pass
        if self._stopping.event.is_set() and not self._stop_said:
            self._stop_said = True
            self._screen.say("stopping: writing a checkpoint (Ctrl-C again aborts at once)", style="yellow")

    def _start(self, run: RunStarted) -> None:
        self._started, self._begun, self._first_step = run, time.monotonic(), run.step
        validating = f", {run.validation_samples:,} to validate on" if run.validation_samples else ""
        slots, workers = counted(run.slots, "slot"), counted(run.workers, "worker")
        augmenters = f", {counted(run.augmenters, 'augmenter')}" if run.augmenters else ""
        epochs = f"{counted(run.epochs, 'epoch')} of {run.steps_per_epoch:,}"
        hidden = "-".join(map(str, self._settings.job.network.hidden)) or "no"
        self._screen.facts(
            ("data", f"{run.dataset}: {run.samples:,} samples to train on{validating}"),
            ("augment", "as the rows of the export are" if run.exported else in_words(self._settings.job.policy)),
            ("network", f"{hidden} hidden units, {run.parameters:,} parameters"),
            ("steps", f"{run.total_steps:,}: {epochs}, batch {run.batch}"),
            ("place", f"{workers}{augmenters}, {slots} a batch"),
            # On a cluster the reader may sit at another machine, in another folder.
            ("run", run.folder if self._settings.place.runtime == "ray" else short(run.folder)),
        )
        if run.step:
            self._screen.facts(("from", f"step {run.step:,}, where the last checkpoint stands"))
        self._screen.say()
        validation = f"{'validation':>13}" if run.validation_samples else ""
        heads = f"{'epoch':>6}{'loss':>10}{'accuracy':>11}{validation}{'rate':>11}{'samples/s':>12}{'waiting':>10}"
        self._screen.say(heads, style="dim")
        if self._screen.live:
            self._live = Live(self, console=self._screen.console, refresh_per_second=8, transient=True)
            self._while_it_runs.enter_context(self._live)

    def _step(self, step: StepDone) -> None:
        first = self._last is None
        self._loss = step.loss if first else SMOOTHING * self._loss + (1 - SMOOTHING) * step.loss
        self._accuracy = step.accuracy if first else SMOOTHING * self._accuracy + (1 - SMOOTHING) * step.accuracy
        self._last = step
        now = time.monotonic()
        if self._live is None and now - self._spoken >= QUIET and self._started is not None:
            self._spoken = now
            self._screen.say(f"{self._place(step)}  {self._figures(step)}  {self._left(step)} left")
            if self._held_back:
                self._screen.say(self._held_back, style="dim")

    def _epoch(self, done: EpochDone) -> None:
        run = self._started
        if run is None:
            return
        every = -(-run.epochs // MOST_LINES)
        if (done.epoch + 1) % every and done.epoch + 1 != run.epochs:
            return
        self._spoken = time.monotonic()
        validation = "" if done.validation_accuracy is None else f"{percent(done.validation_accuracy, 2):>13}"
        self._screen.say(
            f"{done.epoch + 1:>6}{done.loss:>10.4f}{percent(done.accuracy, 2):>11}{validation}{done.rate:>11.2e}"
            f"{done.samples_per_second:>12,.0f}{percent(done.waiting):>10}"
        )

    def _place(self, step: StepDone) -> str:
        """Where the run stands."""
        epochs, total = (self._started.epochs, self._started.total_steps) if self._started else (0, 0)
        return f"epoch {step.epoch + 1}/{epochs}  step {step.step + 1:,}/{total:,}"

    def _figures(self, step: StepDone) -> str:
        """How it goes; 80 columns hold it."""
        return (
            f"loss {self._loss:.4f}  accuracy {percent(self._accuracy)}  rate {step.rate:.2e}"
            f"  {step.samples_per_second:,.0f} samples/s  waiting {percent(step.waiting)}"
        )

    def _left(self, step: StepDone) -> str:
        """The time left, from the steps done since the run began here."""
        done = step.step + 1 - self._first_step
        total = self._started.total_steps if self._started else step.step + 1
        seconds = round((time.monotonic() - self._begun) / max(done, 1) * (total - step.step - 1))
        hours, rest = divmod(seconds, 3600)
        return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"

    def __rich__(self) -> Group:
        """The lines that redraw themselves: where the run stands, how it goes, what holds it back."""
        run, step = self._started, self._last
        if run is None or step is None:
            return Group(Text("starting", style="dim"))
        line = Table.grid(padding=(0, 1), expand=True)
        for _ in range(3):
            line.add_column(no_wrap=True)
        line.columns[1].ratio = 1
        done = step.step + 1
        bar = ProgressBar(total=run.total_steps, completed=done, complete_style="cyan", finished_style="cyan")
        line.add_row(self._place(step), bar, f"{self._left(step)} left")
        figures = Text(self._figures(step), style="dim", no_wrap=True)
        held = [Text(self._held_back, style="dim", no_wrap=True, overflow="ellipsis")] if self._held_back else []
        return Group(line, figures, *held)


def _name(event: Event) -> str:
    """The event's name for machines: StepDone → step, EpochDone → epoch, RunStarted → run_started."""
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()
    return {"step_done": "step", "epoch_done": "epoch"}.get(name, name)
