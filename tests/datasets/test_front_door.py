import subprocess
import sys
from pathlib import Path

import pytest

from millrace import datasets

ROOT = Path(__file__).parents[2]


def test_functions_are_not_hidden_by_modules_of_their_name() -> None:
    for name in ("split", "registry", "load", "images", "labels", "find", "verify"):
        assert callable(getattr(datasets, name))


@pytest.mark.parametrize(
    ("use", "heavy"),
    [
        ("from millrace import datasets", "yaml numpy pyarrow requests numba millrace.counters"),
        ("from millrace import datasets; datasets.registry()", "pyarrow requests numba millrace.counters"),
        ("from millrace import datasets; datasets.load", "numba millrace.counters sklearn"),
    ],
)
def test_what_is_not_needed_is_not_imported(use: str, heavy: str) -> None:
    program = f"{use}\nimport sys\nprint([name for name in {heavy.split()!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"
