"""`millrace explain`: where a row of an export comes from, and what was drawn for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from millrace.commands.downloads import Downloads
from millrace.commands.screen import Screen
from millrace.errors import IntegrityError
from millrace.library.explaining import ExportedRow, folder_for_pictures
from millrace.pipeline.export import Explanation
from millrace.reports.words import short
from millrace.settings import flags, layers
from millrace.settings.keys import DATA_KEYS

UNITS = {"dx": "pixels to the right", "dy": "pixels down", "angle": "degrees counter-clockwise"}
UNITS |= {"scale_x": "times as wide", "scale_y": "times as high", "shear": "pixels per row", "flip": "mirrored"}


@dataclass(frozen=True)
class ExplainOptions:
    """Draw one row of an export again from seed and sample id: its parameters, its original and its result as PNG, and
    whether what is stored is the same."""

    folder: str = flags.positional("DIR|URL", "folder of an export", required=True)
    row: int = flags.positional("ROW", "number of the row in its split, from 0", required=True)
    split: str = flags.option("train", "NAME", "train, validation or test")
    out: str = flags.option(".", "DIR", "folder for the two PNG files")
    json: bool = flags.as_json()


def run(arguments: Sequence[str]) -> int:
    """Explain the row; exit code 1 where what is stored is something else."""
    options, given = flags.parse("explain", ExplainOptions, arguments, DATA_KEYS)
    screen = Screen(as_json=options.json)
    settings, target = layers.resolve(None, given), folder_for_pictures(options.out)
    one = ExportedRow.at(options.folder, options.split, options.row)
    with Downloads(screen) as progress:
        found = one.explained(settings, progress)
    _report(screen, one, found, one.write_pictures(found, target))
    if found.differs:
        raise IntegrityError(
            f"row {options.row} of split {options.split} is not what seed and id give",
            got=f"other {', '.join(found.differs)}",
            do=f"millrace verify {options.folder}",
        )
    return 0


def _report(screen: Screen, one: ExportedRow, found: Explanation, names: tuple[Path, Path]) -> None:
    manifest, split, row = one.manifest, one.split, one.row
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
        ("class", manifest.classes[found.label]),
        ("drawn", f"policy {configuration['policy']['name']}, seed {configuration['seed']}"),
    )
    for name, value in found.parameters.items():
        shown = ("yes" if value else "no") if name == "flip" else f"{value:+.4f}"
        screen.facts(("", f"{name:<8} {shown:>9}  {UNITS[name]}"))
    screen.facts(("original", short(names[0])), ("result", short(names[1])))
    if not found.differs:
        screen.say("what is stored is the same, pixel for pixel", style="bold")
