"""Verification: what the manifest says of a shard against what lies there."""

from dataclasses import dataclass

import numpy as np

from millrace.datasets.exported import Manifest, Record, load, shard_name
from millrace.errors import DataError, IntegrityError
from millrace.formats.rows import pixel_digest
from millrace.formats.shards import heading
from millrace.storage import Folder


@dataclass(frozen=True)
class Damage:
    """A shard that is not what it should be, and why."""

    shard: str
    what: str
    expected: str
    got: str


def verify_shard(folder: Folder, manifest: Manifest, record: Record) -> Damage | None:
    """Read a shard whole: size, sha256, decoding, rows, epochs, ids, sha256 of the pixels. None where all is right."""
    try:
        _check(folder, manifest, record)
    except DataError as error:
        said = ["" if value is None else str(value) for value in (error.expected, error.got)]
        return Damage(shard_name(record), error.what, *said)
    return None


def _check(folder: Folder, manifest: Manifest, record: Record) -> None:
    rows, size, what = load(folder, manifest, record), manifest.splits[record.split], shard_name(record)
    expected = np.arange(record.first, record.first + record.rows) // size.per_epoch
    if not np.array_equal(rows.epochs, expected):
        raise IntegrityError(f"{what}: rows of another epoch", expected=f"from {expected[0]}", got=int(rows.epochs[0]))
    # Validation rows are rows of the training table too.
    most = size.rows if record.split == "test" else int(manifest.dataset["train_rows"])
    if int(rows.samples.min()) < 0 or int(rows.samples.max()) >= most:
        raise IntegrityError(f"{what}: impossible sample ids", expected=f"0 to {most - 1}", got=int(rows.samples.max()))
    pixels = {"pixels": (rows.images, record.pixels), "originals": (rows.originals, record.originals)}
    for name, (images, digest) in pixels.items():
        got = "" if images is None else pixel_digest(images)
        if got != digest:
            raise IntegrityError(f"{what}: its {name} are not what they should be", expected=digest, got=got)


def verify_joined(folder: Folder, manifest: Manifest) -> list[Damage]:
    """Of files that shards were joined to: that they begin and end as they should. Their shards are verified apart."""
    found: list[Damage] = []
    for split in manifest.splits:
        whole = heading(manifest.format, manifest.info(split, 0, 0))
        if whole is None or not (records := manifest.of(split)):
            continue
        name, first = whole
        size = records[-1].offset + records[-1].bytes
        if folder.size(name) != size:
            found.append(Damage(name, f"{name} has the wrong size", f"{size} bytes", f"{folder.size(name)} bytes"))
        elif (got := folder.read(name, count=len(first)).to_pybytes()) != first:
            found.append(Damage(name, f"{name} has another first line", first.decode(), repr(got)))
    return found


def unknown_files(folder: Folder, manifest: Manifest) -> list[str]:
    """Files in the folders of the shards that the manifest does not know, by name. Not asked of an imagefolder."""
    known = {record.file for record in manifest.shards}
    folders = {name.rpartition("/")[0] for name in known}
    if manifest.format == "imagefolder":
        return []
    return [name for under in sorted(folders) for name in folder.names(under) if name not in known]
