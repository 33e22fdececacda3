"""The report of a run, gathered from its folder and its data, written beside them."""

import shlex
from collections.abc import Container
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from millrace import datasets
from millrace.cores import cores
from millrace.datasets import Dataset
from millrace.errors import ReportError
from millrace.library.networks import checkpoint_at, portable
from millrace.library.profiling import stage_lines
from millrace.model import Checkpoint, Confusion, Portable
from millrace.pipeline import BALANCED, PRESETS, Policy, augmented
from millrace.reports.dataset_card import SHEET_KEY
from millrace.reports.run_report import Judged, RunReport, Seen, run_report
from millrace.reports.words import duration, in_words, passes
from millrace.runs import RunFolder, read_lines
from millrace.settings.keys import flat, known_keys
from millrace.settings.layers import flag
from millrace.storage import faults, write_whole
from millrace.workers import AUTO, Job, Setup, answers, named_policy

FILE = "report.html"
SAMPLES, VIEWS = 5, 5


def write_report(folder: RunFolder, job: Job, dataset: Dataset) -> Path:
    """Write report.html into the run's folder. The test set is shown where the run has looked at it, else the
    validation split, if there is one. Errors: ReportError where it cannot be written."""
    checkpoint = checkpoint_at(folder.path)
    network, setup = portable(checkpoint, dataset.spec.described(dataset.shape)), Setup(job, dataset)
    report = RunReport(
        title=f"{dataset.spec.name}: {network.network.text}",
        facts=_facts(folder, job, setup, checkpoint),
        classes=dataset.spec.classes,
        shape=network.shape,
        steps=read_lines(folder.metrics),
        steps_per_epoch=setup.order.steps_per_epoch,
        epochs=read_lines(folder.epochs),
        stretches=stage_lines(folder),
        judged=_judged(folder, network, setup),
        samples=_samples(job, setup),
        passes=passes(VIEWS, setup.sampling),
        first=network.network.views(network.weights)[0][0],
        regions=_regions(folder.path),
        config=folder.config_text(),
        environment=checkpoint.fingerprint,
        command=command(job),
        left_out=dataset.left_out,
    )
    target = folder.path / FILE
    page = run_report(report).encode()
    with faults(f"the report {target}", "cannot be written", ReportError):
        write_whole(target, page)
    folder.publish(FILE)
    return target


def command(job: Job, name: str = "train", keys: Container[str] | None = None) -> str:
    """The command line that trains the same bits: what differs from the defaults, as flags. name, keys: of another
    command, and what it takes of these."""
    words = ["millrace", name]
    known = known_keys()
    for key, value in flat(job).items():
        if (keys is None or key in keys) and not key.startswith("policy"):
            words += _flag(key, value) if value != known[key].default and key != "network.preset" else []
    return shlex.join(words + _policy(job))


def _flag(key: str, value: object) -> list[str]:
    values = value if isinstance(value, list | tuple) else [value]
    if isinstance(value, bool):
        return [flag(key if value else f"no-{key}")]
    return [flag(key), *map(str, values)]


def _policy(job: Job) -> list[str]:
    """The flags of the augmentation; none where it is the dataset's own."""
    policy = job.policy
    if policy == named_policy(AUTO, job.dataset):
        return []
    if policy == PRESETS.get(policy.name):
        return ["--policy", policy.name]
    words, plain = ["--policy", "none"], asdict(Policy())
    for name, value in asdict(policy).items():
        words += _flag(f"policy.{name}", value) if value != plain[name] else []
    return words


def _facts(folder: RunFolder, job: Job, setup: Setup, checkpoint: Checkpoint) -> list[tuple[str, str]]:
    result: dict[str, Any] = folder.result() if folder.finished else {}
    order, split = setup.order, setup.split
    held = f", {len(split.validation):,} to validate on" if len(split.validation) else ""
    even = "; every class equally often" if setup.sampling == BALANCED else ""
    epochs = checkpoint.step / order.steps_per_epoch
    left = f"; {len(setup.dataset.left_out):,} pictures left out" if setup.dataset.left_out else ""
    return [
        ("data", f"{setup.dataset.spec.title}; {len(split.train):,} to train on{held}{even}{left}"),
        ("augmentation", in_words(setup.stream.policy)),  # of an export, what its rows were drawn with
        ("network", f"{setup.network.text}, {setup.network.parameters:,} parameters"),
        (
            "optimizer",
            f"{job.optimizer.name}, rate {job.optimizer.rate:g}, {job.schedule.name} schedule",
        ),
        ("steps", f"{checkpoint.step:,}, {epochs:g} epochs, batch {order.batch}"),
        ("seed", str(job.seed)),
        ("time", duration(float(result["seconds"])) if "seconds" in result else "not finished"),
    ]


def _judged(folder: RunFolder, network: Portable, setup: Setup) -> Judged | None:
    tested = folder.finished and folder.result().get("test_accuracy") is not None
    if tested:
        name, table = "test", setup.dataset.test
        images, labels = datasets.images(table), datasets.labels(table)
    elif len(setup.split.validation):
        rows = setup.split.validation
        name, images, labels = "validation", setup.images[rows], setup.labels[rows]
    else:
        return None
    answered, chances = answers(network.network, network.inputs, network.weights, images, threads=cores())
    confusion = Confusion.of(labels, answered, len(network.classes))
    return Judged(name, images, labels, answered, chances, confusion)


def _samples(job: Job, setup: Setup) -> list[Seen]:
    """A few samples of as many classes with their augmentations, as the run's first epochs see them."""
    policy = job.policy
    if policy.is_identity:
        return []
    trained = setup.split.train
    rows = trained[datasets.balanced(setup.labels[trained], min(SAMPLES, len(trained)), seed=0, purpose=SHEET_KEY)]
    rows = rows[np.lexsort((rows, setup.labels[rows]))]
    views = [augmented(setup.images, rows, policy, seed=job.seed, epoch=epoch)[0] for epoch in range(VIEWS)]
    names = setup.dataset.spec.classes
    return [
        Seen(names[setup.labels[row]], row, setup.images[row], [view[number] for view in views])
        for number, row in enumerate(rows.tolist())
    ]


def _regions(path: Path) -> Any:
    from PIL import Image

    file = path / "regions.png"
    if not file.exists():
        return None
    with Image.open(file) as picture:
        return picture.convert("RGB")
