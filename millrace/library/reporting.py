"""The report of a run, gathered from its folder and its data, written beside them."""

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from millrace import config, datasets
from millrace.config import Config
from millrace.datasets import Dataset
from millrace.library.networks import checkpoint_at, portable
from millrace.library.outcomes import lines
from millrace.model import Checkpoint
from millrace.model.portable import Portable
from millrace.pipeline.policy import PRESETS, Policy
from millrace.pipeline.stream import augmented
from millrace.reports.run_report import Judged, RunReport, U8Array, run_report
from millrace.reports.words import duration, in_words
from millrace.runs.folder import RunFolder, write_whole
from millrace.workers.evaluation import judged, probabilities
from millrace.workers.local_runtime import cores
from millrace.workers.setup import Setup

FILE = "report.html"
SAMPLES, VIEWS = 5, 5


def write_report(folder: RunFolder, settings: Config, dataset: Dataset) -> Path:
    """Write report.html into the run's folder. The test set is shown where the run has looked at it, else the
    validation split, if there is one."""
    checkpoint = checkpoint_at(folder.path)
    network, setup = portable(checkpoint, dataset.spec.described(dataset.shape)), Setup(settings.job(), dataset)
    report = RunReport(
        title=f"{dataset.spec.name}: {network.network.text}",
        facts=_facts(folder, settings, setup, checkpoint),
        classes=dataset.spec.classes,
        shape=network.shape,
        steps=lines(folder.metrics),
        steps_per_epoch=setup.order.steps_per_epoch,
        epochs=lines(folder.epochs),
        judged=_judged(folder, network, setup),
        samples=_samples(settings, setup),
        first=network.network.views(network.weights)[0][0],
        regions=_regions(folder.path),
        config=folder.config_text(),
        environment=checkpoint.fingerprint,
        command=command(settings),
    )
    target = folder.path / FILE
    write_whole(target, run_report(report).encode())
    folder.publish(FILE)
    return target


def command(settings: Config) -> str:
    """The command line that trains the same bits: what differs from the defaults, as flags."""
    words = ["millrace", "train"]
    plain, known = config.flat(Config()), config.known_keys()
    for key, value in config.flat(settings).items():
        if key in known and key in plain and not key.startswith("policy") and not known[key].place:
            words += _flag(key, value) if value != plain[key] and key != "network.preset" else []
    return shlex.join(words + _policy(settings))


def _flag(key: str, value: object) -> list[str]:
    values = value if isinstance(value, list | tuple) else [value]
    return [f"--{key.replace('_', '-')}", *([] if value is True else map(str, values))]


def _policy(settings: Config) -> list[str]:
    """The flags of the augmentation; none where it is the dataset's own."""
    policy = settings.augmentation()
    if policy == Config(dataset=settings.dataset).augmentation():
        return []
    if policy == PRESETS.get(policy.name):
        return ["--policy", policy.name]
    words, plain = ["--policy", "none"], asdict(Policy())
    for name, value in asdict(policy).items():
        words += _flag(f"policy.{name}", value) if value != plain[name] else []
    return words


def _facts(folder: RunFolder, settings: Config, setup: Setup, checkpoint: Checkpoint) -> list[tuple[str, str]]:
    result: dict[str, Any] = folder.result() if folder.finished else {}
    order, split = setup.order, setup.split
    held = f", {len(split.validation):,} to validate on" if len(split.validation) else ""
    epochs = checkpoint.step / order.steps_per_epoch
    return [
        ("data", f"{setup.dataset.spec.title}; {len(split.train):,} to train on{held}"),
        ("augmentation", in_words(settings.augmentation())),
        ("network", f"{setup.network.text}, {setup.network.parameters:,} parameters"),
        (
            "optimizer",
            f"{settings.optimizer.name}, rate {settings.optimizer.rate:g}, {settings.schedule.name} schedule",
        ),
        ("steps", f"{checkpoint.step:,}, {epochs:g} epochs, batch {order.batch}"),
        ("seed", str(settings.seed)),
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
    chances = probabilities(network.network, network.inputs, network.weights, images, threads=cores())
    return Judged(name, images, labels, chances, judged(chances, labels).confusion)


def _samples(settings: Config, setup: Setup) -> list[list[U8Array]]:
    """A few samples with their augmentations, as the run's first epochs see them."""
    policy = settings.augmentation()
    if policy.is_identity:
        return []
    rows = np.sort(setup.split.train)[: SAMPLES * 7 : 7].astype(np.int64)
    views = [augmented(setup.images, rows, policy, seed=settings.seed, epoch=epoch)[0] for epoch in range(VIEWS)]
    return [[setup.images[row], *(view[number] for view in views)] for number, row in enumerate(rows.tolist())]


def _regions(path: Path) -> Any:
    from PIL import Image

    file = path / "regions.png"
    if not file.exists():
        return None
    with Image.open(file) as picture:
        return picture.convert("RGB")
