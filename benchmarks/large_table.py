"""A table larger than memory, written and read: `python -m benchmarks.large_table [--gigabytes 12] [--folder DIR]`

The table's file is made sparse, by `datasets/table_images.py` but without taking its blocks first, so that it needs no
room on the disk: a few rows are written, all others are holes and read as zeros. Then it is digested, opened, its
statistics are taken in one pass, and steps all over an epoch are streamed. What is printed is the most of the
process's own pages (RssAnon, looked at 50 times a second): pages of the mapped file are the system's, which takes
them back.
Bar: 1 GB. Linux alone.
"""

import argparse
import tempfile
import threading
from pathlib import Path

import numpy as np

import millrace
from benchmarks import processes
from millrace import datasets
from millrace.datasets import Dataset, DatasetSpec
from millrace.datasets.table_files import write_tables
from millrace.datasets.table_images import FilledArrays, TableImages
from millrace.pipeline import pixel_statistics

SHAPE, STEPS = (3, 224, 224), 30


class Own:
    """The most of a process's own pages, in MB, from now on."""

    def __init__(self) -> None:
        self.most, self._stop = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._stop.wait(0.02):
            self.most = max(self.most, processes.held("RssAnon") / 1e6)

    def stop(self) -> float:
        self._stop.set()
        self._thread.join(5)
        return self.most


def made(folder: Path, gigabytes: float) -> Dataset:
    """The table of so many bytes, sparse, in this folder."""
    spec = DatasetSpec("large", "a large table", "embedded", ("dark", "light"), shape=SHAPE)
    rows = int(gigabytes * 1e9) // (SHAPE[0] * SHAPE[1] * SHAPE[2])
    train, test = (
        TableImages(folder, split, spec, SHAPE, n, sparse=True) for split, n in (("train", rows), ("test", 8))
    )
    train.images[:: max(1, rows // 20)] = 200
    labels = (np.arange(rows) % 2).astype(np.uint8)
    arrays = FilledArrays(train.images, labels, test.images, labels[:8], (train, test))
    return write_tables(folder, arrays, spec)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=12)
    parser.add_argument("--folder", default=None, help="on the disk to use")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        own = Own()
        dataset = made(Path(folder), given.gigabytes)
        print(f"{dataset.train.num_rows:,} rows, {dataset.train.nbytes / 1e9:.2f} GB: written, own {own.most:.0f} MB")
        stream = millrace.stream(dataset, batch=64, policy="photos", threads=2)
        pixel_statistics(datasets.images(dataset.train), np.arange(dataset.train.num_rows))
        print(f"statistics, own {own.most:.0f} MB")
        for step in range(0, len(stream), max(1, len(stream) // STEPS)):
            _ = stream[step]
        print(f"streamed, own {own.most:.0f} MB")
        print(f"own pages at most {own.stop():.0f} MB   (bar 1000)")


if __name__ == "__main__":
    main()
