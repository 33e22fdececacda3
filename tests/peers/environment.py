"""The frameworks' environment (`make peers`), and programs in it."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-peers" / "bin" / "python"
needed = pytest.mark.skipif(not PYTHON.exists(), reason="the frameworks' environment is missing: make peers")

SETTINGS = {"HF_HUB_OFFLINE": "1", "JAX_PLATFORMS": "cpu", "KERAS_BACKEND": "jax"}
# PyTorch's own sums come out the same again on one thread; with several, MKL takes as many as it likes at the moment.
SETTINGS |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def has(module: str) -> bool:
    """Whether a framework is installed there: some have no wheels for every machine. Nothing is imported."""
    return any(PYTHON.parents[1].glob(f"lib/python*/site-packages/{module}/__init__.py"))


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | SETTINGS


def run(*arguments: str | Path, folder: Path, seconds: float = 300) -> str:
    """What a program of that environment prints; it must end with exit code 0. `millrace` is installed there."""
    done = subprocess.run(
        [str(word) for word in (PYTHON, *arguments)],
        cwd=folder,
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=seconds,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout
