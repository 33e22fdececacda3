"""Trace events: what Perfetto and chrome://tracing read, JSON. Only complete events ("X") and names ("M") are written.

The format: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU (Trace Event Format)
"""

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

NANO, NANO_IN_MICRO = 1e9, 1000


class TraceEvent(NamedTuple):
    """A thread did something from one moment to another, in seconds."""

    name: str
    begin: float
    end: float


def encode(threads: Mapping[tuple[str, int], Sequence[TraceEvent]]) -> bytes:
    """The document. threads: by process and number, `("worker", 3)`. Time begins with the first event."""
    processes = {process: number for number, process in enumerate(dict.fromkeys(name for name, _ in threads), 1)}
    first = min((event.begin for events in threads.values() for event in events), default=0.0)
    found: list[dict[str, object]] = []
    for process, pid in processes.items():
        found.append(_name("process_name", pid, 0, process))
    for (process, number), events in threads.items():
        where = {"pid": processes[process], "tid": number + 1}
        found.append(_name("thread_name", where["pid"], where["tid"], f"{process} {number}"))
        for name, begin, end in events:
            # Whole nanoseconds, so that one ends where the next begins: Perfetto drops what overlaps.
            at, until = round((begin - first) * NANO), round((end - first) * NANO)
            times = {"ts": at / NANO_IN_MICRO, "dur": (until - at) / NANO_IN_MICRO}
            found.append({"name": name, "cat": process, "ph": "X", **times, **where})
    document = {"traceEvents": found, "displayTimeUnit": "ms"}
    return json.dumps(document, separators=(",", ":"), allow_nan=False).encode()


def _name(kind: str, pid: int, tid: int, name: str) -> dict[str, object]:
    return {"name": kind, "ph": "M", "ts": 0, "pid": pid, "tid": tid, "args": {"name": name}}
