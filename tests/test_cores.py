"""The processors that the process may use, and how long they have worked."""

import os
import time

import pytest

from millrace.cores import cores, worked

TICKS = float(os.sysconf("SC_CLK_TCK"))
MINE = min(os.sched_getaffinity(0))
# user nice system idle iowait irq softirq steal guest guest_nice; the guests' time is in the user's already.
TEXT = f"cpu  9 9 9 9 9 9 9 9 9 9\ncpu{MINE} 100 10 20 5000 300 4 3 2 50 5\ncpu99999 7 7 7 7 7 7 7 7 7 7\nintr 1 2 3\n"


def test_what_all_programs_used_of_them() -> None:
    assert worked(TEXT) == pytest.approx((100 + 10 + 20 + 4 + 3 + 2) / TICKS)
    assert worked(f"cpu{MINE} soon") is None


def test_they_work_while_somebody_does() -> None:
    before, begun, used = worked(), time.monotonic(), time.process_time()
    assert before is not None
    while time.process_time() - used < 0.1:
        pass
    after = worked()
    assert after is not None
    assert 0.05 <= after - before <= cores() * (time.monotonic() - begun) + 0.1
