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

from millrace.datasets.exported import Rows
from millrace.datasets.exported.decoders.imagefolder import COLUMNS, ORIGINALS
from millrace.pipeline.export.formats import Files
from millrace.pipeline.export.formats.png import encode_many
from millrace.pipeline.export.plan import SPLITS, Plan, Shard


def encode(rows: Rows, plan: Plan, shard: Shard) -> tuple[Sequence[Any], Files]:
    """The shard's lines of metadata.csv, and its pictures."""
    pictures = encode_many(rows.images)
    originals = None if rows.originals is None else encode_many(rows.originals)
    folders, drawn = class_folders(plan.classes), rows.parameters.tolist()
    files: Files = []
    text = io.StringIO(newline="")
    lines = csv.writer(text, lineterminator="\n")
    for row, (label, sample, epoch) in enumerate(
        zip(rows.labels.tolist(), rows.samples.tolist(), rows.epochs.tolist(), strict=True)
    ):
        stem = f"{shard.first + row:010d}-s{sample}.png"
        name = f"{folders[label]}/{stem}"
        files.append((f"{shard.split}/{name}", pictures[row]))
        flip = int(drawn[row][-1])
        line = [name, label, plan.classes[label], sample, epoch, *drawn[row][:-1], flip, shard.split]
        line.append(hashlib.sha256(pictures[row]).hexdigest())
        if originals is not None:
            # A number for the split: readers that look for the word `train` in paths would take these in as well.
            untouched = f"originals/{SPLITS.index(shard.split)}/{name}"
            files.append((untouched, originals[row]))
            line += [untouched, hashlib.sha256(originals[row]).hexdigest()]
        lines.writerow(line)
    return [text.getvalue().encode()], files


def heading(plan: Plan) -> bytes:
    """The first line of metadata.csv."""
    return (",".join((*COLUMNS, *(ORIGINALS if plan.options.originals else ()))) + "\n").encode()


def class_folders(classes: Sequence[str]) -> list[str]:
    """A folder name for each class, such that alphabetical order is that of the labels."""
    clean = [re.sub(r"[^A-Za-z0-9 ._-]+", "_", name).strip(" .") for name in classes]
    if clean == list(classes) == sorted(clean) and len({name.casefold() for name in clean}) == len(clean):
        return clean
    width = len(str(len(classes) - 1))
    return [f"{label:0{width}d}-{name}"[:100].rstrip(" .-") for label, name in enumerate(clean)]
