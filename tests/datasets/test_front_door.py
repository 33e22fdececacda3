import subprocess
import sys
from pathlib import Path

import pytest

from millrace import datasets

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", datasets.__all__)
def test_every_name_leads_somewhere(name: str) -> None:
    assert getattr(datasets, name) is not None
    assert name in dir(datasets)


def test_functions_are_not_hidden_by_modules_of_their_name() -> None:
    for name in ("split", "registry", "load", "images", "labels", "find", "verify"):
        assert callable(getattr(datasets, name))


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = datasets.nothing


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
