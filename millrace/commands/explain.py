"""`millrace explain`: where a row of an export comes from, and what was drawn for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from millrace import datasets
from millrace.commands.downloads import Downloads
from millrace.commands.screen import Screen
from millrace.datasets import reading_kept
from millrace.datasets.exported import Manifest, Reader, open_manifest
from millrace.errors import IntegrityError, MillraceError, UsageError
from millrace.formats.png import encode_many
from millrace.pipeline.export import Explanation, explain_row
from millrace.reports.words import short
from millrace.settings import flags, layers
from millrace.settings.keys import DATA_KEYS
from millrace.storage import write_whole

UNITS = {"dx": "pixels to the right", "dy": "pixels down", "angle": "degrees counter-clockwise"}
UNITS |= {"scale_x": "times as wide", "scale_y": "times as high", "shear": "pixels per row", "flip": "mirrored"}


@dataclass(frozen=True)
class ExplainOptions:
    """Draw one row of an export again from seed and sample id: its parameters, its original and its result as PNG, and
    whether what is stored is the same."""

    folder: str = flags.positional("DIR|URL", "folder of an export", required=True)
    row: str = flags.positional("ROW", "number of the row in its split, from 0", required=True)
    split: str = flags.option("train", "NAME", "train, validation or test")
    out: str = flags.option(".", "DIR", "folder for the two PNG files")
    json: bool = flags.as_json()


def run(arguments: Sequence[str]) -> int:
    """Explain the row; exit code 1 where what is stored is something else."""
    options, given = flags.parse("explain", ExplainOptions, arguments, DATA_KEYS)
    screen = Screen(as_json=options.json)
    settings = layers.resolve(None, given)
    folder, manifest = open_manifest(options.folder)
    row = _row(options, manifest)
    target = Path(options.out).expanduser()
    if not target.is_dir():
        raise UsageError(f"there is no folder {options.out}", do=f"mkdir -p {short(target)}")
    with Downloads(screen) as progress:
        spec = datasets.find(str(manifest.dataset["source"]), reading_kept(manifest.dataset.get("reading")))
        dataset = datasets.load(spec, mirror=settings.place.mirror, offline=settings.place.offline, progress=progress)
    found = explain_row(Reader(folder, manifest), dataset, options.split, row)
    names = _pictures(target, options.split, row, found)
    _report(screen, options.split, row, manifest, found, names)
    if found.differs:
        raise IntegrityError(
            f"row {row} of split {options.split} is not what seed and id give",
            got=f"other {', '.join(found.differs)}",
            do=f"millrace verify {options.folder}",
        )
    return 0


def _row(options: ExplainOptions, manifest: Manifest) -> int:
    if options.split not in manifest.splits:
        raise UsageError(f"no split {options.split!r}", expected=", ".join(manifest.splits), got=options.split)
    most = manifest.splits[options.split].rows - 1
    if not (options.row.isascii() and options.row.isdigit() and int(options.row) <= most):
        raise UsageError(f"no such row in split {options.split}", expected=f"0 to {most}", got=options.row)
    return int(options.row)


def _pictures(target: Path, split: str, row: int, found: Explanation) -> tuple[Path, Path]:
    paths = target / f"{split}-{row}-original.png", target / f"{split}-{row}-augmented.png"
    try:
        for path, pixels in zip(paths, (found.original, found.made), strict=True):
            if len(pixels) not in (1, 3):
                raise UsageError("no picture", expected="1 or 3 channels", got=len(pixels))
            write_whole(path, encode_many(pixels[None])[0])
    except OSError as error:
        raise MillraceError(f"cannot write to {target}", got=error.strerror, do="choose another --out") from error
    return paths


def _report(
    screen: Screen, split: str, row: int, manifest: Manifest, found: Explanation, names: tuple[Path, Path]
) -> None:
    screen.record(
        split=split,
        row=row,
        sample=found.sample,
        label=found.label,
        epoch=found.epoch,
        position=found.position,
        parameters=found.parameters,
        same=not found.differs,
        original=names[0],
        augmented=names[1],
    )
    configuration = manifest.configuration
    screen.facts(
        ("row", f"{row:,} of split {split}: epoch {found.epoch + 1}, position {found.position:,}"),
        ("sample", f"{found.sample:,} of {manifest.dataset['name']}"),
        ("class", f"{found.label}, {manifest.classes[found.label]}"),
        ("drawn", f"policy {configuration['policy']['name']}, seed {configuration['seed']}"),
    )
    for name, value in found.parameters.items():
        shown = ("yes" if value else "no") if name == "flip" else f"{value:+.4f}"
        screen.facts(("", f"{name:<8} {shown:>9}  {UNITS[name]}"))
    screen.facts(("original", short(names[0])), ("result", short(names[1])))
    if not found.differs:
        screen.say("what is stored is the same, pixel for pixel", style="bold")
