"""`millrace evaluate`: how good a network, or several together, is on the test images."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from millrace.commands.downloads import Downloads
from millrace.commands.screen import Screen, table
from millrace.datasets import Dataset
from millrace.library import resolving
from millrace.library.evaluating import MOST_VIEWS, evaluate
from millrace.library.networks import TrainedNetwork, find_network
from millrace.reports import confusion as reports
from millrace.reports.words import accuracy_line, counted, percent, short
from millrace.settings import flags, layers
from millrace.settings.keys import DATA_KEYS, SOURCE_KEYS
from millrace.workers import Evaluation

KEYS = (*SOURCE_KEYS, *DATA_KEYS)
WIDEST = 15  # classes up to which the matrix fits on a screen
LONGEST, WORST = 100, 20  # classes that are all listed; of more, so many: those with the largest errors
WHOLE = 256  # classes up to which --json has the whole matrix


@dataclass(frozen=True)
class EvaluateOptions:
    """Measure a network on the test images of its dataset: accuracy, error of each class, confusion matrix.

    Of several networks the probabilities are averaged; with --tta also those of augmented views of each image."""

    runs: tuple[str, ...] = flags.positional(
        "RUN|CHECKPOINT|FILE",
        "folders of runs or checkpoints, addresses or names of runs, files of export-model, or latest",
        many=True,
        required=True,
    )
    tta: int = flags.option(
        0, "N", "average over N augmented views of each image, and the image itself", least=0, most=MOST_VIEWS
    )
    json: bool = flags.as_json()


def run(arguments: Sequence[str]) -> int:
    """Print accuracy, error per class and confusion matrix; the last line is the accuracy."""
    options, given = flags.parse("evaluate", EvaluateOptions, arguments, KEYS)
    screen = Screen(as_json=options.json)
    flagged = layers.from_flags(given)
    networks = [find_network(text, flagged) for text in options.runs]
    settings = resolving.for_network(networks[0].about.get("config", {}), networks[0].path, flagged)
    with Downloads(screen) as progress:
        dataset = resolving.dataset_of(settings, progress)
    measured = evaluate(networks, dataset, views=options.tta, notice=screen.note)
    _report(screen, networks, options.tta, dataset, measured)
    return 0


def _report(screen: Screen, networks: Sequence[TrainedNetwork], tta: int, dataset: Dataset, found: Evaluation) -> None:
    classes, name = dataset.spec.classes, dataset.spec.name
    rows = reports.per_class(found.pairs, classes)
    first = networks[0]
    screen.record(
        folder=first.location,
        folders=[one.location for one in networks],
        step=first.step,
        tta=tta,
        dataset=name,
        test_loss=found.loss,
        test_accuracy=found.accuracy,
        correct=found.correct,
        count=found.count,
        classes=[dataclasses.asdict(row) for row in rows],
        confusion=found.confusion.tolist() if len(classes) <= WHOLE else None,
        mistakes=None if len(classes) <= WHOLE else found.pairs.wrong.tolist(),
    )
    for number, one in enumerate(networks):
        screen.facts(("" if number else "run", f"{short(one.location)}, step {one.step:,}"))
    screen.facts(("data", f"{name}, {found.count:,} test images"))
    if len(networks) > 1 or tta:
        views = f", each over the image and {counted(tta, 'augmented view')}" if tta else ""
        screen.facts(("average", f"of {counted(len(networks), 'network')}{views}"))
    screen.facts(("loss", f"{found.loss:.4f}"))
    screen.say()
    _classes(screen, rows)
    screen.say()
    if len(classes) <= WIDEST:
        screen.say("rows are the true classes, columns the answers", style="dim")
        screen.show(_matrix(found, classes))
        screen.say()
    for number, worst in enumerate(reports.mistakes(found.pairs, classes)):
        text = f"{worst.true} taken for {worst.predicted}, {worst.count}×"
        screen.facts(("" if number else "mistakes", text))
    screen.say(accuracy_line(found.accuracy), style="bold")


def _classes(screen: Screen, rows: Sequence[reports.ClassRow]) -> None:
    """The error of each class; of very many those with the largest."""
    made = table("class", "images", "wrong", "error", right=("images", "wrong", "error"))
    shown = reports.worst(rows, WORST if len(rows) > LONGEST else LONGEST)
    for row in (rows[at] for at in shown):
        made.add_row(row.name, f"{row.images:,}", f"{row.wrong:,}" if row.wrong else "·", percent(row.error, 2))
    screen.show(made)
    if len(shown) < len(rows):
        screen.say(f"the {len(shown)} with the largest errors, of {len(rows):,} classes; --json has all", style="dim")


def _matrix(found: Evaluation, classes: Sequence[str]) -> Table:
    """The confusion matrix: right answers green, the commonest mistakes red."""
    heads, rows = reports.matrix(found.pairs, classes)
    worst = {(mistake.true, mistake.predicted) for mistake in reports.mistakes(found.pairs, classes)}
    made = table(*heads, right=tuple(heads[1:]))
    for true, (name, *cells) in enumerate(rows):
        styled = []
        for answer, cell in enumerate(cells):
            mistaken = (classes[true], classes[answer]) in worst
            style = "green" if true == answer else "red" if mistaken else "dim" if cell == reports.NONE else ""
            styled.append(Text(cell, style=style))
        made.add_row(name, *styled)
    return made
