"""What a process of the benchmarks says that it used is its own, whatever the one that starts it has."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
MIB = 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_memory_of_who_starts_a_process_is_not_counted_as_its_own() -> None:
    held = np.ones(1024 * MIB, np.uint8)
    code = (
        "import numpy; from benchmarks import export, processes; "
        f"filled = numpy.ones(200 * {MIB}, numpy.uint8); print(processes.held('VmHWM') / {MIB})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert 200 < float(done.stdout) < 800
    assert held[-1] == 1
