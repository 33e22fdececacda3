"""The picture of decision regions that a run on points leaves in its folder."""

from pathlib import Path

import numpy as np

from millrace import datasets
from millrace.datasets import Dataset
from millrace.errors import ReportError
from millrace.model import Checkpoint
from millrace.reports.contact_sheet import save
from millrace.reports.plane import every_place, plane
from millrace.storage import faults
from millrace.workers import Setup

FILE = "regions.png"
ROWS = 4096  # rows of one pass


def draw_regions(setup: Setup, dataset: Dataset, checkpoint: Checkpoint, folder: Path) -> Path:
    """Ask the network for every place of the plane; write the picture, with the training points, into the folder.
    Errors: ReportError where it cannot be written."""
    network, places = setup.network, every_place()
    x = np.empty((ROWS, network.inputs), np.float32)
    workspace = network.workspace(ROWS)
    parts = []
    for begin in range(0, len(places), ROWS):
        some = places[begin : begin + ROWS]
        logits = network.logits(checkpoint.served, checkpoint.inputs.into(some, x[: len(some)]), workspace)
        parts.append(1.0 / (1.0 + np.exp(-np.clip(logits[:, 1] - logits[:, 0], -60, 60).astype(np.float64))))
    train = datasets.images(dataset.train)[setup.split.train], datasets.labels(dataset.train)[setup.split.train]
    title = f"{dataset.spec.name}: {network.text}, step {checkpoint.step:,}"
    target = folder / FILE
    picture = plane(title, *train, np.concatenate(parts))
    with faults(f"the picture {target}", "cannot be written", ReportError):
        save(picture, target)
    return target
