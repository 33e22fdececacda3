"""An own Ray starts without a word of its own."""

import subprocess
import sys

import pytest

from tests.workers.programs import ROOT

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(400)]

PROGRAM = """
from millrace.errors import TrainingError
from millrace.workers.ray_runtime.cluster import Need, connected
try:
    with connected(None, Need(1, 1)) as own:
        print("own", own)
except TrainingError as error:
    print(error)
"""


def test_nothing_of_its_own_is_on_the_terminal() -> None:
    command = [sys.executable, "-c", PROGRAM]
    program = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300
    )
    assert program.stdout == "own True\n"
