"""The processors of this machine that the process may use."""

import os
from pathlib import Path

COLUMNS = slice(0, 8)  # of a core in /proc/stat: user nice system idle iowait irq softirq steal, then guests again
AT_REST = (3, 4)


def cores() -> int:
    """How many they are, at least 1: fewer than the machine has where the process is held to some."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def worked(text: str | None = None) -> float | None:
    """The seconds that the processors which this process may use have worked for anybody since the machine's start,
    with those that its host gave to other machines; None where the system does not say. text: of /proc/stat."""
    try:
        lines = (Path("/proc/stat").read_text() if text is None else text).splitlines()
        mine = {f"cpu{number}" for number in os.sched_getaffinity(0)}
        ticks = 0
        for name, *numbers in (line.split() for line in lines if line.startswith("cpu")):
            if name in mine:
                ticks += sum(int(n) for k, n in enumerate(numbers[COLUMNS]) if k not in AT_REST)
        return ticks / float(os.sysconf("SC_CLK_TCK"))
    except (OSError, ValueError, AttributeError):
        return None
