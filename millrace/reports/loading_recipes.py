"""How to load an export in each tool that reads its format, as lines of Markdown."""

from millrace.formats import FORMATS
from millrace.labels import label_type
from millrace.pipeline.export import ExportPlan

_PARQUET = {
    "pyarrow": """
import pyarrow.parquet as pq

table = pq.read_table(files[0])
images = table["image"].combine_chunks().to_numpy_ndarray()  # uint8 (n, {c}, {h}, {w})
labels = table["label"].to_numpy()""",
    "pandas": """
import numpy as np, pandas as pd

frame = pd.read_parquet(files[0])
images = np.stack(frame["image"]).reshape(-1, {c}, {h}, {w})""",
    "Polars": """
import polars as pl

frame = pl.read_parquet("data/train-*.parquet")
images = frame["image"].ext.storage().to_numpy().reshape(-1, {c}, {h}, {w})""",
    "DuckDB": """
import duckdb

duckdb.sql("select epoch, label, count(*) from 'data/train-*.parquet' group by all order by all")""",
    "Ray Data": """
import ray

rows = ray.data.read_parquet("data/")  # row["image"]: uint8 ({c}, {h}, {w})""",
}
_ARROW = {
    "pyarrow": """
import pyarrow as pa

with pa.memory_map(files[0]) as source:
    table = pa.ipc.open_file(source).read_all()
images = table["image"].combine_chunks().to_numpy_ndarray()  # uint8 (n, {c}, {h}, {w})""",
    "Polars": """
import polars as pl

frame = pl.read_ipc(files[0])""",
}
_HUGGING_FACE = {
    "Hugging Face datasets": """
import os
from datasets import load_dataset

rows = load_dataset(os.getcwd())["train"]  # "." has no name
rows[0]["image"], rows.features["label"].int2str(rows[0]["label"])""",
    "pandas": """
import io, pandas as pd
from PIL import Image

frame = pd.read_parquet(files[0])
Image.open(io.BytesIO(frame["image"][0]["bytes"]))""",
}
_WEBDATASET = {
    "webdataset": """
import webdataset as wds

rows = wds.WebDataset(files, shardshuffle=False)
for image, label, drawn in rows.decode("{pil}").to_tuple("png", "cls", "json"):
    print(label, drawn["sample"], drawn["epoch"])""",
}
_NPZ = {
    "NumPy": """
import numpy as np

with np.load(files[0]) as shard:
    images, labels = shard["images"], shard["labels"]  # uint8 (n, {c}, {h}, {w}), {label} (n,)""",
}
_IMAGEFOLDER = {
    "Hugging Face datasets": """
from datasets import load_dataset

rows = load_dataset("imagefolder", data_dir=".", drop_labels=False)["train"]""",
    "torchvision": """
from torchvision.datasets import ImageFolder

rows = ImageFolder("train")  # alphabetical, not in stream order: metadata.csv has that""",
    "pandas": """
import pandas as pd

frame = pd.read_csv("train/metadata.csv")  # one line a picture, in stream order""",
}
RECIPES = {
    "parquet": _PARQUET,
    "arrow": _ARROW,
    "huggingface": _HUGGING_FACE,
    "webdataset": _WEBDATASET,
    "npz": _NPZ,
    "imagefolder": _IMAGEFOLDER,
}


def recipes(plan: ExportPlan) -> list[str]:
    """A heading and a piece of code for each tool."""
    channels, height, width = (str(side) for side in plan.shape)
    lines: list[str] = []
    if plan.options.format != "imagefolder":
        ending = FORMATS[plan.options.format]
        lines += ["In this folder, with `files` being", "", "```python", "from glob import glob", ""]
        lines += [f'files = sorted(glob("data/train-*.{ending}"))', "```", ""]
    for tool, code in RECIPES[plan.options.format].items():
        text = (
            code.replace("{c}", channels)
            .replace("{h}", height)
            .replace("{w}", width)
            .replace("{label}", str(label_type(len(plan.classes))))
            .replace("{pil}", "pill" if channels == "1" else "pil")
        )
        lines += [f"### {tool}", "", f"```python{text}", "```", ""]
    lines += ["### Millrace", "", "```sh", f"millrace train --dataset . --epochs {plan.options.epochs}", "```", ""]
    return lines
