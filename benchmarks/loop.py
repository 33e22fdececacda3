"""To a PyTorch loop that sums each batch's pixels, batches of 256, uint8, on two cores; part `loop` of `make bench`.

Turns as in the part `stream` (benchmarks/turn.py), images per second over two seconds:

  millrace                    `.torch()` of a stream in the process
  millrace, served …          the same of `millrace.connect`, from a service by loopback that shares the cores
  DataLoader, RandomAffine    the same pixels, augmented by torchvision

and, as `millrace export` wrote an epoch of them, read back again and again (benchmarks/readback.py):

  exported Parquet            pyarrow, whole batches
  exported WebDataset         the webdataset package, in two processes of its WebLoader
  exported Hugging Face       `datasets` with the torch format, in two processes of a DataLoader
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import processes
from benchmarks.loaders import OURS, SERVED, TORCH
from benchmarks.results import Row
from benchmarks.rounds import Bounds, Effort, in_turns
from benchmarks.stream import LIMIT, kept, pictures

ROUNDS, SECONDS = 3, 2.0
EXPORTS = {"exported Parquet": "parquet", "exported WebDataset": "webdataset", "exported Hugging Face": "huggingface"}
DATALOADER = "DataLoader, RandomAffine"
BOUNDS = Bounds(200.0, cold=True)


def export(folder: str, kind: str) -> list[str]:
    """Write an epoch of the images; the files."""
    out = Path(folder) / kind
    command = ["-m", "millrace", "export", f"{folder}/pixels", "--test-share", "0", "--format", kind, "--out", str(out)]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=LIMIT, check=False)
    if done.returncode:
        raise OSError((done.stderr.strip().splitlines() or ["the export failed"])[-1])
    return [str(path) for path in sorted(out.glob("data/train-*"))]


def read_back(folder: str, kind: str, seconds: float) -> dict[str, Any]:
    """A turn of benchmarks/readback.py; our folder `datasets` must not be found by it."""
    files = [str(path) for path in sorted(Path(folder, kind).glob("data/train-*"))] or export(folder, kind)
    script = str(Path(__file__).with_name("readback.py"))
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return processes.answer(["-P", script, kind, str(seconds), *files], LIMIT, Path(folder), variables)


def rows(effort: Effort) -> Iterator[Row]:
    """One row; in the quick form NumPy's loop alone."""
    seconds = 0.1 if effort.quick else SECONDS
    names = [OURS] if effort.quick else [TORCH, SERVED, DATALOADER]
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(f"{folder}/pixels")
        files = kept(f"{folder}/pixels", *pictures("28×28", effort))
        last = [*files, str(seconds), "sum"]
        contenders = {name: partial(processes.answer, ["-m", "benchmarks.turn", name, *last], LIMIT) for name in names}
        if not effort.quick:
            contenders |= {name: partial(read_back, folder, kind, seconds) for name, kind in EXPORTS.items()}
        found, missing = in_turns(contenders, effort.rounds(ROUNDS), bounds=BOUNDS)
    rates = {OURS if name == TORCH else name: [one["steady"] for one in turns] for name, turns in found.items()}
    bars = {DATALOADER: 20.0} if OURS in rates and DATALOADER in rates else {}
    yield Row("28×28, a loop that sums", "images/s", rates, at_least=bars, missing=missing)
