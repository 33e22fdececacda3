"""`millrace leaderboard`: the runs of a folder, the best on the validation split first."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from millrace import datasets
from millrace.commands.screen import Screen, table
from millrace.errors import MillraceError, UsageError
from millrace.library import finding
from millrace.library.outcomes import last
from millrace.model import Network
from millrace.reports.words import duration, percent, short
from millrace.runs.folder import RunFolder
from millrace.runs.json_lines import read_lines
from millrace.settings import flags
from millrace.workers.job import Job

DEEPEST = 4  # folders below the one named


@dataclass(frozen=True)
class LeaderboardOptions:
    """Rank runs by their accuracy on the validation split; those without one come last. Also shown: test accuracy where
    the run has looked, parameters, time."""

    folder: str | None = flags.positional("DIR", "folder with runs in it, at any depth; by default your data folder")
    json: bool = flags.as_json()


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


def run(arguments: Sequence[str]) -> int:
    """Print the table, or a JSON line for each run."""
    options, _ = flags.parse("leaderboard", LeaderboardOptions, arguments)
    screen = Screen(as_json=options.json)
    base = finding.here(options.folder) if options.folder else finding.runs_folder()
    if options.folder and not base.is_dir():
        raise UsageError(f"there is no folder {short(base)}", do="name a folder with runs in it")
    ranked = sorted((_ranked(folder, base) for folder in _found(base, DEEPEST)), key=_order)
    if not ranked:
        raise UsageError(f"no runs in {short(base)}", do="millrace train makes one")
    made = table(
        "run", "data", "model", "validation", "test", "size", "time", right=("validation", "test", "size", "time")
    )
    for row in ranked:
        screen.record(**asdict(row))
        size = f"{row.parameters:,}" if row.parameters is not None else "–"
        time = duration(row.seconds) if row.seconds is not None else f"at epoch {row.epochs}"
        made.add_row(row.run, row.dataset, row.model, _percent(row.validation), _percent(row.test), size, time)
    screen.show(made)
    return 0


def _order(row: Ranked) -> tuple[bool, float, str]:
    return row.validation is None, -(row.validation or 0.0), row.run


def _percent(fraction: float | None) -> str:
    return "–" if fraction is None else percent(fraction, 2)


def _found(base: Path, depth: int) -> list[RunFolder]:
    """The runs in a folder and, down to a depth, in the folders in it."""
    if RunFolder.is_run(base):
        return [RunFolder.open(base)]
    if not depth or not base.is_dir():
        return []
    below = sorted(path for path in base.iterdir() if path.is_dir() and not path.name.startswith("."))
    return [found for path in below for found in _found(path, depth - 1)]


def _ranked(folder: RunFolder, base: Path) -> Ranked:
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
        dataset=Path(dataset).stem,
        model=model,
        validation=end.get("validation_accuracy"),
        test=result.get("test_accuracy"),
        parameters=parameters,
        epochs=len(epochs),
        seconds=result.get("seconds"),
        finished=folder.finished,
    )


def _model(job: Job) -> tuple[str, int | None]:
    """The network in words and its parameters, as far as the dataset's specification tells the inputs."""
    spec = datasets.find(job.dataset)
    if spec.shape is None:
        return "-".join(map(str, job.network.hidden)), None
    network = Network(job.network, spec.shape[0] * spec.shape[1] * spec.shape[2], len(spec.classes))
    return network.text, network.parameters
