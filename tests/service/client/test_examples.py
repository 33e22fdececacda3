"""The examples of clients run as they are printed, against a server, and get its batches."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from millrace.pipeline import images_of, labels_of
from millrace.service.service import Service
from tests.service.conftest import ROWS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples"
Serve = Callable[..., Service]


def said(*words: str | Path, folder: Path) -> str:
    """What a program prints, which must end with exit code 0; Millrace is imported from these sources."""
    # One thread: with several, PyTorch's own sums differ from one time to the next.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(
        [str(word) for word in words], cwd=folder, env=environment, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def other(name: str, module: str) -> Path:
    """The Python of another environment, if that module is installed there."""
    if not any((ROOT / name).glob(f"lib/python*/site-packages/{module}/__init__.py")):
        pytest.skip(f"{module} is not installed in {name}")
    return ROOT / name / "bin" / "python"


def test_plain_pyarrow(serve: Serve, local: Any, tmp_path: Path) -> None:
    found = said(sys.executable, EXAMPLES / "service_pyarrow.py", serve().address, "--steps", "9", folder=tmp_path)
    labels = [label for step in range(9) for label in labels_of(local[step]).tolist()]
    assert f"{len(labels)} rows of 9 steps" in found
    assert f"counts {' '.join(str(labels.count(label)) for label in range(4))}" in found
    assert "images (8, 1, 6, 5) uint8" in found


def test_polars(serve: Serve, tmp_path: Path) -> None:
    python = other(".venv-readers", "polars")
    found = said(python, EXAMPLES / "service_polars.py", serve().address, "--epochs", "3", folder=tmp_path)
    assert f"{3 * ROWS} rows, {ROWS} samples" in found


def test_pytorch_goes_on_in_the_middle_of_an_epoch(serve: Serve, tmp_path: Path) -> None:
    python, address = other(".venv-peers", "torch"), serve().address

    def trained(checkpoint: str, *words: str) -> str:
        script = EXAMPLES / "service_pytorch.py"
        return said(python, script, address, "--epochs", "3", "--checkpoint", checkpoint, *words, folder=tmp_path)

    whole = re.search(r"sum of weights (.*)", trained("whole.pt"))
    trained("parts.pt", "--stop-after", "5")
    trained("parts.pt", "--stop-after", "6")
    rest = trained("parts.pt")
    assert "goes on at step 11" in rest
    assert whole is not None
    assert whole[0] in rest


# Worker processes of PyTorch: each connects by itself; one that is forked is told that it cannot.
WORKERS = """
import sys
import millrace
from torch.utils.data import DataLoader

def first(stream, **how):
    loader = stream.torch(1, columns=["sample"])
    return [int(batch[0][0]) for batch in DataLoader(loader, batch_size=None, **how)]

if __name__ == "__main__":
    stream = millrace.connect(sys.argv[1], patience=10)
    print("here", first(stream.at(0)))
    print("spawn", first(stream.at(0), num_workers=2, multiprocessing_context="spawn"))
    try:
        first(stream.at(0), num_workers=1, multiprocessing_context="fork")
    except Exception as error:
        print("fork", "does not survive a fork" in str(error))
"""


def test_worker_processes_of_pytorch(serve: Serve, local: Any, tmp_path: Path) -> None:
    python, program = other(".venv-peers", "torch"), tmp_path / "workers.py"
    program.write_text(WORKERS)
    found = dict(line.split(" ", 1) for line in said(python, program, serve().address, folder=tmp_path).splitlines())
    samples = str([local[step].column("sample")[0].as_py() for step in range(len(local))])
    assert found == {"here": samples, "spawn": samples, "fork": "True"}


def test_node(serve: Serve, local: Any, tmp_path: Path) -> None:
    """Its packages come from the npm registry, as for whoever runs it."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("Node is not installed")
    folder = tmp_path / "node"
    shutil.copytree(EXAMPLES / "service_node", folder, ignore=shutil.ignore_patterns("node_modules"))
    got = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True, timeout=200
    )
    if got.returncode:
        pytest.skip(f"npm cannot get the packages: {got.stderr[-200:]}")
    found = said("node", "client.mjs", serve().address.removeprefix("grpc://"), "10", folder=folder)
    seen = hashlib.sha256()
    for step in range(10):
        seen.update(images_of(local[step]).tobytes() + labels_of(local[step]).tobytes())
    assert f"sha256 of pixels and labels {seen.hexdigest()}" in found
    assert "74 rows of the steps 0 to 9" in found
