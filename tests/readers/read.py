"""Reads an export with one tool and prints each row as JSON: [split, epoch, sample, label, sha256 of the pixels].

Runs in the readers' environment, from another folder than the project's: nothing of Millrace is imported, and
`datasets` is Hugging Face's. Pixels are digested as uint8 in the order C, H, W.

    python read.py TOOL FOLDER SPLIT,SPLIT,… CHANNELS HEIGHT WIDTH
"""

# mypy: ignore-errors
# (what is imported here lies in the other environment)
import glob
import hashlib
import io
import json
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

Row = tuple[int, int, int, Any]  # epoch, sample, label, pixels
FOLDER, SPLIT = sys.argv[2], ""  # the split that is read
SHAPE = tuple(map(int, sys.argv[4:7]))


def files(ending: str) -> list[str]:
    return sorted(glob.glob(f"{glob.escape(FOLDER)}/data/{SPLIT}-*.{ending}"))


def picture(content: Any) -> Any:
    from PIL import Image

    opened = content if hasattr(content, "getdata") else Image.open(io.BytesIO(content))
    return np.asarray(opened).reshape(SHAPE[1], SHAPE[2], SHAPE[0]).transpose(2, 0, 1)


def pyarrow_parquet() -> Iterator[Row]:
    import pyarrow.parquet as pq

    for file in files("parquet"):
        table = pq.read_table(file)
        images = table["image"].combine_chunks().to_numpy_ndarray()
        yield from zip(*(table[n].to_pylist() for n in ("epoch", "sample", "label")), images, strict=True)


def pyarrow_dataset() -> Iterator[Row]:
    import pyarrow.dataset as ds

    for batch in ds.dataset(files("parquet"), format="parquet").to_batches(
        columns=["epoch", "sample", "label", "image"]
    ):
        yield from zip(
            *(batch[n].to_pylist() for n in ("epoch", "sample", "label")),
            batch["image"].to_numpy_ndarray(),
            strict=True,
        )


def pyarrow_ipc() -> Iterator[Row]:
    import pyarrow as pa

    for file in files("arrow"):
        with pa.memory_map(file) as source:
            table = pa.ipc.open_file(source).read_all()
        images = table["image"].combine_chunks().to_numpy_ndarray()
        yield from zip(*(table[n].to_pylist() for n in ("epoch", "sample", "label")), images, strict=True)


def ray_data() -> Iterator[Row]:
    import ray

    ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    for row in ray.data.read_parquet(files("parquet")).iter_rows():
        yield row["epoch"], row["sample"], row["label"], row["image"]
    ray.shutdown()


def duckdb() -> Iterator[Row]:
    import duckdb

    yield from duckdb.execute("select epoch, sample, label, image from read_parquet(?)", [files("parquet")]).fetchall()


def polars() -> Iterator[Row]:
    import polars as pl

    frame = pl.read_parquet(files("parquet"))
    images = frame["image"].ext.storage().to_numpy()
    yield from zip(*(frame[n].to_list() for n in ("epoch", "sample", "label")), images, strict=True)


def polars_ipc() -> Iterator[Row]:
    import polars as pl

    for file in files("arrow"):
        frame = pl.read_ipc(file)
        images = frame["image"].ext.storage().to_numpy()
        yield from zip(*(frame[n].to_list() for n in ("epoch", "sample", "label")), images, strict=True)


def pandas() -> Iterator[Row]:
    import pandas as pd

    for file in files("parquet"):
        frame = pd.read_parquet(file)
        yield from zip(frame["epoch"], frame["sample"], frame["label"], frame["image"], strict=True)


def pandas_pictures() -> Iterator[Row]:
    import pandas as pd

    for file in files("parquet"):
        frame = pd.read_parquet(file)
        pixels = (picture(value["bytes"]) for value in frame["image"])
        yield from zip(frame["epoch"], frame["sample"], frame["label"], pixels, strict=True)


def huggingface() -> Iterator[Row]:
    from datasets import ClassLabel, load_dataset

    rows = load_dataset(FOLDER, split=SPLIT)
    assert isinstance(rows.features["label"], ClassLabel)
    for row in rows:
        yield row["epoch"], row["sample"], row["label"], picture(row["image"])


def huggingface_imagefolder() -> Iterator[Row]:
    from datasets import load_dataset

    for row in load_dataset("imagefolder", data_dir=FOLDER, split=SPLIT, drop_labels=False):
        yield row["epoch"], row["sample"], row["label"], picture(row["image"])


def huggingface_folder() -> Iterator[Row]:
    """The imagefolder through its README, as the hub reads it."""
    from datasets import load_dataset

    for row in load_dataset(FOLDER, split=SPLIT):
        yield row["epoch"], row["sample"], row["label"], picture(row["image"])


def huggingface_webdataset() -> Iterator[Row]:
    from datasets import load_dataset

    for row in load_dataset(FOLDER, split=SPLIT):
        yield row["json"]["epoch"], row["json"]["sample"], int(row["cls"]), picture(row["png"])


def webdataset() -> Iterator[Row]:
    import webdataset as wds

    rows = wds.WebDataset(files("tar"), shardshuffle=False, empty_check=False)
    for image, label, fields in rows.decode("pill" if SHAPE[0] == 1 else "pil").to_tuple("png", "cls", "json"):
        yield fields["epoch"], fields["sample"], label, picture(image)


def numpy() -> Iterator[Row]:
    for file in files("npz"):
        with np.load(file, allow_pickle=False) as shard:
            yield from zip(shard["epochs"], shard["samples"], shard["labels"], shard["images"], strict=True)


def main() -> None:
    global SPLIT
    for SPLIT in sys.argv[3].split(","):
        for epoch, sample, label, pixels in globals()[sys.argv[1]]():
            content = np.ascontiguousarray(np.asarray(pixels, np.uint8).reshape(SHAPE))
            row = [SPLIT, int(epoch), int(sample), int(label), hashlib.sha256(content.data).hexdigest()]
            sys.stdout.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
