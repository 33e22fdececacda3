"""What users install: the wheel and the source archive, and the stream alone from it, without the extras."""

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

# In the environment of the wheel: what an import brings, and one batch of the stream.
STREAM = """
import sys, time
import numpy as np
start = time.perf_counter()
import millrace
print("import", time.perf_counter() - start)
images = np.arange(40 * 8 * 8, dtype=np.uint8).reshape(40, 1, 8, 8)
stream = millrace.stream((images, np.arange(40) % 4), batch=10, policy="digits")
print("rows", stream[7].num_rows)
print("heavy", [name for name in ("ray", "matplotlib", "sklearn", "scipy", "torch", "PIL") if name in sys.modules])
try:
    millrace.stream("digits")
except ImportError as error:
    print("missing", "millrace[digits]" in str(error))
"""


def run(*command: str | Path, folder: Path) -> str:
    """The output of a program that must end with exit code 0."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in command], cwd=folder, env=environment, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheel, made from the source archive, and that archive, by their suffix."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ".", folder=ROOT)
    return {path.suffix: path for path in folder.iterdir()}


def test_what_is_published_is_well_formed(archives: dict[str, Path]) -> None:
    run(sys.executable, "-m", "twine", "check", "--strict", *archives.values(), folder=ROOT)


def test_the_wheel_installs_one_name(archives: dict[str, Path]) -> None:
    with zipfile.ZipFile(archives[".whl"]) as wheel:
        names = wheel.namelist()
        metadata = wheel.read(next(name for name in names if name.endswith("/METADATA"))).decode()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"millrace"}
    assert {"millrace/py.typed", "millrace/pipeline/warp.py", "millrace/datasets/examples/shapes.yaml"} <= set(names)
    assert not [name for name in names if "tests" in name.split("/")]
    needed = {line.split()[1] for line in metadata.splitlines() if line.startswith("Requires-Dist") and ";" not in line}
    assert not [name for name in needed if name.startswith(("ray", "matplotlib", "scikit", "scipy", "torch"))]


def test_the_source_archive_holds_the_rooms_as_folders(archives: dict[str, Path]) -> None:
    with tarfile.open(archives[".gz"]) as archive:
        members = archive.getmembers()
    assert not [member.name for member in members if member.issym() or member.islnk()]
    assert any(member.name.endswith("/millrace/pipeline/warp.py") for member in members)


def test_the_stream_works_from_the_wheel_alone(archives: dict[str, Path], tmp_path: Path) -> None:
    """Installed with what the wheel itself asks for, from the package index; no extra comes along."""
    folder = tmp_path / "environment"
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", archives[".whl"], folder=tmp_path)
    installed = run(python, "-m", "pip", "list", "--format=freeze", folder=tmp_path).lower()
    for name in ("ray", "matplotlib", "scikit-learn", "scipy", "torch", "pillow"):
        assert f"\n{name}==" not in installed
    found = dict(line.split(" ", 1) for line in run(python, "-c", STREAM, folder=tmp_path).splitlines())
    assert (found["rows"], found["heavy"], found["missing"]) == ("10", "[]", "True")
    assert run(folder / "bin" / "millrace", "--version", folder=tmp_path).startswith("millrace ")
