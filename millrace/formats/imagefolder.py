"""A PNG per row in a folder per class, and metadata.csv beside the folders with everything else.

TRAIN/CLASS/ROW-sSAMPLE.png. Tools that name classes after folders in alphabetical order get the dataset's numbers:
where the names themselves do not stand in this order, or hold signs that file names must not, the number goes first.
"""

import csv
import hashlib
import io
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from millrace.errors import FormatError
from millrace.formats.png import decode_many, encode_many
from millrace.formats.rows import PARAMETERS, SPLITS, Rows
from millrace.formats.shards import Fetch, Files, ShardInfo
from millrace.labels import narrowed

# The columns of metadata.csv; file_name is relative to the split's folder. With originals two more follow, of which
# original_file is relative to the export: Hugging Face's imagefolder would take a second `…file_name` for its own.
COLUMNS = ("file_name", "label", "class", "sample", "epoch", *PARAMETERS, "split", "sha256")
ORIGINALS = ("original_file", "original_sha256")
LONGEST = 255  # bytes of a file name, on any system


def encode(rows: Rows, info: ShardInfo) -> tuple[Sequence[Any], Files]:
    """The shard's lines of metadata.csv, and its pictures."""
    pictures = encode_many(rows.images)
    originals = None if rows.originals is None else encode_many(rows.originals)
    folders, drawn = class_folders(info.classes), rows.parameters.tolist()
    files: Files = []
    text = io.StringIO(newline="")
    lines = csv.writer(text, lineterminator="\n")
    for row, (label, sample, epoch) in enumerate(
        zip(rows.labels.tolist(), rows.samples.tolist(), rows.epochs.tolist(), strict=True)
    ):
        stem = f"{info.first + row:010d}-s{sample}.png"
        name = f"{folders[label]}/{stem}"
        files.append((f"{info.split}/{name}", pictures[row]))
        flip = int(drawn[row][-1])
        line = [name, label, info.classes[label], sample, epoch, *drawn[row][:-1], flip, info.split]
        line.append(hashlib.sha256(pictures[row]).hexdigest())
        if originals is not None:
            # A number for the split: readers that look for the word `train` in paths would take these in as well.
            untouched = f"originals/{SPLITS.index(info.split)}/{name}"
            files.append((untouched, originals[row]))
            line += [untouched, hashlib.sha256(originals[row]).hexdigest()]
        lines.writerow(line)
    return [text.getvalue().encode()], files


def decode(data: Any, info: ShardInfo, fetch: Fetch) -> Rows:
    """The rows of a shard: of its lines of metadata.csv, and the pictures that they name."""
    lines = list(csv.reader(io.StringIO(bytes(data).decode(), newline="")))
    found = [dict(zip(_columns(info), line, strict=True)) for line in lines]
    files = ((f"{one['split']}/{one['file_name']}", one["sha256"]) for one in found)
    images = decode_many((_verified(*file, fetch) for file in files), info.shape, len(found))
    originals = None
    if info.originals:
        files = ((one[ORIGINALS[0]], one[ORIGINALS[1]]) for one in found)
        originals = decode_many((_verified(*file, fetch) for file in files), info.shape, len(found))
    return Rows(
        images,
        narrowed(np.array([int(one["label"]) for one in found], np.int64), len(info.classes), "column label"),
        np.array([int(one["sample"]) for one in found], np.int64),
        np.array([int(one["epoch"]) for one in found], np.int32),
        np.array([[float(one[name]) for name in PARAMETERS] for one in found], np.float32),
        originals,
    )


def _verified(name: str, digest: str, fetch: Fetch) -> Any:
    content = fetch(name)
    if hashlib.sha256(content).hexdigest() != digest:
        raise FormatError(f"{name} is damaged", expected=f"sha256 {digest}", got="another")
    return content


def heading(info: ShardInfo) -> tuple[str, bytes]:
    """The name of a split's metadata.csv, and its first line."""
    return f"{info.split}/metadata.csv", (",".join(_columns(info)) + "\n").encode()


def _columns(info: ShardInfo) -> tuple[str, ...]:
    return (*COLUMNS, *(ORIGINALS if info.originals else ()))


def class_folders(classes: Sequence[str]) -> list[str]:
    """A folder name for each class, such that alphabetical order is that of the labels."""
    clean = [re.sub(r"[^A-Za-z0-9 ._-]+", "_", name).strip(" .") for name in classes]
    apart = len({name.casefold() for name in clean}) == len(clean)
    if clean == list(classes) == sorted(clean) and apart and max(map(len, clean), default=0) <= LONGEST:
        return clean
    width = len(str(len(classes) - 1))
    return [f"{label:0{width}d}-{name}"[:100].rstrip(" .-") for label, name in enumerate(clean)]
