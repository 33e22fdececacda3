"""`millrace evaluate`: how good a network is on the test images."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table
from rich.text import Text

import config
import datasets
from commands import flags, layers, runs
from commands.downloads import Downloads
from commands.screen import Screen, table
from commands.words import accuracy_line, argument, percent, short
from config import Config
from errors import CheckpointError
from model import Checkpoint, differences, fingerprint, load
from reports import confusion as reports
from workers.evaluation import Evaluation, evaluate
from workers.local_runtime import cores
from workers.run_folder import RunFolder
from workers.setup import Setup

KEYS = ("dataset", "mirror", "offline")
WIDEST = 15  # classes up to which the matrix fits on a screen


@dataclass(frozen=True)
class EvaluateOptions:
    """Measure a network on the test images of its dataset: accuracy, error of each class, confusion matrix."""

    run: str = flags.positional(
        "RUN|CHECKPOINT", "folder of a run or of a checkpoint, name of a run, or latest", required=True
    )
    json: bool = flags.as_json()


def run(arguments: Sequence[str]) -> int:
    """Print accuracy, error per class and confusion matrix; the last line is the accuracy."""
    options, given = flags.parse("evaluate", EvaluateOptions, arguments, KEYS)
    screen = Screen(as_json=options.json)
    path = runs.locate(options.run)
    checkpoint = _checkpoint(path)
    settings = _settings(path, checkpoint, given)
    with Downloads(screen) as progress:
        spec = datasets.find(settings.dataset)
        dataset = datasets.load(spec, mirror=settings.mirror, offline=settings.offline, progress=progress)
    if dataset.digest != checkpoint.dataset_digest:
        raise CheckpointError(
            "the checkpoint belongs to another dataset",
            expected=f"{checkpoint.config.get('dataset')}, digest {checkpoint.dataset_digest[:16]}…",
            got=f"{spec.name}, digest {dataset.digest[:16]}…",
            do="leave out --dataset, or name the one that the run was trained on",
        )
    for line in differences(checkpoint.fingerprint, fingerprint()):
        screen.note(f"the run was trained elsewhere, last digits may differ: {line}")
    setup = Setup(settings.job(), dataset)
    if setup.network.text != checkpoint.model:
        raise CheckpointError(
            "the checkpoint belongs to another model", expected=setup.network.text, got=checkpoint.model
        )
    images, labels = datasets.images(dataset.test), datasets.labels(dataset.test)
    found = evaluate(setup.network, checkpoint.inputs, checkpoint.served, images, labels, threads=cores())
    _report(screen, path, checkpoint, spec.name, spec.classes, found)
    return 0


def _checkpoint(path: Path) -> Checkpoint:
    """The checkpoint in this folder, or of the run in it the best that early stopping keeps, else the newest."""
    if not RunFolder.is_run(path):
        return load(path)
    folder = RunFolder.open(path)
    latest = folder.best() or folder.latest()
    if latest is None:
        raise CheckpointError(
            f"the run in {short(path)} has no checkpoint yet", do=f"millrace resume {argument(path)} trains it"
        )
    return latest


def _settings(path: Path, checkpoint: Checkpoint, given: Mapping[str, object]) -> Config:
    """The run's recipe; where to get the data from as flags, environment or the run's folder say."""
    recipe = layers.from_values(config.recipe_values(checkpoint.config), "the checkpoint")
    kept = layers.from_file(str(path / "config.yaml")) if RunFolder.is_run(path) else {}
    place = {key: setting for layer in (kept, layers.from_environment()) for key, setting in layer.items()}
    where = {key: setting for key, setting in place.items() if key in ("mirror", "offline")}
    return layers.merge(recipe, where, layers.from_flags(given)).config


def _report(
    screen: Screen, path: Path, checkpoint: Checkpoint, dataset: str, classes: Sequence[str], found: Evaluation
) -> None:
    rows = reports.per_class(found.confusion, classes)
    screen.record(
        folder=path,
        step=checkpoint.step,
        dataset=dataset,
        test_loss=found.loss,
        test_accuracy=found.accuracy,
        correct=found.correct,
        count=found.count,
        classes=[dataclasses.asdict(row) for row in rows],
        confusion=found.confusion.tolist(),
    )
    screen.facts(
        ("run", f"{short(path)}, step {checkpoint.step:,}"),
        ("data", f"{dataset}, {found.count:,} test images"),
        ("loss", f"{found.loss:.4f}"),
    )
    screen.say()
    made = table("class", "images", "wrong", "error", right=("images", "wrong", "error"))
    for row in rows:
        made.add_row(row.name, f"{row.images:,}", f"{row.wrong:,}" if row.wrong else "·", percent(row.error, 2))
    screen.show(made)
    screen.say()
    if len(classes) <= WIDEST:
        screen.say("rows are the true classes, columns the answers", style="dim")
        screen.show(_matrix(found, classes))
        screen.say()
    for number, worst in enumerate(reports.mistakes(found.confusion, classes)):
        text = f"{worst.true} taken for {worst.predicted}, {worst.count}×"
        screen.facts(("" if number else "mistakes", text))
    screen.say(accuracy_line(found.accuracy), style="bold")


def _matrix(found: Evaluation, classes: Sequence[str]) -> Table:
    """The confusion matrix: right answers green, the commonest mistakes red."""
    heads, rows = reports.matrix(found.confusion, classes)
    worst = {(mistake.true, mistake.predicted) for mistake in reports.mistakes(found.confusion, classes)}
    made = table(*heads, right=tuple(heads[1:]))
    for true, (name, *cells) in enumerate(rows):
        styled = []
        for answer, cell in enumerate(cells):
            mistaken = (classes[true], classes[answer]) in worst
            style = "green" if true == answer else "red" if mistaken else "dim" if cell == reports.NONE else ""
            styled.append(Text(cell, style=style))
        made.add_row(name, *styled)
    return made
