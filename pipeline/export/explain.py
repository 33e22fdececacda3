"""Explanation of one row: made again from seed and id, and compared with what is stored."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from millrace.datasets import Dataset, images
from millrace.datasets.exported import Reader
from millrace.errors import IntegrityError
from millrace.formats.rows import PARAMETERS
from millrace.pipeline.export.plan import plan_of
from millrace.pipeline.export.source import Source

Pixels = npt.NDArray[np.uint8]


class Explanation(NamedTuple):
    """A row: where it comes from, what was drawn, its pictures, uint8 (C, H, W), and in what the stored row differs
    from the one made again (nothing, where all is well). position: within the epoch."""

    sample: int
    label: int
    epoch: int
    position: int
    parameters: dict[str, float]
    original: Pixels
    made: Pixels
    stored: Pixels
    differs: tuple[str, ...]


def explain_row(reader: Reader, dataset: Dataset, split: str, row: int) -> Explanation:
    """Explain a row of a split, from the export and the dataset that was exported. Errors: IntegrityError for another
    dataset, UsageError for a row that there is not."""
    manifest = reader.manifest
    if dataset.digest != manifest.dataset["digest"]:
        raise IntegrityError(
            "the dataset is not the one that was exported", expected=manifest.dataset["digest"], got=dataset.digest
        )
    stored = reader.rows(split, row, row + 1)
    made = Source(plan_of(manifest), dataset).range(split, row, row + 1)
    names = ("images", "labels", "samples", "epochs", "parameters")
    differs = tuple(name for name in names if not np.array_equal(getattr(stored, name), getattr(made, name)))
    epoch, position = divmod(row, manifest.splits[split].per_epoch)
    sample = int(made.samples[0])
    original = images(dataset.test if split == "test" else dataset.train)[sample]
    drawn = dict(zip(PARAMETERS, made.parameters[0].tolist(), strict=True))
    return Explanation(
        sample, int(made.labels[0]), epoch, position, drawn, original, made.images[0], stored.images[0], differs
    )
