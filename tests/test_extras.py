"""Optional dependencies are named by the extra that brings them."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from millrace.extras import EXTRAS, MissingExtra, extras_named

ROOT = Path(__file__).parents[1]
DISTRIBUTIONS = {"sklearn": "scikit-learn", "PIL": "pillow"}  # where it is called otherwise than its module


def test_the_table_says_what_pyproject_says() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    listed = {
        (requirement.split(">")[0].split("[")[0], extra)
        for extra, requirements in project["optional-dependencies"].items()
        if extra != "all"
        for requirement in requirements
    }
    assert {(DISTRIBUTIONS.get(module, module), extra) for module, extra in EXTRAS.items()} == listed


def test_a_missing_extra_says_which_to_install() -> None:
    with pytest.raises(MissingExtra) as caught, extras_named():
        raise ModuleNotFoundError("No module named 'matplotlib'", name="matplotlib.figure")
    assert caught.value.do == "pip install 'millrace[pictures]'"
    assert isinstance(caught.value, ImportError)
    assert caught.value.exit_code == 2


def test_other_errors_pass_unchanged() -> None:
    with pytest.raises(ModuleNotFoundError, match="spam"), extras_named():
        raise ModuleNotFoundError("No module named 'spam'", name="spam")
    with pytest.raises(ZeroDivisionError), extras_named():
        raise ZeroDivisionError


def test_the_command_line_says_which_to_install(tmp_path: Path) -> None:
    """As where the extra is not installed: None in the place of a module makes its import fail."""
    code = (
        "import sys; sys.modules['PIL'] = None; sys.modules['matplotlib'] = None\n"
        "from millrace.commands.main import main\n"
        f"sys.exit(main(['preview', '--out', {str(tmp_path / 'preview.png')!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "millrace[pictures]" in done.stderr
    assert "Traceback" not in done.stderr


WITHOUT = """
import sys
for name in ("sklearn", "PIL", "matplotlib", "ray"):
    sys.modules[name] = None
import numpy as np, millrace
from millrace.extras import MissingExtra
"""


def alone(code: str, folder: Path) -> str:
    """What a program prints where no extra is installed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", WITHOUT + code]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return done.stdout


TRAINED = "millrace.train('own.yaml', epochs=1, batch=8, out='run')"


@pytest.mark.parametrize(
    ("before", "call", "extra"),
    [
        ("", "millrace.stream('digits')", "digits"),
        ("", "millrace.train('own.yaml', runtime='ray', batch=8, out='ray')", "ray"),
        pytest.param(TRAINED, "millrace.network('run').predict(['picture.png'])", "pictures", marks=pytest.mark.slow),
    ],
)
def test_the_library_names_what_a_call_needs(tmp_path: Path, before: str, call: str, extra: str) -> None:
    own(tmp_path)
    code = f"{before}\ntry: {call}\nexcept MissingExtra as error: print(error.do)"
    assert alone(code, tmp_path) == f"pip install 'millrace[{extra}]'\n"


def own(folder: Path) -> None:
    images, labels = np.arange(40 * 64, dtype=np.uint8).reshape(40, 8, 8), np.arange(40, dtype=np.uint8) % 4
    np.savez(
        folder / "own.npz", train_images=images, train_labels=labels, test_images=images[:20], test_labels=labels[:20]
    )
    text = "name: own\ntitle: own\nformat: npz\nclasses: [a, b, c, d]\nfiles: [{name: own.npz}]\n"
    (folder / "own.yaml").write_text(text)
    (folder / "picture.png").write_bytes(b"")


@pytest.mark.slow
def test_a_run_is_finished_also_where_no_report_can_be_drawn(tmp_path: Path) -> None:
    own(tmp_path)
    notices = "notices = []\n"
    notices += "run = millrace.train('own.yaml', epochs=1, batch=8, out='run', observer=notices.append)\n"
    said = alone(notices + "print(run.finished, [n.text for n in notices if hasattr(n, 'text')])", tmp_path)
    assert said.startswith("True")
    assert "millrace[pictures]" in said
    assert not (tmp_path / "run" / "report.html").exists()
