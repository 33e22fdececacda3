# mypy: ignore-errors
# (Hugging Face's `datasets` has the name of a folder of ours, so nothing of ours is imported here.)
"""An export's files, read again and again as tensors whose pixels are summed: the readers of benchmarks/loop.py.

    python -P readback.py NAME SECONDS FILE…

Prints a line of JSON with the images per second after a tenth of the seconds.

  parquet      pyarrow's `iter_batches`, the tensors over the batch's memory (arrow.apache.org/docs/python/parquet.html)
  webdataset   `WebDataset … decode … to_tuple … batched` in a WebLoader of two processes, batched within them, as in
               the webdataset README ("WebDataset … WebLoader", github.com/webdataset/webdataset)
  huggingface  `load_dataset("parquet")` with the torch format in a DataLoader of two processes, as in "Use with
               PyTorch" (huggingface.co/docs/datasets/use_with_pytorch)
"""

import itertools
import json
import os
import sys
import time

BATCH, CORES = 256, 2


def parquet(files):
    """Pyarrow."""
    import pyarrow.parquet as pq
    import torch

    for file in itertools.cycle(files):
        with pq.ParquetFile(file, memory_map=True) as opened:
            for batch in opened.iter_batches(BATCH, columns=["image", "label"]):
                yield torch.from_numpy(batch.column("image").to_numpy_ndarray().copy())


def webdataset(files):
    """The webdataset package."""
    import torch
    import webdataset as wds

    def tensor(image):
        return torch.from_numpy(image)

    shards = list(itertools.islice(itertools.cycle(files), max(len(files), CORES)))  # each process wants one
    read = wds.WebDataset(shards, shardshuffle=False).decode("l8").to_tuple("png", "cls").map_tuple(tensor, int)
    loader = wds.WebLoader(read.batched(BATCH).repeat(), batch_size=None, num_workers=CORES)
    for images, _ in loader:
        yield images


def huggingface(files):
    """Hugging Face Datasets."""
    import torch

    import datasets

    datasets.disable_progress_bars()
    read = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=os.getcwd())
    read = read.select_columns(["image", "label"]).with_format("torch")
    loader = torch.utils.data.DataLoader(read, batch_size=BATCH, num_workers=CORES, persistent_workers=True)
    while True:
        for batch in loader:
            yield batch["image"]


def main() -> None:
    name, seconds, *files = sys.argv[1:]
    import torch

    torch.set_num_threads(1)
    seconds, batches = (
        float(seconds),
        {"parquet": parquet, "webdataset": webdataset, "huggingface": huggingface}[name](files),
    )
    next(batches)
    begun = time.perf_counter()
    while time.perf_counter() - begun < 0.1 * seconds:
        next(batches)
    count, begun = 0, time.perf_counter()
    while (taken := time.perf_counter() - begun) < seconds:
        images = next(batches)
        images.sum()
        count += len(images)
    print(json.dumps({"steady": count / taken}), flush=True)


if __name__ == "__main__":
    try:
        main()
    except ImportError as error:
        print(json.dumps({"missing": str(error)}), flush=True)
    os._exit(0)
