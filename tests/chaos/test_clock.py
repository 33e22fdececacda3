"""A moved clock shows another time of day, and what waits until a time of day waits as long as before."""

import os
import subprocess
import sys

import pytest

from tests.chaos.schedule import Schedule
from tests.chaos.stage import Stage

pytestmark = pytest.mark.slow

WAITED = """
import ctypes, time
before = time.monotonic()
end = time.time() + 0.2
until = (ctypes.c_long * 2)(int(end), int(end % 1 * 1e9))
mutex, condition = ctypes.create_string_buffer(64), ctypes.create_string_buffer(64)
libc = ctypes.CDLL(None)
libc.pthread_mutex_lock(mutex)
libc.pthread_cond_timedwait(condition, mutex, until)
print(time.time(), time.monotonic() - before)
"""


@pytest.mark.parametrize("seconds", [0, -86400, 86400])
def test_a_jump(seconds: int) -> None:
    stage = Stage(Schedule.read("", "", f"0:clock:{seconds or 1}"), patience=1)
    try:
        if why := stage.limits.get("clock"):
            pytest.skip(why)
        stage.move_clock(seconds)
        now = os.stat(stage.folder / "clock").st_mtime
        found = subprocess.run(
            [sys.executable, "-c", WAITED],
            env=stage.environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
    finally:
        stage.close()
    shown, waited = map(float, found.stdout.split())
    assert shown - now == pytest.approx(seconds, abs=20)
    assert 0.15 < waited < 5
