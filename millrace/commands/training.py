"""What `train` and `resume` say: while the run goes on, and at its end."""

from collections.abc import Callable

from millrace.commands.downloads import Downloads
from millrace.commands.main import BROKEN_PIPE
from millrace.commands.run_display import RunDisplay
from millrace.commands.screen import Screen
from millrace.commands.stopping import Stopping
from millrace.library.reporting import command
from millrace.library.run import Run
from millrace.library.training import Watched
from millrace.reports.words import accuracy_line, argument, duration, short, size
from millrace.settings.keys import SOURCE_KEYS
from millrace.settings.layers import Settings
from millrace.workers import RunDone

FILES = (
    ("report.html", "curves, confusion, mistakes, configuration: one page"),
    ("config.yaml", "the resolved configuration"),
    ("metrics.jsonl", "loss, accuracy, rate, speed of every step"),
    ("epochs.jsonl", "the same for every epoch, and the validation"),
    ("stages.jsonl", "where the time went; millrace profile shows it"),
    ("checkpoints/", "weights and optimizer, to evaluate or to go on from"),
)


def show(screen: Screen, settings: Settings, work: Callable[[Watched], Run]) -> int:
    """Show a run while `work` trains it, then what came out; the exit code."""
    stopping = Stopping()
    with Downloads(screen) as downloads, RunDisplay(screen, settings, stopping, downloads) as display:
        run = work(Watched(display, stopping.event, downloads))
    if display.done is None:
        return _already_done(screen, run)
    if display.done.stopped and display.closed:
        return _left_alone(screen, run, display.done)
    if display.done.stopped:
        return _stopped(screen, run, display.done, stopping)
    _results(screen, settings, run, display.done, display)
    none = "the test set was not looked at" if display.tested else "there are no test images to measure on"
    screen.say(_last_line(display.done.test_accuracy, none), style="bold")
    return 0


def _already_done(screen: Screen, run: Run) -> int:
    """Say what came out of a run that is finished."""
    result = run.result or {}
    screen.record(event="finished_before", folder=run.location, **result)
    screen.say(f"this run is finished: {short(run.location)}")
    screen.say("to train again, give another --out or change the configuration", style="dim")
    screen.say(_last_line(result["test_accuracy"], "nothing was measured on test images"), style="bold")
    return 0


def _last_line(accuracy: float | None, none: str) -> str:
    return none if accuracy is None else accuracy_line(accuracy)


def _stopped(screen: Screen, run: Run, done: RunDone, stopping: Stopping) -> int:
    screen.say()
    screen.facts(
        ("stopped", f"after {done.step:,} steps; the checkpoint is written"),
        ("go on", f"millrace resume {argument(run.location)}"),
    )
    return stopping.code


def _left_alone(screen: Screen, run: Run, done: RunDone) -> int:
    """The reader of the output left, and nothing can be said there: it is written into the run's folder."""
    cause = f"its output was closed: stopped after {done.step:,} steps, the checkpoint is written"
    run.note_incident("output closed", cause)
    screen.note(f"{cause}; millrace resume {argument(run.location)} goes on")
    return BROKEN_PIPE


def _results(screen: Screen, settings: Settings, run: Run, done: RunDone, display: RunDisplay) -> None:
    """Where the run's files lie and what to do next: what there is something for."""
    screen.say()
    screen.facts(("time", duration(done.seconds)))
    if done.copied_per_step:
        screen.facts(("copied", f"{size(done.copied_per_step)} per step between processes"))
    screen.facts(("run", run.location if settings.place.runtime == "ray" else short(run.location)))
    for name, what in FILES:
        screen.facts(("", f"{name:<15} {what}"))
    path, job = argument(run.location), settings.job
    seen = command(job, "preview", (*SOURCE_KEYS, "seed", "sampling"))
    if display.exported:  # a preview would draw nothing: its rows were drawn
        seen = f"millrace explain {argument(job.dataset)} 0"
    screen.facts(
        ("next", f"millrace {f'evaluate {path}' if display.tested else f'predict {path} PICTURE'}"), ("", seen)
    )
