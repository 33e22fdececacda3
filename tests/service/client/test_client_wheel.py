"""The wheel of the client: built from these sources, installed beside NumPy and pyarrow, connected to a server."""

import hashlib
import sys
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from millrace.service.service import Service
from tests.test_wheel import ROOT, run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

CLIENT = """
import hashlib, sys
import millrace
stream = millrace.connect(sys.argv[1], patience=5)
seen = hashlib.sha256()
for batch in stream.numpy(1, columns=["image", "label", "sample", "angle"]):
    for array in batch:
        seen.update(array.tobytes())
print("seen", seen.hexdigest())
print("step", stream[9].num_rows, stream.state()["step"])
try:
    millrace.train
except ImportError as error:
    print("train", "pip install millrace" in str(error))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("client")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, "deploy/client", folder=ROOT)
    [made] = folder.iterdir()
    return made


def test_it_holds_what_connecting_needs_and_nothing_that_computes(wheel: Path) -> None:
    run(sys.executable, "-m", "twine", "check", "--strict", wheel, folder=ROOT)
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        [about] = [archive.read(name).decode() for name in names if name.endswith("/METADATA")]
    assert {"millrace/__init__.py", "millrace/py.typed", "millrace/service/client/connecting.py"} <= names
    assert not {"millrace/compiled.py", "millrace/pipeline/warp.py", "millrace/service/server.py"} & names
    assert {line.split()[1].split(">")[0] for line in about.splitlines() if line.startswith("Requires-Dist")} == {
        "numpy",
        "pyarrow",
    }


def test_it_connects_where_nothing_else_is_installed(
    wheel: Path, serve: Callable[..., Service], local: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "environment"
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel, folder=tmp_path)
    installed = run(python, "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check", folder=tmp_path)
    assert {line.split("==")[0] for line in installed.splitlines()} - {"pip", "setuptools"} == {
        "millrace-client",
        "numpy",
        "pyarrow",
    }
    found = dict(
        line.split(" ", 1) for line in run(python, "-c", CLIENT, serve().address, folder=tmp_path).splitlines()
    )
    seen = hashlib.sha256()
    for batch in local.numpy(1, columns=["image", "label", "sample", "angle"]):
        for array in batch:
            seen.update(array.tobytes())
    assert found == {"seen": seen.hexdigest(), "step": f"{local[9].num_rows} {len(local)}", "train": "True"}
