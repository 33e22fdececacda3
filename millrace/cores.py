"""The processors of this machine that the process may use."""

import os


def cores() -> int:
    """How many they are, at least 1: fewer than the machine has where the process is held to some."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
