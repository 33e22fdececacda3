"""`millrace preview`: what training sees, as a picture."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from millrace.commands.downloads import Downloads
from millrace.commands.screen import Screen
from millrace.errors import MillraceError, UsageError
from millrace.library import resolving
from millrace.library.previewing import preview
from millrace.reports.contact_sheet import save
from millrace.reports.words import short
from millrace.settings import flags, layers
from millrace.settings.keys import DATA_KEYS, SOURCE_KEYS, known_keys

KEYS = (*SOURCE_KEYS, "seed", "sampling", *DATA_KEYS, *(key for key in known_keys() if key.startswith("policy")))
MOST = 100  # rows and columns; a larger sheet is nothing to look at
FILE = "preview.png"


@dataclass(frozen=True)
class PreviewOptions:
    """Draw samples beside their augmentations into one PNG: the very pixels that training with the same
    dataset, policy and seed sees in its first epochs."""

    file: str | None = flags.positional("FILE.yaml", "configuration to start from")
    out: str = flags.option(FILE, "FILE", "the PNG to write; replaced if it is there")
    rows: int = flags.option(10, "N", "samples shown, as evenly over the classes as can be", least=1, most=MOST)
    columns: int = flags.option(
        6, "N", "augmentations of each, one per epoch, or per showing with sampling balanced", least=1, most=MOST
    )
    json: bool = flags.as_json()


def run(arguments: Sequence[str]) -> int:
    """Write the contact sheet and say where it lies."""
    options, given = flags.parse("preview", PreviewOptions, arguments, KEYS)
    screen = Screen(as_json=options.json)
    settings = layers.resolve(options.file, given)
    target = _target(options.out)
    with Downloads(screen) as progress:
        dataset = resolving.dataset_of(settings, progress)
    job = settings.job
    sheet = preview(dataset, job.policy, job.seed, sampling=job.sampling, rows=options.rows, columns=options.columns)
    _save(sheet, target)
    points = dataset.spec.prepare == "points"
    samples = dataset.train.num_rows if points else min(options.rows, dataset.train.num_rows)
    shown = {"samples": samples} | ({} if points else {"columns": options.columns})
    screen.record(file=target, width=sheet.width, height=sheet.height, **shown)
    what = f"{samples} samples of {dataset.spec.name}, {options.columns} augmentations each, policy {job.policy.name}"
    screen.say(f"{samples:,} points of {dataset.spec.name}" if points else what)
    screen.say(f"{short(target)}  ({sheet.width} × {sheet.height} pixels)")
    return 0


def _save(picture: Image.Image, target: Path) -> None:
    try:
        save(picture, target)
    except OSError as error:
        raise MillraceError(f"cannot write {target}: {error.strerror}", do="choose another --out") from error


def _target(out: str) -> Path:
    """The file to write, checked before any work is done."""
    target = Path(os.path.expanduser(out)).absolute()
    if target.suffix.lower() != ".png" or target.is_dir():
        raise UsageError("preview writes a PNG", expected="--out with a file that ends in .png", got=out)
    if not target.parent.is_dir():
        raise UsageError(f"the folder of {out} does not exist", do=f"mkdir -p {target.parent}")
    return target
