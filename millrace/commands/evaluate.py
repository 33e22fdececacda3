"""`millrace evaluate`: how good a network, or several together, is on the test images."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from rich.table import Table
from rich.text import Text

from millrace import config, datasets
from millrace.commands import flags, layers
from millrace.commands.downloads import Downloads
from millrace.commands.networks import Found, find_network
from millrace.commands.screen import Screen, table
from millrace.config import Config
from millrace.datasets import Dataset
from millrace.errors import CheckpointError, UsageError
from millrace.model import differences, fingerprint
from millrace.pipeline.stream import augmented
from millrace.reports import confusion as reports
from millrace.reports.words import accuracy_line, counted, percent, short
from millrace.runs.folder import RunFolder
from millrace.workers.evaluation import Evaluation, evaluate, judged, probabilities
from millrace.workers.local_runtime import cores

KEYS = ("dataset", "mirror", "offline")
WIDEST = 15  # classes up to which the matrix fits on a screen
TEST_SPLIT, MOST_VIEWS = 2, 255


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
    tta: int = flags.option(0, "N", "average over N augmented views of each image, and the image itself")
    json: bool = flags.as_json()

    def __post_init__(self) -> None:
        if not 0 <= self.tta <= MOST_VIEWS:
            raise UsageError("--tta is out of range", expected=f"0 to {MOST_VIEWS}", got=self.tta)


def run(arguments: Sequence[str]) -> int:
    """Print accuracy, error per class and confusion matrix; the last line is the accuracy."""
    options, given = flags.parse("evaluate", EvaluateOptions, arguments, KEYS)
    screen = Screen(as_json=options.json)
    networks = [find_network(text) for text in options.runs]
    settings = _settings(networks[0], given)
    with Downloads(screen) as progress:
        spec = datasets.find(settings.dataset)
        dataset = datasets.load(spec, mirror=settings.mirror, offline=settings.offline, progress=progress)
    for found in networks:
        _check(screen, found, dataset)
    if len(networks) == 1 and not options.tta:
        one, test = networks[0].network, dataset.test
        images, labels = datasets.images(test), datasets.labels(test)
        measured = evaluate(one.network, one.inputs, one.weights, images, labels, threads=cores())
    else:
        measured = _together(networks, dataset, options.tta)
    _report(screen, networks, options.tta, dataset, measured)
    return 0


def _check(screen: Screen, found: Found, dataset: Dataset) -> None:
    """Refuse a network of another dataset; tell of one that was trained elsewhere."""
    about = found.network.about
    if about.get("dataset_digest") != dataset.digest:
        raise CheckpointError(
            f"the checkpoint belongs to another dataset: {short(found.location)}",
            expected=f"{about.get('dataset')}, digest {str(about.get('dataset_digest'))[:16]}…",
            got=f"{dataset.spec.name}, digest {dataset.digest[:16]}…",
            do="leave out --dataset, or name the one that the run was trained on",
        )
    for line in differences(about.get("fingerprint", {}), fingerprint()):
        screen.note(f"the run was trained elsewhere, last digits may differ: {line}")


def _together(networks: Sequence[Found], dataset: Dataset, views: int) -> Evaluation:
    """The average of the networks' probabilities, each over the image and its augmented views.

    Views are drawn as the network's own training drew them, from its policy and seed, with the test split and a replica
    for each view in the counters: the same at every call."""
    images, labels = datasets.images(dataset.test), datasets.labels(dataset.test)
    ids = np.arange(len(images), dtype=np.int64)
    total = np.zeros((len(images), len(dataset.spec.classes)))
    for found in networks:
        one, recipe = found.network, config.build(config.recipe_values(found.network.about.get("config", {})))
        policy = recipe.augmentation()
        if views and policy.is_identity:
            raise UsageError(f"{short(found.location)} was trained without augmentation", do="leave out --tta")
        for view in range(views + 1):
            pixels = images
            if view:
                pixels, _ = augmented(images, ids, policy, seed=recipe.seed, epoch=0, split=TEST_SPLIT, replica=view)
            total += probabilities(one.network, one.inputs, one.weights, pixels, threads=cores())
    return judged(total / (len(networks) * (views + 1)), labels)


def _settings(found: Found, given: Mapping[str, object]) -> Config:
    """The run's recipe; where to get the data from as flags, environment or the run's folder say."""
    recipe = layers.from_values(config.recipe_values(found.network.about.get("config", {})), "the checkpoint")
    kept = layers.from_file(str(found.path / "config.yaml")) if RunFolder.is_run(found.path) else {}
    place = {key: setting for layer in (kept, layers.from_environment()) for key, setting in layer.items()}
    where = {key: setting for key, setting in place.items() if key in ("mirror", "offline")}
    return layers.merge(recipe, where, layers.from_flags(given)).config


def _report(screen: Screen, networks: Sequence[Found], tta: int, dataset: Dataset, found: Evaluation) -> None:
    classes, name = dataset.spec.classes, dataset.spec.name
    rows = reports.per_class(found.confusion, classes)
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
        confusion=found.confusion.tolist(),
    )
    for number, one in enumerate(networks):
        screen.facts(("" if number else "run", f"{short(one.location)}, step {one.step:,}"))
    screen.facts(("data", f"{name}, {found.count:,} test images"))
    if len(networks) > 1 or tta:
        views = f", each over the image and {counted(tta, 'augmented view')}" if tta else ""
        screen.facts(("average", f"of {counted(len(networks), 'network')}{views}"))
    screen.facts(("loss", f"{found.loss:.4f}"))
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
