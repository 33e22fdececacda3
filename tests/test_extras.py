"""Optional dependencies are named by the extra that brings them."""

import subprocess
import sys
import tomllib
from pathlib import Path

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
