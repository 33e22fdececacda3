"""What came out of runs, from the lines that they wrote: of one, and of several seeds together."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from millrace.runs import RunFolder, read_lines
from millrace.workers import Trial, broken


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation (of a sample; 0 for a single value)."""

    mean: float
    deviation: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        return cls(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0)


@dataclass(frozen=True)
class Outcome:
    """The runs of a variant on the validation split: accuracy and loss at the end (of the best epoch, where a run stops
    early; None where all runs broke down), mean seconds, per seed the loss and the error of every epoch, and how many
    runs broke down."""

    accuracy: Spread | None
    loss: Spread | None
    seconds: float
    losses: list[list[float]]
    errors: list[list[float]]
    broken: int


def outcome(trials: Sequence[Trial]) -> Outcome:
    """What came out of trials that are done and have a validation split."""
    whole = [trial for trial in trials if not broken(trial)]
    folders = [RunFolder.open(trial.folder) for trial in whole]
    epochs = [read_lines(folder.epochs) for folder in folders]
    ends = [last(folder, own) for folder, own in zip(folders, epochs, strict=True)]
    return Outcome(
        accuracy=Spread.of([line["validation_accuracy"] for line in ends]) if ends else None,
        loss=Spread.of([line["validation_loss"] for line in ends]) if ends else None,
        seconds=statistics.fmean([float(folder.result()["seconds"]) for folder in folders]) if folders else 0.0,
        broken=len(trials) - len(whole),
        losses=[[line["validation_loss"] for line in own] for own in epochs],
        errors=[[1 - line["validation_accuracy"] for line in own] for own in epochs],
    )


def last(folder: RunFolder, epochs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The line of the epoch whose weights the run ends with."""
    best = folder.result().get("best_epoch") if folder.finished else None
    return epochs[-1] if best is None else next(line for line in epochs if line["epoch"] == best)
