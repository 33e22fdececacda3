"""`millrace preview`: what training sees, as a picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from millrace import datasets
from millrace.commands.downloads import Downloads
from millrace.commands.screen import Screen
from millrace.datasets import Dataset
from millrace.errors import MillraceError, UsageError
from millrace.pipeline import Policy, Stream, images_of, samples_of
from millrace.reports.contact_sheet import Row, Tile, contact_sheet, parameter_lines, save
from millrace.reports.plane import plane
from millrace.reports.words import in_words, short
from millrace.settings import flags, layers
from millrace.settings.keys import known_keys

KEYS = ("dataset", "seed", "mirror", "offline", *(key for key in known_keys() if key.startswith("policy")))
MOST = 100  # rows and columns; a larger sheet is nothing to look at
FILE = "preview.png"


@dataclass(frozen=True)
class PreviewOptions:
    """Draw samples beside their augmentations into one PNG: the very pixels that training with the same
    dataset, policy and seed sees in its first epochs."""

    file: str | None = flags.positional("FILE.yaml", "configuration to start from")
    out: str = flags.option(FILE, "FILE", "the PNG to write; replaced if it is there")
    rows: int = flags.option(10, "N", "samples shown, as evenly over the classes as can be")
    columns: int = flags.option(6, "N", "augmentations of each, one per epoch")
    json: bool = flags.as_json()

    def __post_init__(self) -> None:
        for name in ("rows", "columns"):
            if not 1 <= getattr(self, name) <= MOST:
                raise UsageError(f"--{name} is out of range", expected=f"1 to {MOST}", got=getattr(self, name))


def run(arguments: Sequence[str]) -> int:
    """Write the contact sheet and say where it lies."""
    options, given = flags.parse("preview", PreviewOptions, arguments, KEYS)
    screen = Screen(as_json=options.json)
    settings = layers.resolve(options.file, given)
    target = _target(options.out)
    spec, policy = datasets.find(settings.job.dataset), settings.job.policy
    with Downloads(screen) as progress:
        dataset = datasets.load(spec, mirror=settings.place.mirror, offline=settings.place.offline, progress=progress)
    if spec.format == "points":
        return _points(screen, dataset, target)
    rows = _rows(dataset, settings.job.seed, policy, options)
    heads = ["original", *(f"epoch {epoch + 1}" for epoch in range(options.columns))]
    title = f"{spec.name}, policy {policy.name}"
    sheet = contact_sheet(title, f"{in_words(policy)}, seed {settings.job.seed}", heads, rows)
    _save(sheet, target)
    screen.record(file=target, width=sheet.width, height=sheet.height, samples=len(rows), columns=options.columns)
    screen.say(f"{len(rows)} samples of {spec.name}, {options.columns} augmentations each, policy {policy.name}")
    screen.say(f"{short(target)}  ({sheet.width} × {sheet.height} pixels)")
    return 0


def _save(picture: Image.Image, target: Path) -> None:
    try:
        save(picture, target)
    except OSError as error:
        raise MillraceError(f"cannot write {target}: {error.strerror}", do="choose another --out") from error


def _points(screen: Screen, dataset: Dataset, target: Path) -> int:
    """Points in the plane are no pictures: they are drawn where they lie."""
    picture = plane(dataset.spec.title, datasets.images(dataset.train), datasets.labels(dataset.train))
    _save(picture, target)
    screen.record(file=target, width=picture.width, height=picture.height, samples=dataset.train.num_rows)
    screen.say(f"{dataset.train.num_rows:,} points of {dataset.spec.name}")
    screen.say(f"{short(target)}  ({picture.width} × {picture.height} pixels)")
    return 0


def _target(out: str) -> Path:
    """The file to write, checked before any work is done."""
    target = Path(out).expanduser().absolute()
    if target.suffix.lower() != ".png" or target.is_dir():
        raise UsageError("preview writes a PNG", expected="--out with a file that ends in .png", got=out)
    if not target.parent.is_dir():
        raise UsageError(f"the folder of {out} does not exist", do=f"mkdir -p {target.parent}")
    return target


def _rows(dataset: Dataset, seed: int, policy: Policy, options: PreviewOptions) -> list[Row]:
    """The samples and, for each epoch, what the stream makes of them."""
    images, labels = datasets.images(dataset.train), datasets.labels(dataset.train)
    chosen = datasets.split(labels, subset=min(options.rows, len(labels)), validation=0, seed=seed).train
    ids = chosen[np.lexsort((chosen, labels[chosen]))]
    stream = Stream(images, labels, np.sort(ids), policy=policy, seed=seed, batch=len(ids), slot_size=len(ids))
    tiles: dict[int, list[Tile]] = {int(sample): [] for sample in ids}
    for epoch in range(options.columns):
        batch = stream.batch(epoch, 0)  # one batch is one epoch
        drawn = batch.drop_columns(["image", "label", "sample"]).to_pylist()
        for sample, pixels, parameters in zip(samples_of(batch), images_of(batch), drawn, strict=True):
            tiles[int(sample)].append(Tile(pixels, () if policy.is_identity else parameter_lines(parameters)))
    return [_row(dataset, images, int(labels[sample]), int(sample), tiles[int(sample)]) for sample in ids]


def _row(dataset: Dataset, images: npt.NDArray[np.uint8], label: int, sample: int, tiles: list[Tile]) -> Row:
    return Row(dataset.spec.classes[label], f"sample {sample}", Tile(images[sample]), tuple(tiles))
