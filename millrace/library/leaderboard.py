"""The runs below a folder, the best on the validation split first."""

from dataclasses import dataclass
from pathlib import Path

from millrace import datasets
from millrace.errors import MillraceError
from millrace.library import finding
from millrace.library.outcomes import last
from millrace.model import Network
from millrace.runs import RunFolder, read_lines
from millrace.workers import Job

DEEPEST = 4  # folders below the one named


@dataclass(frozen=True)
class Ranked:
    """A run's row. validation, test: accuracies as fractions, None where there is none."""

    run: str
    dataset: str
    model: str
    validation: float | None
    test: float | None
    parameters: int | None
    epochs: int
    seconds: float | None
    finished: bool


def ranked(base: Path) -> list[Ranked]:
    """A row for each run in this folder and, down to four levels, in the folders in it, by validation accuracy; those
    without one come last."""
    return sorted((_row(folder, base) for folder in _found(base, DEEPEST)), key=_order)


def _order(row: Ranked) -> tuple[bool, float, str]:
    return row.validation is None, -(row.validation or 0.0), row.run


def _found(base: Path, depth: int) -> list[RunFolder]:
    if RunFolder.is_run(base):
        return [RunFolder.open(base)]
    if not depth or not base.is_dir():
        return []
    below = sorted(path for path in base.iterdir() if path.is_dir() and not path.name.startswith("."))
    return [found for path in below for found in _found(path, depth - 1)]


def _row(folder: RunFolder, base: Path) -> Ranked:
    name = str(folder.path.relative_to(base)) if folder.path != base else folder.path.name
    epochs = read_lines(folder.epochs)
    result = folder.result() if folder.finished else {}
    end = last(folder, epochs) if epochs else {}
    try:
        job = finding.settings_of(folder).job
        dataset, model, parameters = job.dataset, *_model(job)
    except MillraceError:
        dataset, model, parameters = "unknown", "unknown", None
    return Ranked(
        run=name,
        dataset=finding.called(dataset),
        model=model,
        validation=end.get("validation_accuracy"),
        test=result.get("test_accuracy"),
        parameters=parameters,
        epochs=len(epochs),
        seconds=result.get("seconds"),
        finished=folder.finished,
    )


def _model(job: Job) -> tuple[str, int | None]:
    """The network in words and its parameters, as far as the dataset's specification says what the inputs are."""
    spec = None if datasets.is_path(job.dataset) else datasets.find(job.dataset)
    if spec is None or spec.shape is None:
        return "-".join(map(str, job.network.hidden)), None
    network = Network(job.network, spec.shape[0] * spec.shape[1] * spec.shape[2], len(spec.classes))
    return network.text, network.parameters
