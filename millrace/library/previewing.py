"""What training sees, as a picture: samples beside their augmentations, or points in their plane."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from millrace import datasets
from millrace.datasets import Dataset
from millrace.pipeline import UNIFORM, Policy, Stream, images_of, samples_of
from millrace.reports.contact_sheet import Row, Tile, contact_sheet, parameter_lines
from millrace.reports.plane import plane
from millrace.reports.words import in_words, passes


def preview(
    dataset: Dataset, policy: Policy, seed: int, *, sampling: str = UNIFORM, rows: int = 10, columns: int = 6
) -> Image.Image:
    """Samples, as evenly over the classes as can be, each beside what the first `columns` epochs of a training with
    this policy and seed (with sampling `balanced` its first showings, whichever epochs have them) make of it, with the
    drawn parameters: the very pixels. Points are drawn where they lie."""
    if dataset.spec.prepare == "points":
        return plane(dataset.spec.title, datasets.images(dataset.train), datasets.labels(dataset.train))
    heads = ["original", *passes(columns, sampling)]
    title = f"{dataset.spec.name}, policy {policy.name}"
    return contact_sheet(title, f"{in_words(policy)}, seed {seed}", heads, _rows(dataset, policy, seed, rows, columns))


def _rows(dataset: Dataset, policy: Policy, seed: int, rows: int, columns: int) -> Sequence[Row]:
    """The samples and, for each epoch, what the stream makes of them."""
    images, labels = datasets.images(dataset.train), datasets.labels(dataset.train)
    chosen = datasets.split(labels, subset=min(rows, len(labels)), validation=0, seed=seed).train
    ids = chosen[np.lexsort((chosen, labels[chosen]))]
    stream = Stream(images, labels, np.sort(ids), policy=policy, seed=seed, batch=len(ids), slot_size=len(ids))
    tiles: dict[int, list[Tile]] = {int(sample): [] for sample in ids}
    for epoch in range(columns):
        batch = stream.batch(epoch, 0)  # one batch is one epoch
        drawn = batch.drop_columns(["image", "label", "sample"]).to_pylist()
        for sample, pixels, parameters in zip(samples_of(batch), images_of(batch), drawn, strict=True):
            tiles[int(sample)].append(Tile(pixels, () if policy.is_identity else parameter_lines(parameters)))
    return [_row(dataset, images, int(labels[sample]), int(sample), tiles[int(sample)]) for sample in ids]


def _row(dataset: Dataset, images: npt.NDArray[np.uint8], label: int, sample: int, tiles: list[Tile]) -> Row:
    return Row(dataset.spec.classes[label], f"sample {sample}", Tile(images[sample]), tuple(tiles))
