"""One importable name: every module of the project is part of `millrace`, once, wherever the user stands."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("datasets", "model", "pipeline", "workers")

# Imports every module and says which files were imported twice, and which of ours have another name.
EVERYTHING = """
import os, pkgutil, sys
import millrace
names = [found.name for found in pkgutil.walk_packages(millrace.__path__, "millrace.")]
for name in names:
    if name != "millrace.__main__":
        try:
            __import__(name)
        except ModuleNotFoundError as error:  # what needs an extra that is not installed here
            if (error.name or "").split(".")[0] not in ("torch", "onnx"):
                raise
root = os.path.dirname(os.path.dirname(os.path.abspath(millrace.__file__)))
files = {}
for name, module in list(sys.modules.items()):
    file = getattr(module, "__file__", None)
    if file and os.path.realpath(file).startswith(root + os.sep) and "site-packages" not in file:
        files.setdefault(os.path.realpath(file), []).append(name)
print(len(names) > 150, [found for found in files.values() if len(found) > 1])
print(sorted(name for found in files.values() for name in found if name.split(".")[0] not in ("millrace", "__main__")))
"""


def python(*arguments: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """A Python that finds this checkout's `millrace`, started in a folder of the user's."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=100)


def test_rooms_at_the_top_are_links_in_the_package() -> None:
    for room in ROOMS:
        link = ROOT / "millrace" / room
        assert link.is_symlink(), f"{link}: git on this machine makes no symbolic links (core.symlinks)"
        assert link.resolve() == ROOT / room
        assert not os.path.isabs(os.readlink(link))


@pytest.mark.slow
def test_nothing_is_imported_twice_or_under_another_name(tmp_path: Path) -> None:
    done = python("-c", EVERYTHING, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["True []", "[]"]


@pytest.mark.parametrize("arguments", [("-m", "millrace", "datasets"), ("-m", "millrace", "config", "--sources")])
def test_a_users_own_modules_are_not_taken_for_ours(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    for name in ("config.py", "errors.py", "values.py", "version.py", "compiled.py", "counters.py"):
        (tmp_path / name).write_text("raise SystemExit('the user has a module of this name')\n")
    for name in ("model", "datasets", "pipeline", "workers", "commands", "reports"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('the user has a package of this name')\n")
    done = python(*arguments, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_importing_the_package_is_quick_to_answer(tmp_path: Path) -> None:
    """What `import millrace` must not bring: nothing heavy before a name of it is used."""
    heavy = ("numpy", "numba", "pyarrow", "ray", "matplotlib", "sklearn", "torch", "rich", "requests")
    code = f"import sys, millrace; print([name for name in {heavy!r} if name in sys.modules])"
    done = python("-c", code, folder=tmp_path)
    assert done.stdout.strip() == "[]"
