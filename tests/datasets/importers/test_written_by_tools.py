"""What people's tools really write: equal pixels, labels and rows, each in the split that it is in."""

import hashlib
import io
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from millrace.datasets.importers import Reading
from millrace.datasets.importers.recognising import survey
from tests.pipeline.export.environment import PYTHON, SCRIPTS, clean_environment, needed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), needed]

ORDERED = (  # rows come in the order in which the tool wrote them; others are sorted by name
    "huggingface_parquet", "huggingface_save_to_disk", "huggingface_save_selected", "huggingface_cache",
    "pandas_parquet", "polars_ipc",
)  # fmt: skip
SORTED = ("huggingface_imagefolder", "huggingface_class_folders", "webdataset")
NUMBERS = ("0", "1", "2")
CLASSES = {"huggingface_imagefolder": NUMBERS, "webdataset": NUMBERS, "polars_ipc": NUMBERS}


def written_by(tool: str, folder: Path) -> list[list[object]]:
    """The rows that a tool wrote: [split, label, sha256 of the pixels]."""
    command = [str(PYTHON), str(SCRIPTS / "write.py"), tool, str(folder)]
    done = subprocess.run(
        command, cwd=folder, env=clean_environment(folder), capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("tool", [*ORDERED, *SORTED])
def test_what_tools_write_is_read(tool: str, tmp_path: Path) -> None:
    expected = written_by(tool, tmp_path)
    found = survey(tmp_path / "it", Reading())
    rows: list[list[object]] = []
    for split in found.inventory.counts:
        for one in found.pictures(split):
            with Image.open(io.BytesIO(one.read())) as picture:
                pixels = np.ascontiguousarray(np.asarray(picture, np.uint8))
            rows.append([split, one.label, hashlib.sha256(pixels.tobytes()).hexdigest()])
    assert len(rows) == len(expected) > 100
    if tool in ORDERED:
        for split in found.inventory.counts:
            assert [row for row in rows if row[0] == split] == [row for row in expected if row[0] == split]
    else:
        assert sorted(map(str, rows)) == sorted(map(str, expected))
    assert found.inventory.classes == CLASSES.get(tool, ("ant", "bee", "cat"))
