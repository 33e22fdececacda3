"""A decode that is ended in its middle, by Ctrl-C or kill -9: nothing of it is taken for a table, the next is whole."""

import io
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from millrace import datasets
from millrace.datasets import Reading
from tests.datasets.importers.drawn import pixels

ROOT = Path(__file__).parents[3]
SIZE = Reading(size=(96, 96))
DECODE = """
import sys
from millrace import datasets
datasets.load(datasets.find(sys.argv[1], datasets.Reading(size=(96, 96))))
"""


def slow_pictures(folder: Path) -> Path:
    """100 pictures of a megapixel: a second and more on two threads."""
    made = io.BytesIO()
    Image.fromarray(pixels(3, 900, 1100)).save(made, "PNG", compress_level=1)
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        for number in range(50):
            (folder / name / f"{number:03}.png").write_bytes(made.getvalue())
    return folder


@pytest.mark.slow
def test_a_decode_that_was_ended_starts_clean(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = slow_pictures(tmp_path / "mine")
    table = datasets.dataset_folder(datasets.find(str(mine), SIZE))
    for ending in (signal.SIGINT, signal.SIGKILL):
        victim = subprocess.Popen([sys.executable, "-c", DECODE, str(mine)], cwd=ROOT, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 60
        while not list(table.glob("*train*")):
            assert victim.poll() is None
            assert time.monotonic() < until
            time.sleep(0.002)
        time.sleep(0.2)  # into the decoding
        victim.send_signal(ending)
        assert victim.wait(30) != 0
        left = [path.name for path in table.iterdir() if path.name != "lock"]
        assert "table.json" not in left
        assert not left or ending == signal.SIGKILL  # whoever is interrupted takes its files away
    again = datasets.load(datasets.find(str(mine), SIZE))
    assert sorted(path.name for path in table.iterdir()) == ["lock", "table.json", "test.arrow", "train.arrow"]
    monkeypatch.setenv("MILLRACE_CACHE", str(tmp_path / "undisturbed"))
    assert datasets.load(datasets.find(str(mine), SIZE)).digest == again.digest
    assert again.train.num_rows + again.test.num_rows == 100
