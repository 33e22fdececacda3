"""Encoded pictures for the tests of importers, and files that hold them."""

import io
import json
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from millrace.datasets.importers.inventory import Picture, Survey

NAMES = ("ant", "bee", "cat")


def png(value: int, size: tuple[int, int] = (8, 8)) -> bytes:
    """A grey picture of one value."""
    sink = io.BytesIO()
    Image.fromarray(np.full(size, value, np.uint8)).save(sink, "PNG")
    return sink.getvalue()


def value_of(picture: Picture) -> int:
    """The value that a picture of `png` was made with."""
    with Image.open(io.BytesIO(picture.read())) as opened:
        return int(np.asarray(opened)[0, 0])


def seen(survey: Survey, split: str = "train") -> list[tuple[int, int]]:
    """(value, label) of each picture of a split, in order."""
    return [(value_of(one), one.label) for one in survey.pictures(split)]


def pictures_table(
    values: Iterable[int], labels: Sequence[Any] | pa.Array, names: Sequence[str] | None = None, **more: Any
) -> pa.Table:
    """A table as Hugging Face has it: image struct<bytes, path>, label, and further columns; names: of a ClassLabel."""
    pictures = [{"bytes": png(value), "path": f"{value}.png"} for value in values]
    table = pa.table({"image": pictures, "label": labels, **more})
    features: dict[str, Any] = {"image": {"_type": "Image"}, "label": {"dtype": "int64", "_type": "Value"}}
    if names is not None:
        features["label"] = {"names": list(names), "_type": "ClassLabel"}
    return table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def write_parquet(path: Path, table: pa.Table, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, **options)
    return path


def write_arrow(path: Path, table: pa.Table, *, stream: bool = True, rows: int = 3) -> Path:
    """As a stream, which is what `datasets` writes, or as a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    make = pa.ipc.new_stream if stream else pa.ipc.new_file
    with pa.OSFile(str(path), "wb") as sink, make(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=rows)
    return path


def write_tar(path: Path, members: Iterable[tuple[str, bytes]], form: int = tarfile.PAX_FORMAT) -> Path:
    """A tar with these members; times with a fraction, as WebDataset writes them, make records of their own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=form) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), 1.25
            archive.addfile(info, io.BytesIO(data))
    return path


def samples(labels: Mapping[int, object], ending: str = "png") -> Iterable[tuple[str, bytes]]:
    """Members of a shard: for each value its picture and its label."""
    for number, label in labels.items():
        yield f"{number:04d}.{ending}", png(number)
        yield f"{number:04d}.cls", str(label).encode()
