"""What must be true of a run once all is over."""

import time
from itertools import zip_longest
from pathlib import Path

from tests.chaos.findings import Finding, Harness
from tests.chaos.stage import Stage
from tests.workers.runs import lines, optimizer, weights

STEP_KEYS = ("step", "epoch", "loss", "accuracy", "rate")
EPOCH_KEYS = ("epoch", "step", "loss", "accuracy", "validation_loss", "validation_accuracy", "samples", "ledger")
GONE = 30.0  # seconds after which nothing may be left of a run


def twin(stage: Stage) -> Path:
    """The run without faults, on threads."""
    folder = stage.folder / "twin"
    done = stage.millrace("train", *stage.job(), "--workers", "2", "--out", str(folder))
    if done.returncode:
        raise Harness(f"the twin without faults fails:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return folder


def judge(stage: Stage, other: Path | None) -> None:
    """Hold the run against its twin, or, where there is none, against its replay. Errors: Finding."""
    run = stage.run
    if not (run / "result.json").exists():
        raise Finding("the driver ended with 0, the run has no result")
    if other is None:
        _prove(stage, "replay", "the same bytes")
    else:
        compare(run, other)
    balanced = "balanced" in stage.schedule.job
    _prove(stage, "audit", f"missing 0, {'too many' if balanced else 'repeated'} 0")
    if unfinished := [str(path) for path in run.rglob(".*") if path.name.endswith((".tmp", ".partial"))]:
        raise Finding(f"unfinished files stay: {unfinished}")


def gone(stage: Stage) -> None:
    """Nothing runs any more. Errors: Finding."""
    until = time.monotonic() + GONE
    while left := stage.left():
        if time.monotonic() > until:
            raise Finding(f"processes stay: {left}")
        time.sleep(0.1)


def _prove(stage: Stage, command: str, words: str) -> None:
    done = stage.millrace(command, str(stage.run))
    if done.returncode or words not in done.stdout:
        raise Finding(f"{command} ends with {done.returncode} and not {words!r}:\n{done.stdout}{done.stderr}")


def compare(run: Path, other: Path) -> None:
    """Weights, optimizer, and the measures of each step and epoch, of two runs. Errors: Finding names what differs."""
    for name, read in (("weights", weights), ("optimizer", optimizer)):
        if read(run) != read(other):
            raise Finding(f"the {name} are not those of the twin")
    for name, keys in (("metrics.jsonl", STEP_KEYS), ("epochs.jsonl", EPOCH_KEYS)):
        ours, theirs = ([[line.get(key) for key in keys] for line in lines(folder / name)] for folder in (run, other))
        if ours != theirs:
            pairs = ((mine, its) for mine, its in zip_longest(ours, theirs) if mine != its)
            raise Finding(f"{name}: {len(ours)} lines of {len(theirs)}; ours and the twin's: {next(pairs)}")
