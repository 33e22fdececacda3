"""Writes pictures with the tools that people write them with, and prints each row as JSON: [split, label, sha256].

Runs in the readers' environment, from another folder than the project's, as `read.py` does. The digest is that of the
picture's pixels, uint8 in the order H, W, C, as Pillow decodes what was written.

    python write.py TOOL FOLDER
"""

# mypy: ignore-errors
# (what is imported here lies in the other environment)
import hashlib
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

FOLDER = Path(sys.argv[2])
NAMES = ["ant", "bee", "cat"]
SIZES = {"train": 250, "test": 30}
Row = tuple[str, Any, Any]  # split, label, picture


def pictures(split: str) -> Iterator[tuple[int, Any]]:
    """Label and picture of each row: smooth, coloured, none like another."""
    y, x = np.mgrid[0:12, 0:16]
    for number in range(SIZES[split]):
        start = number + (1000 if split == "test" else 0)
        planes = [np.sin(x / 5 + start), np.cos(y / 4 + 3 * start), np.sin((x + y) / 6 + 7 * start)]
        yield number * 7 % 11 % 3, Image.fromarray((127 + 120 * np.stack(planes, -1)).astype(np.uint8))


def encoded(picture: Any, form: str) -> bytes:
    sink = io.BytesIO()
    picture.save(sink, form)
    return sink.getvalue()


def dataset(split: str, form: str | None = None) -> Any:
    """As Hugging Face's: pictures as objects, which it encodes itself, or as files on the disk."""
    from datasets import ClassLabel, Dataset, Features
    from datasets import Image as Column

    rows = list(pictures(split))
    images = [picture for _, picture in rows]
    if form is not None:
        folder = FOLDER / "source"
        folder.mkdir(parents=True, exist_ok=True)
        images = []
        for number, (_, picture) in enumerate(rows):
            path = folder / f"{split}-{number}.{form}"
            picture.save(path)
            images.append(str(path))
    columns = {"image": images, "label": [label for label, _ in rows]}
    return Dataset.from_dict(columns, features=Features(image=Column(), label=ClassLabel(names=NAMES)), split=split)


def rows_of(made: Any, split: str) -> Iterator[Row]:
    for row in made:
        yield split, row["label"], row["image"]


def huggingface_parquet() -> Iterator[Row]:
    """Shards as on the hub."""
    for split in SIZES:
        made = dataset(split, "jpg" if split == "train" else None)  # files stay where they are, objects go in
        count = 3 if split == "train" else 1
        for index in range(count):
            name = f"{split}-{index:05d}-of-{count:05d}.parquet"
            shard = made.shard(count, index, contiguous=True)
            (FOLDER / "it" / "data").mkdir(parents=True, exist_ok=True)
            shard.to_parquet(FOLDER / "it" / "data" / name)
        yield from rows_of(made, split)


def huggingface_save_to_disk() -> Iterator[Row]:
    from datasets import DatasetDict

    made = DatasetDict({split: dataset(split) for split in SIZES})
    made.save_to_disk(FOLDER / "it", num_shards={"train": 3, "test": 1})
    for split in SIZES:
        yield from rows_of(made[split], split)


def huggingface_save_selected() -> Iterator[Row]:
    """One split alone, of rows in another order."""
    made = dataset("train", "png").select([*range(200, 100, -1), 7])
    made.save_to_disk(FOLDER / "it")
    yield from rows_of(made, "train")


def huggingface_cache() -> Iterator[Row]:
    """What `load_dataset` keeps of Parquet for itself."""
    from datasets import load_dataset

    (FOLDER / "hub").mkdir()
    for split in SIZES:
        dataset(split, "png").to_parquet(FOLDER / "hub" / f"{split}.parquet")
    loaded = load_dataset(str(FOLDER / "hub"), cache_dir=str(FOLDER / "cache"))
    kept = Path(loaded["train"].cache_files[0]["filename"]).parent
    loaded["train"].map(lambda row: {"label": 0}).flatten_indices()
    (FOLDER / "it").symlink_to(kept, target_is_directory=True)
    for split in SIZES:
        yield from rows_of(loaded[split], split)


def huggingface_imagefolder() -> Iterator[Row]:
    """A folder with lists, laid by hand as its documentation says; what it reads of it is what counts."""
    from datasets import load_dataset

    for split in SIZES:
        folder = FOLDER / "it" / split
        (folder / "deep").mkdir(parents=True)
        lines = ["file_name,label"]
        for number, (label, picture) in enumerate(pictures(split)):
            name = f"{'deep/' if number % 2 else ''}{number:04d}.png"
            picture.save(folder / name)
            lines.append(f"{name},{label}")
        (folder / "metadata.csv").write_text("\n".join(lines) + "\n")
    for split in SIZES:
        yield from rows_of(load_dataset("imagefolder", data_dir=str(FOLDER / "it"), split=split), split)


def huggingface_class_folders() -> Iterator[Row]:
    from datasets import load_dataset

    for split in SIZES:
        for number, (label, picture) in enumerate(pictures(split)):
            folder = FOLDER / "it" / split / NAMES[label]
            folder.mkdir(parents=True, exist_ok=True)
            picture.save(folder / f"{number:04d}.png")
    for split in SIZES:
        yield from rows_of(load_dataset("imagefolder", data_dir=str(FOLDER / "it"), split=split), split)


def webdataset() -> Iterator[Row]:
    import webdataset as wds

    (FOLDER / "it").mkdir()
    for split in SIZES:
        with wds.ShardWriter(f"{FOLDER}/it/{split}-%06d.tar", maxcount=90, verbose=0) as sink:
            for number, (label, picture) in enumerate(pictures(split)):
                data = encoded(picture, "JPEG")
                key = f"{'a folder/' if number % 2 else ''}{number:06d}"
                sink.write({"__key__": key, "jpg": data, "cls": label, "json": {"label": 9, "width": 16}})
                yield split, label, Image.open(io.BytesIO(data))


def pandas_parquet() -> Iterator[Row]:
    """Bytes in a plain column and names as categories, as people write it without more."""
    import pandas as pd

    (FOLDER / "it").mkdir()
    for split in SIZES:
        rows = [(NAMES[label], encoded(picture, "PNG")) for label, picture in pictures(split)]
        frame = pd.DataFrame({"img": [data for _, data in rows], "species": [name for name, _ in rows]})
        frame["species"] = frame["species"].astype("category")
        frame.to_parquet(FOLDER / "it" / f"{split}.parquet")
        yield from ((split, NAMES.index(name), Image.open(io.BytesIO(data))) for name, data in rows)


def polars_ipc() -> Iterator[Row]:
    import polars as pl

    (FOLDER / "it").mkdir()
    for split in SIZES:
        rows = [(label, encoded(picture, "PNG")) for label, picture in pictures(split)]
        frame = pl.DataFrame({"image": [data for _, data in rows], "label": [label for label, _ in rows]})
        frame.write_ipc(FOLDER / "it" / f"{split}.arrow", compression="zstd" if split == "train" else "uncompressed")
        yield from ((split, label, Image.open(io.BytesIO(data))) for label, data in rows)


def main() -> None:
    for split, label, picture in globals()[sys.argv[1]]():
        pixels = np.ascontiguousarray(np.asarray(picture, np.uint8))
        sys.stdout.write(json.dumps([split, label, hashlib.sha256(pixels.data).hexdigest()]) + "\n")


if __name__ == "__main__":
    main()
